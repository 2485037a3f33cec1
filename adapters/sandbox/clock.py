"""The sandbox's simulated time, asked over HTTP, so that an agent run against it lives on the same clock."""

from __future__ import annotations

from datetime import datetime

import requests

from connector.errors import RetryLater


class SandboxClock:
    """`url` is the sandbox's root, e.g. http://127.0.0.1:8400. RetryLater when the sandbox does not answer."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/_sandbox/clock"
        self._session = requests.Session()

    def now(self) -> datetime:
        try:
            answer = self._session.get(self._url, timeout=(2, 5))
            return datetime.fromisoformat(answer.json()["now"])
        except (requests.RequestException, ValueError, KeyError) as error:
            raise RetryLater(f"the sandbox at {self._url} does not tell the time ({type(error).__name__})", after_s=2) from None
