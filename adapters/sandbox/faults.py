"""Faults that a test or an admin injects: the partner misbehaves as the real one would."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Protocol

from adapters.sandbox.wire import Request, Response

KINDS = {
    "429": "throttled before anything happened",
    "500": "server error before anything happened",
    "500_after_effect": "the write was done, the answer is a server error",
    "refused": "not accepted (HTTP 400), before anything happened: a record that the partner cannot handle",
    "reset": "connection closed before anything happened",
    "reply_lost": "the write was done, the connection is closed without an answer",
    "half_reply": "the write was done, the connection breaks in the middle of the answer",
    "no_connection": "no connection can be made",
    "timeout": "never answered, and nothing happened",
    "timeout_after_effect": "the write was done, and never answered",
}


class LostReply(Exception):
    """The server closes the connection without an answer."""


class _Voice(Protocol):
    def too_many_requests(self, retry_after_s: int) -> Response: ...

    def server_error(self, status: int) -> Response: ...


@dataclass(kw_only=True)
class Fault:
    """Hits requests of `partner` whose method and path match, `count` times, after skipping the first `skip` of them."""

    kind: str
    partner: str = ""
    method: str = ""
    path: str = ""  # regular expression, searched in the path
    count: int = 1
    skip: int = 0
    probability: float = 1.0
    retry_after_s: int = 30

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(KINDS)}")
        re.compile(self.path)

    @property
    def after_effect(self) -> bool:
        return self.kind in ("500_after_effect", "reply_lost", "half_reply", "timeout_after_effect")

    def hits(self, partner: str, request: Request) -> bool:
        return (
            self.partner in ("", partner)
            and self.method in ("", request.method)
            and re.search(self.path, request.path) is not None
        )

    def response(self, voice: _Voice) -> Response | None:
        """None: the connection is closed without an answer."""
        if self.kind == "429":
            return voice.too_many_requests(self.retry_after_s)
        if self.kind == "refused":
            return voice.server_error(400)
        if self.kind.startswith("500"):
            return voice.server_error(500)
        return None


class Faults:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._active: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._active.append(fault)

    def clear(self) -> None:
        self._active.clear()

    def take(self, partner: str, request: Request) -> Fault | None:
        for fault in self._active:
            if not fault.hits(partner, request):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.probability < 1.0 and self._chance.random() >= fault.probability:
                continue
            fault.count -= 1
            if fault.count <= 0:
                self._active.remove(fault)
            return fault
        return None
