"""What a field mapping may set, declared by the adapter; and how the adapter reads records through it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from connector.errors import ConnectorError


class FieldType(StrEnum):
    TEXT = "text"
    DECIMAL = "decimal"
    INTEGER = "integer"
    DATE = "date"
    BOOLEAN = "boolean"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldSpec:
    """One field of ours. `choices` closes a TEXT field to these words. `doc` is shown to the admin."""

    name: str
    type: FieldType
    required: bool = False
    choices: tuple[str, ...] = ()
    doc: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SectionSpec:
    """One kind of record. `filtered`: the section may have `take:` conditions."""

    name: str
    fields: tuple[FieldSpec, ...]
    filtered: bool = False
    doc: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class MappingSpec:
    adapter: str
    sections: tuple[SectionSpec, ...]


class FieldError(ConnectorError):
    """A record could not be read through the mapping. `field` is ours; `place` is file:line:column of the rule."""

    def __init__(self, message: str, *, field: str, place: str) -> None:
        super().__init__(message)
        self.field = field
        self.place = place


class Section(Protocol):
    def takes(self, record: Mapping[str, Any]) -> bool:
        """Whether every `take:` condition holds (true where there is none). Raises FieldError."""

    def read(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Our fields by name: str, Decimal, int, date, bool or None. Raises FieldError naming the field and the rule."""

    def sets(self, field: str) -> bool:
        """Whether the mapping has a rule for this field."""


class FieldMapping(Protocol):
    def section(self, name: str) -> Section: ...
