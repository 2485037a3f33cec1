"""Lists: conditions, order, partial records and the two ways to page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from adapters.sandbox.connectwise.conditions import BadCondition, Test, UnknownField, parse, values
from adapters.sandbox.connectwise.errors import Refusal, bad_request
from adapters.sandbox.connectwise.tables import Row
from adapters.sandbox.wire import Request

DEFAULT_PAGE_SIZE = 25
MAX_PAGE_SIZE = 1000
_CUSTOM_FIELD = frozenset({"id", "caption", "type", "value", "connectWiseId"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    rows: list[Row]
    link: str  # the Link header; "" for none


def page(request: Request, rows: Iterable[Row], fields: frozenset[str]) -> Page:
    """Raises Refusal for what ConnectWise refuses."""
    size = _number(request, "pageSize", DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    chosen = select(request, rows, fields)
    if request.headers.get("pagination-type", "").lower() == "forward-only":
        return _forward(request, chosen, size)
    return _numbered(request, _ordered(request, chosen, fields), size)


def select(request: Request, rows: Iterable[Row], fields: frozenset[str]) -> list[Row]:
    params = request.params
    tests = [_test(params.get("conditions", ""), fields), _test(params.get("childConditions", ""), fields)]
    custom = _test(params.get("customFieldConditions", ""), _CUSTOM_FIELD)
    wanted = [test for test in tests if test]
    try:
        chosen = [row for row in rows if all(test(row) for test in wanted)] if wanted else list(rows)
        return [row for row in chosen if any(custom(field) for field in row.get("customFields", ()))] if custom else chosen
    except BadCondition as error:
        raise bad_request(f"The condition is invalid: {error}") from error


def partial(row: Row, fields: str) -> Row:
    """Only the named fields; `_info` too goes unless it is named. A slash path keeps the nesting."""
    result: Row = {}
    for path in (part.strip() for part in fields.split(",")):
        head, _, rest = path.partition("/")
        if head not in row:
            continue
        if rest and isinstance(row[head], dict):
            result.setdefault(head, {}).update(partial(row[head], rest))
        else:
            result[head] = row[head]
    return result


def _test(text: str, fields: frozenset[str]) -> Test | None:
    if not text.strip():
        return None
    try:
        return parse(text, fields)
    except BadCondition as error:
        raise bad_request(f"The condition is invalid: {error}") from error
    except UnknownField as error:
        raise Refusal(500, "InternalServerError", f"Unable to resolve the field '{error}' of the condition.") from error


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.params.get(name, "")
    if not text:
        return default
    if not text.isdigit() or not 0 < int(text) <= most:
        raise bad_request(f"{name} must be a number between 1 and {most}")
    return int(text)


def _forward(request: Request, rows: list[Row], size: int) -> Page:
    if request.params.get("orderBy"):
        raise bad_request("orderBy is not allowed with forward-only pagination")
    after = request.params.get("pageId") or "0"
    if not after.isdigit():
        raise bad_request("pageId must be a number")
    found = [row for row in rows if row["id"] > int(after)][:size]
    last = found[-1]["id"] if found else int(after)
    return Page(rows=found, link=_links(request, {"next": {"pageId": last}}))


def _numbered(request: Request, rows: list[Row], size: int) -> Page:
    number = _number(request, "page", 1, 10**9)
    last = max(1, -(-len(rows) // size))
    links: dict[str, dict[str, int]] = {}
    if number < last:
        links = {"next": {"page": number + 1}, "last": {"page": last}}
    if number > 1:
        links |= {"prev": {"page": number - 1}, "first": {"page": 1}}
    return Page(rows=rows[(number - 1) * size : number * size], link=_links(request, links))


def _links(request: Request, links: dict[str, dict[str, int]]) -> str:
    kept = {name: value for name, value in request.params.items() if name not in ("page", "pageId")}
    address = f"{request.base_url}{request.path}"
    return ", ".join(f'<{address}?{urlencode({**kept, **changed})}>; rel="{rel}"' for rel, changed in links.items())


def _ordered(request: Request, rows: list[Row], fields: frozenset[str]) -> list[Row]:
    for part in reversed([part for part in request.params.get("orderBy", "").split(",") if part.strip()]):
        path, _, direction = part.strip().partition(" ")
        if path.split("/")[0] not in fields and path not in ("lastUpdated", "dateEntered"):
            raise Refusal(500, "InternalServerError", f"Unable to resolve the field '{path}' of orderBy.")
        rows = sorted(rows, key=lambda row, path=path: _rank(row, path), reverse=direction.strip().lower() == "desc")  # type: ignore[misc]
    return rows


def _rank(row: Row, path: str) -> tuple[int, Decimal, str]:
    """Records without the field come first."""
    found: list[Any] = values(row, path)
    if not found:
        return (0, Decimal(0), "")
    if isinstance(found[0], bool | int | float | Decimal):
        return (1, Decimal(found[0]), "")
    return (1, Decimal(0), str(found[0]).casefold())
