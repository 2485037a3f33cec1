"""Names for what the partners number: by what it says, since the order in which things are made may be another one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

_ID = re.compile(r"\b[a-z]+_(?:test_)?[A-Za-z0-9]{10,}")
_ENTERED = ("JournalEntry", "Transfer", "Payment", "Deposit")  # each names only what stands before it
_JOURNAL = re.compile(r"\bjournal:(\d+)")
_DEPTH = 4  # so far an object is told from another by what it points to


def renamed(found: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(_stripe_renamed(json.dumps(found, sort_keys=True), found.get("stripe", {})))
    return _books_renamed(plain)


def _stripe_renamed(text: str, stripe: dict[str, Any]) -> str:
    said: dict[str, str] = {}
    for row in _objects(stripe):
        said[row["id"]] = said.get(row["id"], "") + json.dumps(row, sort_keys=True)
    for customer in stripe.get("customer", []):  # begins the numbers of its invoices
        text = text.replace(str(customer["invoice_prefix"]), customer["id"] + "'s")
        said = {id: one.replace(str(customer["invoice_prefix"]), customer["id"]) for id, one in said.items()}
    names = dict.fromkeys(said, "")
    for _ in range(_DEPTH):
        names = {id: f"{id.partition('_')[0]} {_digest(_with(names, one))}" for id, one in said.items()}
    return _with(names, text)


def _with(names: dict[str, str], text: str) -> str:
    return _ID.sub(lambda match: names.get(match[0], match[0]), text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Everything with an id, at whatever depth."""
    if isinstance(value, dict):
        if isinstance(value.get("id"), str) and _ID.fullmatch(value["id"]):
            yield value
        for one in value.values():
            yield from _objects(one)
    elif isinstance(value, list):
        for one in value:
            yield from _objects(one)


def _books_renamed(found: dict[str, Any]) -> dict[str, Any]:
    names: dict[str, str] = {}
    for table in _ENTERED:
        for row in found["quickbooks"].get(table, []):
            for line in row.get("Line", []):
                line.pop("LineEx", None)  # the partner's own numbers
                _linked(line, names)
            said = {name: value for name, value in row.items() if name not in ("Id", "MetaData", "SyncToken", "LinkedTxn")}
            names[row["Id"]] = f"{table} {_digest(json.dumps(said, sort_keys=True))}"
            row["Id"] = "its own"
    for rows in found["quickbooks"].values():
        for row in rows if isinstance(rows, list) else []:
            _linked(row, names)
    _rename(found["store"], names)
    return found


def _linked(row: dict[str, Any], names: dict[str, str]) -> None:
    for link in row.get("LinkedTxn", []):
        if link["TxnType"] in _ENTERED:
            link["TxnId"] = names.get(link["TxnId"], link["TxnId"])


def _rename(store: dict[str, list[dict[str, Any]]], names: dict[str, str]) -> None:
    for row in store.get("link", []):
        if row["target_system"] == "quickbooks":
            row["target"] = _name(row["target"], names)
    for row in store.get("delivery", []):
        if row["target"].startswith("books:"):
            row["external_id"] = _name(row["external_id"], names)
            row["note"] = _told(row["note"], names)
    for row in store.get("audit", []):
        after = row["after"] if isinstance(row["after"], dict) else {}
        if "id" in after:
            after["id"] = _name(after["id"], names)
        if "note" in after:
            after["note"] = _told(after["note"], names)


def _told(note: str, names: dict[str, str]) -> str:
    return _JOURNAL.sub(lambda match: names.get(match[1], match[0]), note)


def _name(id: Any, names: dict[str, str]) -> Any:
    """`4`, or `journal:4`."""
    return names.get(str(id).rpartition(":")[2], id)
