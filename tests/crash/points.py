"""The moments at which the agent can be killed: before and after every commit and every request that is no read.

They are found by running: whatever the agent will write one day is counted by itself.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect

_WRITES = re.compile(r"\s*(INSERT\s+(?:OR \w+ )?INTO|UPDATE|DELETE\s+FROM|CREATE|ALTER|DROP)\s+\"?(\w+)", re.IGNORECASE)
_OURS = "/connector/"
_ADAPTERS = "/adapters/"
_NOT_THE_PLACE = ("/connector/store/", "/connector/pulse.py", "/connector/readonly.py")
_ID = re.compile(r"\d{2,}|\d+|[a-z]+_(?:test_)?\w{10,}")
# How fresh things are, who holds the lease and what was spent of a budget change nothing for anybody but this process.
_OF_THE_PROCESS = {"freshness", "lease", "budget"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """Before or after one write. `kinds`: what is written to: one route of one partner, or tables of the store.

    `call`: of a partner's write, the method of the port that makes it, as `stripe release`.
    """

    after: bool
    what: str
    kinds: tuple[str, ...]
    call: str = ""

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.what}"


@dataclass(kw_only=True)
class Points:
    """Those that this process passed. At number `kill_at` (from 1) it kills itself, as `kill -9` would."""

    kill_at: int | None = None
    within_migrations: bool = False
    passed: list[Point] = field(default_factory=list)

    def at(self, after: bool, what: str, kinds: tuple[str, ...], call: str = "") -> None:
        self.passed.append(Point(after=after, what=what, kinds=kinds, call=call))
        if len(self.passed) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def watch(points: Points) -> None:
    """For the rest of this process, which is a forked one that ends soon: the libraries themselves are changed."""
    _watch_partners(points)
    _watch_store(points)


def _watch_partners(points: Points) -> None:
    send: Callable[..., requests.Response] = requests.Session.send

    def sending(session: requests.Session, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        path = request.path_url.partition("?")[0]
        if request.method in ("GET", "HEAD") or "/query" in path:
            return send(session, request, **how)
        what, kinds, port = f"{request.method} {path}", (route(str(request.method), path),), call(path)
        points.at(False, what, kinds, port)
        response = send(session, request, **how)
        points.at(True, what, kinds, port)
        return response

    requests.Session.send = sending  # type: ignore[assignment, method-assign]


def _watch_store(points: Points) -> None:
    commit: Callable[..., None] = DefaultDialect.do_commit
    wrote: dict[int, dict[str, None]] = {}  # tables by connection, in the order of the writes

    def executed(connection: Connection, cursor: Any, statement: str, *_: object) -> None:
        write = _WRITES.match(statement)
        if write is None or (cursor.rowcount == 0 and "RETURNING" not in statement):
            return
        table = write.group(2) if " " in write.group(1) or write.group(1).upper() == "UPDATE" else "(tables)"
        if table == "(tables)" and points.within_migrations:
            points.at(True, statement.strip().partition("\n")[0][:60], (table,))  # a migration can be killed within
        wrote.setdefault(id(connection.connection.dbapi_connection), {})[table] = None

    def committing(dialect: DefaultDialect, connection: Any) -> None:
        tables = wrote.pop(id(getattr(connection, "dbapi_connection", connection)), {})
        if not tables.keys() - _OF_THE_PROCESS:
            commit(dialect, connection)
            return
        what, kinds = f"the commit of {_place()}", tuple(sorted(tables.keys() - _OF_THE_PROCESS))
        points.at(False, what, kinds)
        commit(dialect, connection)
        points.at(True, what, kinds)

    event.listen(Engine, "after_cursor_execute", executed)
    DefaultDialect.do_commit = committing  # type: ignore[method-assign]


def route(method: str, path: str) -> str:
    """A request without what differs from record to record."""
    return f"{method} " + "/".join("*" if _ID.fullmatch(part) else part for part in path.split("/"))


def call(path: str) -> str:
    """The partner, and the method of its port: the outermost of the adapter's functions that run just now."""
    frame, method = sys._getframe(2), ""
    while frame.f_back is not None:
        if _ADAPTERS in frame.f_code.co_filename:
            method = frame.f_code.co_name
        frame = frame.f_back
    return f"{path.split('/')[1]} {method}"


def _place() -> str:
    """Our function, outside the store, that writes just now."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        file = frame.f_code.co_filename
        if _OURS in file and not any(part in file for part in _NOT_THE_PLACE):
            return f"{file.rpartition(_OURS)[2]} {frame.f_code.co_qualname}"
        frame = frame.f_back
    return "the start"
