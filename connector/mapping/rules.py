"""Rules compiled from YAML, and how they read a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

from connector.mapping.convert import TO_TYPE, NotConvertible, key_of, same
from connector.mapping.spec import FieldError, FieldSpec, MappingSpec

_NOTHING = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One way to get a value; `fallback` is the rule under `else:`. `place` is file:line:column."""

    place: str
    path: ParsedResult | None
    constant: Any
    values: Mapping[str, Any] | None
    convert: Callable[[Any], Any] | None
    default: Any
    fallback: Rule | None

    def get(self, record: Mapping[str, Any], field: str) -> Any:
        found = self.constant if self.path is None else _search(self.path, record, field, self.place)
        if found is None or (found == "" and self.fallback is not None):
            return self._missing(record, field)
        if self.convert is not None:
            found = _converted(self.convert, found, field, self.place)
        return self._valued(found, field) if self.values is not None else found

    def _missing(self, record: Mapping[str, Any], field: str) -> Any:
        if self.fallback is not None:
            return self.fallback.get(record, field)
        return None if self.default is _NOTHING else self.default

    def _valued(self, found: Any, field: str) -> Any:
        assert self.values is not None  # noqa: S101 - asked before
        known = self.values.get(_key(found, field, self.place), _NOTHING)
        if known is not _NOTHING:
            return known
        if self.default is not _NOTHING:
            return self.default
        words = ", ".join(sorted(self.values))
        raise FieldError(f"{self.place}: {field}: {found!r} is none of the known values ({words})", field=field, place=self.place)


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One line of `take:`."""

    place: str
    path: ParsedResult
    test: str  # is, is_not, in, not_in, exists
    wanted: Any

    def holds(self, record: Mapping[str, Any]) -> bool:
        found = _search(self.path, record, "take", self.place)
        match self.test:
            case "exists":
                return (found is not None and found != "") is self.wanted
            case "is":
                return same(found, self.wanted)
            case "is_not":
                return not same(found, self.wanted)
            case "in":
                return any(same(found, wanted) for wanted in self.wanted)
            case _:
                return not any(same(found, wanted) for wanted in self.wanted)


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    spec: FieldSpec
    rule: Rule | None

    def read(self, record: Mapping[str, Any]) -> Any:
        found = self.rule.get(record, self.spec.name) if self.rule is not None else None
        if found is None or (found == "" and self.spec.required):
            return self._absent()
        assert self.rule is not None  # noqa: S101 - something was found
        value = _converted(TO_TYPE[self.spec.type], found, self.spec.name, self.rule.place)
        if self.spec.choices and value not in self.spec.choices:
            words = ", ".join(self.spec.choices)
            raise FieldError(
                f"{self.rule.place}: {self.spec.name}: {value!r} is none of {words}", field=self.spec.name, place=self.rule.place
            )
        return value

    def _absent(self) -> None:
        if self.spec.required:
            place = self.rule.place if self.rule else ""
            raise FieldError(f"{place}: {self.spec.name}: the record has no value here", field=self.spec.name, place=place)


@dataclass(frozen=True, kw_only=True, slots=True)
class CompiledSection:
    """Implements `connector.mapping.spec.Section`."""

    fields: tuple[Field, ...]
    conditions: tuple[Condition, ...]

    def takes(self, record: Mapping[str, Any]) -> bool:
        return all(condition.holds(record) for condition in self.conditions)

    def read(self, record: Mapping[str, Any]) -> dict[str, Any]:
        return {field.spec.name: field.read(record) for field in self.fields}

    def sets(self, field: str) -> bool:
        return any(known.spec.name == field and known.rule is not None for known in self.fields)


@dataclass(frozen=True, kw_only=True, slots=True)
class CompiledMapping:
    """Implements `connector.mapping.spec.FieldMapping`."""

    spec: MappingSpec
    sections: Mapping[str, CompiledSection]

    def section(self, name: str) -> CompiledSection:
        return self.sections[name]


def nothing() -> Any:
    """Stands for 'no default given'; null is a default of its own."""
    return _NOTHING


def _search(path: ParsedResult, record: Mapping[str, Any], field: str, place: str) -> Any:
    try:
        return path.search(record)
    except (JMESPathError, TypeError, ValueError) as error:
        raise FieldError(f"{place}: {field}: {error}", field=field, place=place) from None


def _converted(convert: Callable[[Any], Any], found: Any, field: str, place: str) -> Any:
    try:
        return convert(found)
    except NotConvertible as error:
        raise FieldError(f"{place}: {field}: {error}", field=field, place=place) from None


def _key(found: Any, field: str, place: str) -> str:
    try:
        return key_of(found)
    except NotConvertible as error:
        raise FieldError(f"{place}: {field}: {error}", field=field, place=place) from None
