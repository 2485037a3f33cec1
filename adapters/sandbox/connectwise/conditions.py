"""The `conditions` language: parsed once, then a function of a record.

Comparisons behave as in the database behind it: a field without a value satisfies only `= null`, text ignores case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
Test = Callable[[Row], bool]


class BadCondition(Exception):
    """The text cannot be parsed or compares what cannot be compared (answered with 400)."""


class UnknownField(Exception):
    """The text names a field that the record does not have (answered with 500, as ConnectWise does)."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<moment>\[[^\]]*\])|(?P<number>-?\d+(?:\.\d+)?)
    |(?P<operator><=|>=|!=|=|<|>)|(?P<word>[A-Za-z_][\w/]*)|(?P<mark>[(),]))""",
    re.VERBOSE,
)
_INFO = {"lastUpdated", "updatedBy", "dateEntered", "enteredBy"}


def parse(text: str, fields: frozenset[str]) -> Test:
    """Raises BadCondition or UnknownField."""
    return _Parser(_tokens(text), fields, text).parse()


def moment(text: str) -> str:
    """A date or time of the conditions language as records hold it: UTC, to the second. Raises BadCondition."""
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BadCondition(f"[{text}] is not a date") from error
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def values(row: Row, path: str) -> list[Any]:
    """Every value at a slash path; several below an array, none where a field is missing."""
    parts = path.split("/")
    if parts[0] in _INFO and parts[0] not in row:
        parts.insert(0, "_info")
    found: list[Any] = [row]
    for part in parts:
        found = [item[part] for item in _spread(found) if isinstance(item, dict) and part in item]
    return list(_spread(found))


def _spread(found: list[Any]) -> Iterator[Any]:
    for item in found:
        if isinstance(item, list):
            yield from item
        else:
            yield item


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise BadCondition(f"cannot read {text[position : position + 20]!r}")
        tokens.append(_Token(str(found.lastgroup), found[str(found.lastgroup)]))
        position = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[_Token], fields: frozenset[str], text: str) -> None:
        self._tokens = tokens
        self._fields = fields
        self._text = text
        self._at = 0

    def parse(self) -> Test:
        test = self._any()
        if self._at < len(self._tokens):
            raise BadCondition(f"unexpected {self._tokens[self._at].text!r} in {self._text!r}")
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._word("or"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._word("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._word("not"):
            inner = self._one()
            return lambda row: not inner(row)
        if self._mark("("):
            test = self._any()
            self._need(")")
            return test
        return self._comparison()

    def _comparison(self) -> Test:
        path = self._next("word").text
        if path.split("/")[0] not in self._fields and path not in _INFO:
            raise UnknownField(path)
        if self._peek("operator"):
            return _compare(path, self._next("operator").text, self._value())
        negated = self._word("not")
        test = self._worded(path)
        return (lambda row: not test(row)) if negated else test

    def _worded(self, path: str) -> Test:
        if self._word("contains"):
            return _matches(path, _pattern(self._text_value(), whole=False))
        if self._word("like"):
            return _matches(path, _pattern(self._text_value(), whole=True))
        if self._word("in"):
            return _among(path, self._values())
        raise BadCondition(f"{path} is not followed by an operator in {self._text!r}")

    def _values(self) -> list[Any]:
        self._need("(")
        found = [self._value()]
        while self._mark(","):
            found.append(self._value())
        self._need(")")
        return found

    def _text_value(self) -> str:
        value = self._value()
        if not isinstance(value, str):
            raise BadCondition(f"a text in double quotes is needed in {self._text!r}")
        return value

    def _value(self) -> Any:
        token = self._next("string", "moment", "number", "word")
        match token.kind, token.text:
            case "string", text:
                return re.sub(r"\\(.)", r"\1", text[1:-1])
            case "moment", text:
                return moment(text[1:-1])
            case "number", text:
                return Decimal(text)
            case "word", "True" | "False":
                return token.text == "True"
            case "word", "null" | "NULL" | "Null":
                return None
        raise BadCondition(f"{token.text!r} is not a value: text stands in double quotes, booleans are True and False")

    def _next(self, *kinds: str) -> _Token:
        if self._at >= len(self._tokens) or self._tokens[self._at].kind not in kinds:
            raise BadCondition(f"{' or '.join(kinds)} expected in {self._text!r}")
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self, kind: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at].kind == kind

    def _word(self, word: str) -> bool:
        return self._take("word", word)

    def _mark(self, mark: str) -> bool:
        return self._take("mark", mark)

    def _take(self, kind: str, text: str) -> bool:
        if not self._peek(kind) or self._tokens[self._at].text.lower() != text:
            return False
        self._at += 1
        return True

    def _need(self, mark: str) -> None:
        if not self._mark(mark):
            raise BadCondition(f"{mark!r} expected in {self._text!r}")


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


def _compare(path: str, operator: str, wanted: Any) -> Test:
    if wanted is None:
        missing = operator == "="
        return lambda row: (not values(row, path)) == missing
    order, wanted = _ORDER[operator], _folded(wanted)

    def test(row: Row) -> bool:
        return any(order(_comparable(value, wanted, path), wanted) for value in values(row, path))

    return test


def _comparable(value: Any, wanted: Any, path: str) -> Any:
    """A custom field's value may be of any type; a number is compared with a number, text with text."""
    value = _folded(value)
    if isinstance(wanted, bool) != isinstance(value, bool) or isinstance(wanted, str) != isinstance(value, str):
        raise BadCondition(f"{path} cannot be compared with {wanted}")
    return value


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _among(path: str, wanted: list[Any]) -> Test:
    allowed = {_folded(value) for value in wanted}
    return lambda row: any(_folded(value) in allowed for value in values(row, path))


def _pattern(text: str, *, whole: bool) -> re.Pattern[str]:
    """`*` stands for anything; `[[]` for a bracket."""
    body = ".*".join(re.escape(part) for part in text.replace("[[]", "[").replace("%", "*").split("*"))
    return re.compile(f"^{body}$" if whole else body, re.IGNORECASE | re.DOTALL)


def _matches(path: str, pattern: re.Pattern[str]) -> Test:
    return lambda row: any(isinstance(value, str) and pattern.search(value) for value in values(row, path))
