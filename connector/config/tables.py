"""The tables of config/README.md and mappings/README.md, between marks in those files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from connector.config.model import Config
from connector.config.plain import model_in
from connector.config.secret import Secret
from connector.mapping.spec import FieldSpec, SectionSpec
from connector.ports import AdapterSpec

Row = tuple[str, ...]
A_SECRET = "`{file: PATH}` or `{env: NAME}`"  # noqa: S105 - where one stands


def settings_tables(adapters: list[AdapterSpec]) -> dict[str, str]:
    """By mark: the configuration, and the settings of each adapter."""
    head = ("setting", "meaning", "default")
    tables = {"settings": _table(head, settings_rows(Config, ""))}
    for spec in adapters:
        tables[f"settings of {spec.name}"] = _table(head, settings_rows(spec.settings, f"{spec.role}.settings."))
    return tables


def mapping_tables(adapters: list[AdapterSpec]) -> dict[str, str]:
    """By mark: the fields of each section of each adapter that has a field mapping."""
    specs = [spec.mapping for spec in adapters if spec.mapping is not None]
    return {f"fields of {spec.adapter}": "\n\n".join(map(_section, spec.sections)) for spec in specs}


def settings_rows(model: type[BaseModel], prefix: str) -> Iterator[Row]:
    """One row per setting, those of a part after the part itself."""
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        yield f"`{prefix}{name}`", _meaning(field, inner), _default(field, inner)
        if inner is not None and inner is not Secret and inner is not BaseModel:
            of_many = "ID." if get_origin(field.annotation) is dict else ""
            yield from settings_rows(inner, f"{prefix}{name}.{of_many}")


def replaced(path: Path, tables: Mapping[str, str]) -> str:
    """The file's text with what stands between `<!-- NAME -->` and `<!-- end -->` made anew. ValueError for a missing mark."""
    text = path.read_text()
    for name, table in tables.items():
        mark = re.compile(rf"(?s)(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)")
        if not mark.search(text):
            raise ValueError(f"{path} has no place for the table '{name}': add <!-- {name} --> and <!-- end -->")
        text = mark.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)  # type: ignore[misc]
    return text


def _meaning(field: FieldInfo, inner: type[BaseModel] | None) -> str:
    words = [field.description or ""] if field.description else []
    return " ".join([*words, f"{A_SECRET}."] if inner is Secret else words)


def _default(field: FieldInfo, inner: type[BaseModel] | None) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    return "" if inner is not None and default is not None else f"`{_yaml(default)}`"


def _yaml(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
        case tuple() | list():
            return f"[{', '.join(map(_yaml, value))}]"
        case "":
            return '""'
    return str(value)


def _section(spec: SectionSpec) -> str:
    filtered = " It may have `take:`." if spec.filtered else ""
    rows = [(f"`{field.name}`", _kind(field), "yes" if field.required else "", field.doc) for field in spec.fields]
    record = spec.doc.rstrip(".")
    return f"#### `{spec.name}`\nRecord: {record}.{filtered}\n\n" + _table(("field", "holds", "required", "meaning"), rows)


def _kind(field: FieldSpec) -> str:
    return ", ".join(f"`{word}`" for word in field.choices) if field.choices else str(field.type)


def _table(head: Row, rows: Any) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
