"""The query language: SELECT * | COUNT(*) | fields FROM Entity WHERE a = 'b' AND ... ORDERBY ... STARTPOSITION n MAXRESULTS n."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from adapters.sandbox.quickbooks.refusals import query_error
from adapters.sandbox.quickbooks.shapes import SHAPES, Shape, Value

MAX_RESULTS = 1000
DEFAULT_RESULTS = 100
PACIFIC = ZoneInfo("America/Los_Angeles")
Record = dict[str, Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:\\.|[^'\\])*')|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])|(?P<word>[A-Za-z_][\w.]*)"""
    r"""|(?P<sign><=|>=|=|<|>|\(|\)|,|\*))""",
    re.DOTALL,
)
_COMPARISONS = {"=", "<", ">", "<=", ">="}


@dataclass(frozen=True, kw_only=True)
class Condition:
    field: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Query:
    shape: Shape
    fields: tuple[str, ...]  # empty: all
    count: bool
    conditions: tuple[Condition, ...]
    order: tuple[tuple[str, bool], ...]  # field, descending
    start: int
    most: int


def parse(text: str) -> Query:
    """Raises Refused 4001 for whatever QuickBooks would not understand."""
    return _Parser(_tokens(text)).query()


def run(query: Query, records: Iterable[Record]) -> list[Record]:
    """All that match, ordered, before paging."""
    found = [record for record in records if _matches(query, record)]
    for field, descending in reversed(query.order):
        found.sort(key=lambda record: _sort_key(query.shape, field, record), reverse=descending)
    return found


def page(query: Query, found: list[Record]) -> list[Record]:
    rows = found[query.start - 1 : query.start - 1 + query.most]
    if not query.fields:
        return rows
    keep = {field.split(".")[0] for field in query.fields} | {"Id", "domain", "sparse"}
    return [{name: value for name, value in row.items() if name in keep} | {"sparse": True} for row in rows]


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    text = text.strip().rstrip(";")
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise query_error(f"encountered unexpected text at position {position}: {text[position : position + 20]}")
        tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
        position = match.end()
    return tokens


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def query(self) -> Query:
        self._expect("SELECT")
        fields, count = self._selection()
        self._expect("FROM")
        shape = self._entity()
        conditions = self._conditions(shape) if self._accept("WHERE") else ()
        order = self._order(shape)
        start = self._int() if self._accept("STARTPOSITION") else 1
        most = self._int() if self._accept("MAXRESULTS") else DEFAULT_RESULTS
        if self._at < len(self._tokens):
            raise query_error(f"encountered unexpected word '{self._tokens[self._at][1]}'")
        if not 1 <= most <= MAX_RESULTS or start < 1:
            raise query_error(f"max results must be 1 to {MAX_RESULTS}, start position 1 or more")
        return Query(shape=shape, fields=fields, count=count, conditions=conditions, order=order, start=start, most=most)

    def _selection(self) -> tuple[tuple[str, ...], bool]:
        if self._accept("*"):
            return (), False
        if self._accept("COUNT"):
            for sign in "(*)":
                self._expect(sign)
            return (), True
        fields = [self._word()]
        while self._accept(","):
            if not self._accept("*"):
                fields.append(self._word())
        return tuple(fields), False

    def _entity(self) -> Shape:
        name = self._word()
        for shape in SHAPES.values():
            if shape.name.lower() == name.lower():
                return shape
        raise query_error(f"metadata not found for entity {name}")

    def _conditions(self, shape: Shape) -> tuple[Condition, ...]:
        conditions = [self._condition(shape)]
        while self._accept("AND"):
            conditions.append(self._condition(shape))
        return tuple(conditions)

    def _condition(self, shape: Shape) -> Condition:
        field = self._field(shape)
        if self._accept("IN"):
            return Condition(field=field, operator="IN", values=self._list())
        operator = "LIKE" if self._accept("LIKE") else self._next()[1]
        if operator not in _COMPARISONS | {"LIKE"}:
            raise query_error(f"unexpected operator '{operator}' after {field}")
        if shape.searchable[field] is Value.ID and operator != "=":
            raise query_error("property Id can be compared with = and IN only")
        value = self._value()
        if operator != "LIKE":
            _wanted(shape.searchable[field], value)
        return Condition(field=field, operator=operator, values=(value,))

    def _field(self, shape: Shape) -> str:
        name = self._word()
        for field in shape.searchable:
            if field.lower() == name.lower():
                return field
        raise query_error(f"property '{name}' of {shape.name} is not queryable")

    def _list(self) -> tuple[str, ...]:
        self._expect("(")
        values = [self._value()]
        while self._accept(","):
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _order(self, shape: Shape) -> tuple[tuple[str, bool], ...]:
        if not self._accept("ORDERBY"):
            if not self._accept("ORDER"):
                return ()
            self._expect("BY")
        order = [self._order_field(shape)]
        while self._accept(","):
            order.append(self._order_field(shape))
        return tuple(order)

    def _order_field(self, shape: Shape) -> tuple[str, bool]:
        field = self._field(shape)
        if self._accept("DESC"):
            return field, True
        self._accept("ASC")
        return field, False

    def _value(self) -> str:
        kind, text = self._next()
        if kind == "text":
            return _unquote(text)
        if kind == "number" or text.lower() in ("true", "false"):
            return text
        raise query_error(f"expected a value, found '{text}'")

    def _int(self) -> int:
        kind, text = self._next()
        if kind != "number" or "." in text:
            raise query_error(f"expected a number, found '{text}'")
        return int(text)

    def _word(self) -> str:
        kind, text = self._next()
        if kind != "word":
            raise query_error(f"expected a name, found '{text}'")
        return text

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise query_error("unexpected end of query")
        self._at += 1
        return self._tokens[self._at - 1]

    def _accept(self, word: str) -> bool:
        if self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            if kind in ("word", "sign") and text.upper() == word:
                self._at += 1
                return True
        return False

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            found = self._tokens[self._at][1] if self._at < len(self._tokens) else "the end"
            raise query_error(f"expected {word}, found {found}")


