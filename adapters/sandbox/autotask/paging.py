"""Pages of a query: their addresses, and where each begins. The page after keeps both verb and query."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from adapters.sandbox.autotask.errors import invalid, unsupported
from adapters.sandbox.wire import Request

_FIRST = -1  # before every id


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """One page. Autotask's own page address holds the same."""

    size: int
    previous: tuple[int, ...] = ()  # where the pages before began
    after: int = _FIRST

    def before(self) -> Cursor | None:
        return replace(self, previous=self.previous[:-1], after=self.previous[-1]) if self.previous else None

    def next(self, last: int) -> Cursor:
        return replace(self, previous=(*self.previous, self.after), after=last)

    def text(self) -> str:
        return json.dumps({"pageSize": self.size, "previousIds": list(self.previous), "nextIds": [self.after]})


def cursor_of(request: Request) -> Cursor:
    """From the address of a further page."""
    try:
        found = json.loads(request.params["paging"])
        previous = tuple(map(int, found["previousIds"]))
        return Cursor(size=int(found["pageSize"]), previous=previous, after=int(found["nextIds"][0]))
    except (KeyError, ValueError, TypeError, IndexError):
        raise invalid("The paging parameter is missing or is not valid.") from None


def page_url(request: Request, address: str, cursor: Cursor | None) -> str | None:
    if cursor is None:
        return None
    search = {name: value for name, value in request.params.items() if name.lower() == "search"}
    return f"{address}?{urlencode({'paging': cursor.text(), **search})}"


def search_of(request: Request) -> Any:
    """The query: a parameter of a GET, the body of a POST."""
    if request.method == "POST":
        return body_of(request)
    text = {name.lower(): value for name, value in request.params.items()}.get("search")
    if text is None:
        raise unsupported("GET")
    try:
        return json.loads(text)
    except ValueError:
        raise invalid("The search parameter is not valid JSON.") from None


def body_of(request: Request) -> dict[str, Any]:
    try:
        found = request.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise invalid("The body is missing or is not valid JSON.")
    return found
