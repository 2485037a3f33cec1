"""The moments at which the agent can be killed: before and after every commit and every request that is no read.

They are found by running: whatever the agent will write one day is counted by itself.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect

_READS = ("SELECT", "PRAGMA", "BEGIN", "SHOW", "SET")
_OURS = "/connector/"
_NOT_THE_PLACE = ("/connector/store/", "/connector/pulse.py", "/connector/readonly.py")


@dataclass(kw_only=True)
class Points:
    """Those that this process passed. At number `kill_at` (from 1) it kills itself, as `kill -9` would."""

    kill_at: int | None = None
    passed: list[str] = field(default_factory=list)

    def at(self, what: str) -> None:
        self.passed.append(what)
        if len(self.passed) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def watch(points: Points) -> None:
    """For the rest of this process, which is a forked one that ends soon: the libraries themselves are changed."""
    commit: Callable[..., None] = DefaultDialect.do_commit
    send: Callable[..., requests.Response] = requests.Session.send

    wrote: set[int] = set()  # connections, by what the library has of the driver

    def executed(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if not statement.lstrip().upper().startswith(_READS):
            wrote.add(id(connection.connection.dbapi_connection))

    def committing(dialect: DefaultDialect, connection: Any) -> None:
        if id(getattr(connection, "dbapi_connection", connection)) not in wrote:
            commit(dialect, connection)
            return
        wrote.discard(id(getattr(connection, "dbapi_connection", connection)))
        place = _place()
        points.at(f"before the commit of {place}")
        commit(dialect, connection)
        points.at(f"after the commit of {place}")

    def sending(session: requests.Session, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        path = request.path_url.partition("?")[0]
        if request.method in ("GET", "HEAD") or path.endswith("/query"):
            return send(session, request, **how)
        points.at(f"before {request.method} {path}")
        response = send(session, request, **how)
        points.at(f"after {request.method} {path}")
        return response

    event.listen(Engine, "after_cursor_execute", executed)
    DefaultDialect.do_commit = committing  # type: ignore[method-assign]
    requests.Session.send = sending  # type: ignore[assignment, method-assign]


def _place() -> str:
    """Our function, outside the store, that writes just now."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        file = frame.f_code.co_filename
        if _OURS in file and not any(part in file for part in _NOT_THE_PLACE):
            return f"{file.rpartition(_OURS)[2]} {frame.f_code.co_qualname}"
        frame = frame.f_back
    return "the start"
