"""A session of `requests` whose answers have an end: a limit on the whole of one answer, not only on the gap between two bytes.

A partner (or a box in between) that sends one byte a minute keeps within every read timeout for hours. Here each read ends
when the answer's time is over, and soon after the agent was told to stop.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

_SLICE_S = 0.5  # how often a silent connection looks whether the agent is to stop
_LAST_WORDS_S = 3.0  # what an answer still has when it is: the outcome of a write is worth a moment


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """`answer_s`: from sending to the last byte. `answer_bytes`: as sent, before it is unpacked. `stopping`: end soon.

    `transport`: answers in place of the network, and keeps its own limits.
    """

    answer_s: float = 120.0
    answer_bytes: int = 32 * 1024 * 1024
    stopping: Callable[[], bool] = _never
    transport: BaseAdapter | None = None


def bounded(session: requests.Session, patience: Patience) -> requests.Session:
    """The same session with these limits on every answer, and our credentials, not those of a .netrc file."""
    adapter = patience.transport or _Adapter(patience)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.auth = session.auth or _keep_headers
    session.trust_env = patience.transport is None  # proxies are of the network
    return session


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Bytes(io.RawIOBase):
    """The bytes of one answer. TimeoutError when its time is over, ConnectionError when it is too large."""

    def __init__(self, sock: socket.socket, patience: Patience, held: io.BufferedIOBase) -> None:
        self._sock = sock
        self._patience = patience
        self._held = held  # the library counts who still reads from the socket: it is let go with us
        self._ends = time.monotonic() + patience.answer_s
        self._silence_s = sock.gettimeout() or patience.answer_s
        self._left = patience.answer_bytes
        self._told = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        got = self._received(buffer)
        self._left -= got
        if self._left < 0:
            raise ConnectionError("the answer is too large")
        return got

    def close(self) -> None:
        self._held.close()
        super().close()

    def _received(self, buffer: Any) -> int:
        silent_until = time.monotonic() + self._silence_s
        while True:
            self._listen()
            left_s = min(self._ends, silent_until) - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("no answer in time")
            self._sock.settimeout(min(left_s, _SLICE_S))
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                continue

    def _listen(self) -> None:
        if not self._told and self._patience.stopping():
            self._told = True
            self._ends = min(self._ends, time.monotonic() + _LAST_WORDS_S)


def _pools(patience: Patience) -> dict[str, Any]:
    class Response(HTTPResponse):
        def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
            super().__init__(sock, *arguments, **named)
            self.fp = io.BufferedReader(_Bytes(sock, patience, self.fp))

    class Plain(HTTPConnection):
        response_class = Response

    class Secure(HTTPSConnection):
        response_class = Response

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class _Adapter(HTTPAdapter):
    def __init__(self, patience: Patience) -> None:
        self._pool_classes = _pools(patience)
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **named: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(proxy, **named)
        manager.pool_classes_by_scheme = self._pool_classes
        return manager
