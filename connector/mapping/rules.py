"""Rules compiled from YAML, and how they read a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from jmespath.exceptions import JMESPathError

from connector.mapping.convert import TO_TYPE, NotConvertible, is_empty, shown, word_of
from connector.mapping.paths import FieldPath
from connector.mapping.spec import FieldError, FieldSpec, MappingSpec


class Nothing(Enum):
    """No default was written; `default: null` is a default of its own."""

    NOTHING = "nothing"


NOTHING: Final = Nothing.NOTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One way to get a value; `fallback` is the rule under `else:`. `place` is file:line:column."""

    place: str
    path: FieldPath | None
    constant: Any = None
    values: Mapping[str, Any] | None = None
    convert: Callable[[Any], Any] | None = None
    default: Any = NOTHING
    fallback: Rule | None = None

    def get(self, record: Mapping[str, Any], field: str) -> Any:
        """The value before it is made the field's type; None when the record has none."""
        if self.path is None:
            return self.constant
        found = _search(self.path, record, field, self.place)
        if is_empty(found):
            return self._missing(record, field)
        if self.convert is not None:
            found = _converted(self.convert, found, field, self.place)
        return found if self.values is None else self._valued(found, self.values, field)

    def _missing(self, record: Mapping[str, Any], field: str) -> Any:
        found = self.fallback.get(record, field) if self.fallback is not None else None
        return (None if self.default is NOTHING else self.default) if found is None else found

    def _valued(self, found: Any, values: Mapping[str, Any], field: str) -> Any:
        word = _converted(word_of, found, field, self.place)
        if word in values:
            return values[word]
        if self.default is not NOTHING:
            return self.default
        words = ", ".join(repr(known) for known in sorted(values))
        raise _field_error(
            self.place, field, f"{shown(found)} is none of the known values ({words}); add it under values:, or a default:"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One line of `take:`. `words` are the wanted values as `word_of` writes them."""

    place: str
    path: FieldPath
    test: str  # is, is_not, in, not_in, exists
    words: frozenset[str] = frozenset()
    present: bool = True  # of exists

    def holds(self, record: Mapping[str, Any]) -> bool:
        found = _search(self.path, record, "take", self.place)
        empty = is_empty(found)
        if self.test == "exists":
            return empty is not self.present
        hit = not empty and _converted(word_of, found, "take", self.place) in self.words
        return hit if self.test in ("is", "in") else not hit


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    spec: FieldSpec
    rule: Rule | None

    def read(self, record: Mapping[str, Any]) -> Any:
        if self.rule is None:
            return None
        found = self.rule.get(record, self.spec.name)
        if is_empty(found):
            return self._absent(self.rule.place)
        value = _converted(TO_TYPE[self.spec.type], found, self.spec.name, self.rule.place)
        if self.spec.choices and value not in self.spec.choices:
            words = ", ".join(self.spec.choices)
            raise _field_error(
                self.rule.place, self.spec.name, f"{shown(value)} is not one of {words}; translate it with values:"
            )
        return value

    def _absent(self, place: str) -> None:
        if self.spec.required:
            raise _field_error(place, self.spec.name, "the record has no value here; fill it in, or add an else: or a default:")


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


def _search(path: FieldPath, record: Mapping[str, Any], field: str, place: str) -> Any:
    try:
        return path.search(record)
    except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        told = str(error).splitlines() or [type(error).__name__]
        raise _field_error(place, field, f"the path does not fit this record: {told[0]}") from None


def _converted(convert: Callable[[Any], Any], found: Any, field: str, place: str) -> Any:
    try:
        return convert(found)
    except NotConvertible as error:
        raise _field_error(place, field, str(error)) from None


def _field_error(place: str, field: str, message: str) -> FieldError:
    return FieldError(f"{place}: {field}: {message}", field=field, place=place)
