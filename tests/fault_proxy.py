"""A TCP proxy before one server on the loopback, which spoils answers below HTTP: what no server would do to itself."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

DRIP_S = 0.05
LATE_S = 0.1
FLOOD_BYTES = 40 * 1024 * 1024  # more than any answer may have
AWAY = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/elsewhere\r\nContent-Length: 0\r\n\r\n"
PAGE = b"<html><body>Sign in to the guest network</body></html>"
LOGIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE)
FLOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % FLOOD_BYTES
NOISE = bytes(range(256)) * 4


@dataclass
class FaultProxy:
    """`plan` says for each request (counted from 0) which fault it meets, "" for none. `met` counts what was done."""

    upstream: str
    plan: Callable[[int], str] = lambda _: ""
    mangle: Callable[[int, bytes], bytes] = lambda _, body: body  # what becomes of the body of each answer
    port: int = 0
    met: dict[str, int] = field(default_factory=dict)
    _number: Iterator[int] = field(default_factory=count)
    _over: threading.Event = field(default_factory=threading.Event)
    _listener: socket.socket | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def always(self, fault: str) -> None:
        self.plan = lambda _: fault

    def listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        """Nobody listens any more, until `listen`."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def close(self) -> None:
        self._over.set()
        self.refuse()

    def _accept(self, listener: socket.socket) -> None:
        while not self._over.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """One request a connection: the answer says so."""
        with client, suppress(OSError):
            asked = _message(client)
            if not asked:
                return
            with self._guard:
                number = next(self._number)
                fault = self.plan(number)
                self.met[fault] = self.met.get(fault, 0) + 1
            if fault:
                getattr(self, f"_{fault}")(client, asked)
            else:
                client.sendall(self._answer(asked, number))

    def _latency(self, client: socket.socket, asked: bytes) -> None:
        self._over.wait(LATE_S)
        client.sendall(self._answer(asked))

    def _reset(self, client: socket.socket, _: bytes) -> None:
        _hang_up(client)

    def _reply_lost(self, client: socket.socket, asked: bytes) -> None:
        self._answer(asked)
        _hang_up(client)

    def _half_reply(self, client: socket.socket, asked: bytes) -> None:
        answer = self._answer(asked)
        client.sendall(answer[: len(answer) - max(1, len(answer.partition(b"\r\n\r\n")[2]) // 2)])

    def _black_hole(self, client: socket.socket, _: bytes) -> None:
        self._until_given_up(client)

    def _black_hole_after(self, client: socket.socket, asked: bytes) -> None:
        self._answer(asked)
        self._until_given_up(client)

    def _garbage(self, client: socket.socket, _: bytes) -> None:
        client.sendall(NOISE)

    def _redirect(self, client: socket.socket, _: bytes) -> None:
        client.sendall(AWAY)

    def _login_page(self, client: socket.socket, _: bytes) -> None:
        client.sendall(LOGIN)

    def _flood(self, client: socket.socket, _: bytes) -> None:
        client.sendall(FLOOD)
        for _number in range(FLOOD_BYTES // len(NOISE)):
            client.sendall(NOISE)

    def _drip(self, client: socket.socket, asked: bytes) -> None:
        for byte in self._answer(asked):
            client.sendall(bytes([byte]))
            if self._over.wait(DRIP_S):
                return

    def _answer(self, asked: bytes, number: int = -1) -> bytes:
        """What the server says, with its own address replaced by ours where it names one (the next page, say)."""
        host = urlsplit(self.upstream)
        with socket.create_connection((host.hostname or "", host.port or 80)) as server:
            server.sendall(_closing(re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", asked)))
            head, _, body = _everything(server).partition(b"\r\n\r\n")
        body = self.mangle(number, body.replace(self.upstream.encode(), self.url.encode()))
        head = re.sub(rb"(?i)\r\ncontent-length: [^\r]*", b"\r\nContent-Length: %d" % len(body), head)
        return _closing(head + b"\r\n\r\n" + body)

    def _until_given_up(self, client: socket.socket) -> None:
        client.settimeout(0.2)
        while not self._over.is_set():
            try:
                if not client.recv(1024):
                    return
            except TimeoutError:
                continue


def _closing(message: bytes) -> bytes:
    return message.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)


def _hang_up(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing it sends a reset


def _message(client: socket.socket) -> bytes:
    """One request, to the last byte of its body."""
    received = b""
    while chunk := client.recv(65536):
        received += chunk
        head, end, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and len(body) >= int(length[1] if length else 0):
            return received
    return b""


def _everything(server: socket.socket) -> bytes:
    received = b""
    while chunk := server.recv(65536):
        received += chunk
    return received


FAULTS = tuple("latency reset reply_lost half_reply black_hole black_hole_after garbage redirect login_page flood drip".split())


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    proxy = FaultProxy(upstream)
    proxy.listen()
    try:
        yield proxy
    finally:
        proxy.close()
