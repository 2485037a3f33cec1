"""JSON Schemas for editors, and the tables of the two READMEs, made from the models so that they cannot go stale.

`python -m connector.config.schema` writes them into the checkout; a test says when that was forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import connector
from connector.config.adapters import GROUP, find_adapter
from connector.config.load import OPTIONAL_PARTS, ROLES
from connector.config.model import Config
from connector.config.tables import mapping_tables, replaced, settings_tables
from connector.mapping.convert import CONVERTERS
from connector.mapping.spec import FieldSpec, FieldType, MappingSpec, SectionSpec
from connector.ports import AdapterSpec

ROOT = Path(connector.__file__).parent.parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SECRET = {
    "type": "object",
    "description": "Where the secret stands: a file, or an environment variable.",
    "additionalProperties": False,
    "properties": {"file": {"type": "string"}, "env": {"type": "string"}},
    "oneOf": [{"required": ["file"]}, {"required": ["env"]}],
}
SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
BY_TYPE: dict[FieldType, dict[str, Any]] = {
    FieldType.TEXT: SCALAR,
    FieldType.DECIMAL: {"type": ["number", "string"]},
    FieldType.INTEGER: {"type": ["integer", "string"]},
    FieldType.DATE: {"type": "string", "format": "date"},
    FieldType.BOOLEAN: {"type": ["boolean", "string"]},
}


def config_schema(adapters: list[AdapterSpec]) -> dict[str, Any]:
    """The configuration, with the settings of these adapters; other adapters' settings are left open."""
    schema = _untitled(Config.model_json_schema())
    for spec in adapters:
        settings = _untitled(spec.settings.model_json_schema())
        schema["$defs"] |= settings.pop("$defs", {})
        schema["$defs"][f"{spec.name}_settings"] = settings
    schema["$defs"]["Secret"] = SECRET
    schema["properties"]["database"]["type"] = ["string", "object"]
    for key in sorted(OPTIONAL_PARTS):
        part = schema["properties"][key]
        part["anyOf"] = [{"$ref": part.pop("$ref")}, {"type": "null"}]
    for key, role in ROLES.items():
        own = [spec for spec in adapters if spec.role is role]
        schema["properties"][key]["allOf"] = [_settings_of(spec) for spec in own]
    return {"$schema": DIALECT, "title": "Configuration of PSA Connector", **schema}


def mapping_schema(spec: MappingSpec) -> dict[str, Any]:
    """The field mapping of one adapter."""
    return {
        "$schema": DIALECT,
        "title": f"Field mapping of {spec.adapter}",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "adapter", "sections"],
        "properties": {
            "version": {"const": 1},
            "adapter": {"const": spec.adapter},
            "sections": _object({section.name: _section(section) for section in spec.sections}),
        },
    }


def ours() -> list[AdapterSpec]:
    """The adapters of this repository, by name."""
    names = {point.name for point in entry_points(group=GROUP) if point.value.startswith("adapters.")}
    return [find_adapter(name) for name in sorted(names)]


def generated(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file with its text."""
    adapters = ours()
    files = {root / "config/schema/connector.schema.json": _text(config_schema(adapters))}
    for spec in adapters:
        if spec.mapping is not None:
            files[root / f"config/schema/mapping-{spec.name}.schema.json"] = _text(mapping_schema(spec.mapping))
    files[root / "config/README.md"] = replaced(root / "config/README.md", settings_tables(adapters))
    files[root / "mappings/README.md"] = replaced(root / "mappings/README.md", mapping_tables(adapters))
    return files


def main() -> None:
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _settings_of(spec: AdapterSpec) -> dict[str, Any]:
    return {
        "if": {"properties": {"adapter": {"const": spec.name}}, "required": ["adapter"]},
        "then": {"properties": {"settings": {"$ref": f"#/$defs/{spec.name}_settings"}}},
    }


def _section(spec: SectionSpec) -> dict[str, Any]:
    fields = {field.name: _rule(field) for field in spec.fields}
    required = [field.name for field in spec.fields if field.required]
    parts: dict[str, Any] = {"fields": {**_object(fields), **({"required": required} if required else {})}}
    if spec.filtered:
        parts["take"] = {"type": "array", "items": _condition(), "description": "Every condition must hold."}
    return {**_object(parts), "description": f"Record: {spec.doc}"}


def _rule(field: FieldSpec) -> dict[str, Any]:
    constant = {"enum": list(field.choices)} if field.choices else BY_TYPE[field.type]
    or_none = constant if field.required else {"anyOf": [constant, {"type": "null"}, {"const": ""}]}
    by_path = {
        "from": {"type": "string", "description": "Path (JMESPath) into the record."},
        "convert": {"enum": sorted(CONVERTERS)},
        "values": {"type": "object", "additionalProperties": or_none, "minProperties": 1},
        "default": or_none,
        "else": {"type": "object", "description": "Another rule, used when this one finds no value."},
    }
    described = {"description": field.doc} if field.doc else {}
    rules = [{**_object({"value": or_none}), "required": ["value"]}, {**_object(by_path), "required": ["from"]}]
    return {**described, "oneOf": rules}


def _condition() -> dict[str, Any]:
    tests = {
        "is": SCALAR,
        "is_not": SCALAR,
        "in": {"type": "array", "items": SCALAR, "minItems": 1},
        "not_in": {"type": "array", "items": SCALAR, "minItems": 1},
        "exists": {"type": "boolean"},
    }
    one_test = [{"required": [test]} for test in tests]
    return {**_object({"from": {"type": "string"}, **tests}), "required": ["from"], "oneOf": one_test}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _untitled(schema: Any) -> Any:
    """Without the titles that pydantic makes from the names of fields, which say nothing new."""
    if isinstance(schema, dict):
        return dict(_kept(schema))
    return [_untitled(item) for item in schema] if isinstance(schema, list) else schema


def _kept(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in schema.items():
        if key != "title" or not isinstance(value, str):
            yield key, _untitled(value)


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
