"""JSON patches as ConnectWise takes them: an array, paths without a leading slash, top-level fields only."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.connectwise.errors import bad_request, invalid
from adapters.sandbox.connectwise.tables import Row

_DERIVED = {"id", "_info", "agreementStatus", "nextInvoiceDate", "billedQuantity", "extPrice", "extCost", "margin"}


def changes(operations: Any, *, resource: str, row: Row, fields: frozenset[str], required: frozenset[str]) -> Row:
    """Field -> value, None for what is taken away. Raises Refusal."""
    if not isinstance(operations, list):
        raise bad_request("A patch is an array of operations")
    found: Row = {}
    for operation in operations:
        path, value = _operation(operation)
        if "/" in path.strip("/") and not path.startswith("/"):
            continue  # inside a reference: answered with success, and nothing is changed
        if path not in fields or path in _DERIVED:
            raise invalid(resource, path, "InvalidField", f"{path} cannot be patched")
        if value is None and path in required:
            raise invalid(resource, path, "MissingRequired", f"{path} is required")
        found[path] = _custom_fields(value, row) if path == "customFields" else value
    return found


def _operation(operation: Any) -> tuple[str, Any]:
    if not isinstance(operation, dict) or not {"op", "path"} <= operation.keys():
        raise bad_request("An operation has op, path and value")
    match operation["op"]:
        case "remove":
            return str(operation["path"]), None
        case "replace" | "add":
            return str(operation["path"]), operation.get("value")
    raise bad_request(f"op must be add, replace or remove, not {operation['op']!r}")


def _custom_fields(sent: Any, row: Row) -> list[Row]:
    """The entire array: a field that was left out loses its value."""
    if not isinstance(sent, list) or not all(isinstance(field, dict) and "id" in field for field in sent):
        raise invalid("customFields", "customFields", "InvalidType", "customFields must be the entire array")
    values = {field["id"]: field.get("value") for field in sent}
    return [_with_value(field, values.get(field["id"])) for field in row.get("customFields", [])]


def _with_value(field: Row, value: Any) -> Row:
    bare = {name: content for name, content in field.items() if name != "value"}
    return bare if value is None else {**bare, "value": value}
