"""The sandbox's simulated time, asked over HTTP, so that an agent run against it lives on the same clock."""

from __future__ import annotations

import time
from datetime import datetime

import requests

from connector.errors import RetryLater

KEPT_S = 0.05


class SandboxClock:
    """`url` is the sandbox's root, e.g. http://127.0.0.1:8400. RetryLater when the sandbox does not answer."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/_sandbox/clock"
        self._session = requests.Session()
        self._asked = 0.0
        self._now: datetime | None = None

    def now(self) -> datetime:
        """Not older than a twentieth of a real second: a flow asks for the time at every step."""
        if self._now is None or time.monotonic() - self._asked > KEPT_S:
            self._now, self._asked = self._ask(), time.monotonic()
        return self._now

    def _ask(self) -> datetime:
        try:
            answer = self._session.get(self._url, timeout=(2, 5))
            return datetime.fromisoformat(answer.json()["now"])
        except (requests.RequestException, ValueError, KeyError) as error:
            raise RetryLater(f"the sandbox at {self._url} does not tell the time ({type(error).__name__})", after_s=2) from None