def _matches(query: Query, record: Record) -> bool:
    asked = {condition.field for condition in query.conditions}
    if "Active" in query.shape.searchable and "Active" not in asked and not record.get("Active", True):
        return False
    return all(_holds(query.shape, condition, record) for condition in query.conditions)


def _holds(shape: Shape, condition: Condition, record: Record) -> bool:
    kind = shape.searchable[condition.field]
    have = _have(kind, _look(record, condition.field))
    if have is None:
        return False
    if condition.operator == "LIKE":
        pattern = "".join(".*" if char == "%" else re.escape(char) for char in condition.values[0])
        return re.fullmatch(pattern, str(have), re.IGNORECASE | re.DOTALL) is not None
    wanted = [_wanted(kind, value) for value in condition.values]
    match condition.operator:
        case "=" | "IN":
            return have in wanted
        case "<":
            return bool(have < wanted[0])
        case ">":
            return bool(have > wanted[0])
        case "<=":
            return bool(have <= wanted[0])
    return bool(have >= wanted[0])


def _look(record: Record, field: str) -> Any:
    value: Any = record
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if field == "PrimaryEmailAddr" and isinstance(value, Mapping):
        return value.get("Address")
    return value


def _have(kind: Value, value: Any) -> Any:
    """The record's side of a comparison; None when it has no such value. Text is compared without case."""
    if value is None:
        return None
    match kind:
        case Value.REF:
            return str(value["value"])
        case Value.NUMBER:
            return Decimal(str(value))
        case Value.TIME:
            return datetime.fromisoformat(value)
        case Value.BOOLEAN:
            return bool(value)
        case Value.TEXT:
            return str(value).casefold()
    return str(value)


def _wanted(kind: Value, text: str) -> Any:
    try:
        match kind:
            case Value.NUMBER:
                return Decimal(text)
            case Value.TIME:
                moment = datetime.fromisoformat(text)
                return moment if moment.tzinfo else moment.replace(tzinfo=PACIFIC)
            case Value.DATE:
                return datetime.fromisoformat(text).date().isoformat()
            case Value.BOOLEAN:
                return text.lower() == "true"
            case Value.TEXT:
                return text.casefold()
    except (ValueError, InvalidOperation):
        raise query_error(f"'{text}' is not a {kind.value}") from None
    return text


def _sort_key(shape: Shape, field: str, record: Record) -> tuple[bool, Any]:
    kind = shape.searchable[field]
    value = _have(kind, _look(record, field))
    if kind is Value.ID:
        return True, int(value)
    if value is None:
        return False, _lowest(kind)
    return True, value


def _lowest(kind: Value) -> Any:
    match kind:
        case Value.NUMBER:
            return Decimal(0)
        case Value.TIME:
            return datetime.min.replace(tzinfo=UTC)
        case Value.BOOLEAN:
            return False
    return ""
