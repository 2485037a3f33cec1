"""What is left at the partners and in the store, without what each process or attempt has of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from adapters.sandbox.world import World
from connector.store import schema
from tests.crash.names import renamed

_EACH_PROCESS_ITS_OWN = {"lease", "budget", "token", "freshness", "cursor"}
_EACH_ATTEMPT_ITS_OWN = {"id", "attempt", "attempts", "claims", "lease_token", "lease_expires", "run_at", "who"}
_COUNTED = (("quickbooks", "tokens"), ("autotask", "budget"), ("stripe", "events"))
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[-+Z:.\d]*")


def left(folder: Path, world: World) -> dict[str, Any]:
    partners = {name: part for name, part in world.state().items() if name not in ("now", "seed")}
    text = json.dumps({**partners, "store": stored(folder)}, sort_keys=True, default=str)
    plain: dict[str, Any] = json.loads(_TIME.sub("some time", re.sub(r"127\.0\.0\.1:\d+", "sandbox", text)))
    for partner, counts in _COUNTED:  # a token may be renewed, or something read, once more
        plain.get(partner, {}).pop(counts, None)
    return renamed(_timeless(plain))


def _timeless(value: Any) -> Any:
    """Seconds since 1970 are times too, and a digest is of what names one."""
    if isinstance(value, dict):
        return {key: "its own" if key == "digest" else _timeless(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_timeless(one) for one in value]
    return "some time" if isinstance(value, int) and 1_600_000_000 < value < 2_200_000_000 else value


def stored(folder: Path) -> dict[str, list[dict[str, Any]]]:
    if not (folder / "connector.db").exists():
        return {}
    engine = sa.create_engine(f"sqlite:///{folder}/connector.db")
    try:
        with engine.connect() as tx:
            names = set(sa.inspect(tx).get_table_names())
            tables = [table for table in schema.link.metadata.sorted_tables if table.name in names - _EACH_PROCESS_ITS_OWN]
            return {table.name: _rows(tx, table) for table in tables}
    finally:
        engine.dispose()


def _rows(tx: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    kept = [column for column in table.columns if column.name not in _EACH_ATTEMPT_ITS_OWN or _is_text_key(column)]
    rows = [dict(row._mapping) for row in tx.execute(sa.select(*kept))]
    if table.name == "link":  # nothing noted, and an empty note, mean the same
        rows = [{**row, "detail": {name: value for name, value in row["detail"].items() if value}} for row in rows]
        rows = [{**row, "state": "", "target": ""} if row["kind"] == "reduction" else row for row in rows]
    return sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))


def _is_text_key(column: sa.Column[Any]) -> bool:
    return column.name == "id" and column.type.python_type is str


def differences(expected: Any, got: Any, where: str = "") -> list[str]:
    if isinstance(expected, dict) and isinstance(got, dict):
        keys = sorted({*expected, *got})
        return [d for key in keys for d in differences(expected.get(key), got.get(key), f"{where}/{key}")]
    if isinstance(expected, list) and isinstance(got, list):
        return _of_lists(expected, got, where)
    return [] if expected == got else [f"{where}: {str(got)[:200]} instead of {str(expected)[:200]}"]


def _of_lists(expected: list[Any], got: list[Any], where: str) -> list[str]:
    extra, missing = _without(got, expected), _without(expected, got)
    if where == "/store/audit":
        extra, missing = [], [row for row in missing if not any(_tells_too(other, row) for other in extra)]
    if not extra and not missing:
        return []
    if len(extra) == len(missing) == 1 and isinstance(missing[0], dict):
        return differences(missing[0], extra[0], f"{where}/{expected.index(missing[0])}")
    return [f"{where}: {len(got)} instead of {len(expected)}; more: {str(extra)[:300]}; missing: {str(missing)[:300]}"]


def _without(rows: list[Any], others: list[Any]) -> list[Any]:
    """Each of the others takes one away."""
    rest = list(others)
    return [row for row in rows if row not in rest or rest.remove(row)]  # type: ignore[func-returns-value]


def _tells_too(row: dict[str, Any], missing: dict[str, Any]) -> bool:
    """After a kill the charge was found as released or written off; a retried step may say so in a line of its own. What was
    recovered before the kill is not recovered once more."""
    if missing["what"] == row["what"] == "recovered the store":
        return True
    verb, _, charge = missing["what"].rpartition(" ")
    return verb in ("released charge", "written_off charge") and row["what"].startswith("found ") and row["what"].endswith(charge)
