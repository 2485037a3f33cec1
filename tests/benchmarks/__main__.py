"""What a round costs, counted in partner requests first and seconds second, as the number of agreements grows.

    make bench                      50, 200 and 800 agreements
    python -m tests.benchmarks 100  other numbers

Everything is compared within one run: seconds of two runs or two machines say little.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import structlog
from rich.console import Console
from rich.table import Table

from connector.agent import sync_once
from tests.e2e.msp import Msp, msp

LINES = 8
PARTNERS = ("connectwise", "stripe", "quickbooks")


def main(sizes: list[int]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    table = Table(title="One round of every flow", box=None, padding=(0, 2))
    for column in ("agreements", "round", *PARTNERS, "requests per agreement", "seconds"):
        table.add_column(column, justify="left" if column == "round" else "right")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder, msp(Path(folder), agreements=size, lines=LINES) as one:
            _measure(one, size, table)
    Console(width=140).print(table)


def _measure(one: Msp, size: int, table: Table) -> None:
    _round(one, size, table, "first: everything is set up")
    one.enrol()
    _round(one, size, table, "all payers have enrolled")
    sync_once(one.agent)
    _round(one, size, table, "nothing changed")
    _change_one(one)
    _round(one, size, table, "one quantity changed")
    one.to("2026-02-02")
    _round(one, size, table, "a new month: drafts wait")
    one.to("2026-02-17")
    _round(one, size, table, "charges fall due")
    one.to("2026-02-18")
    _round(one, size, table, "payments are written back")


def _change_one(one: Msp) -> None:
    additions = one.world.partners["connectwise"].state()["additions"]
    rows = additions.values() if isinstance(additions, dict) else additions
    line = next(row for row in rows if row["billCustomer"] == "Billable" and row["quantity"] >= 2)
    one.act("office.change_quantity", addition=line["id"], quantity=line["quantity"] + 1)


def _round(one: Msp, size: int, table: Table, what: str) -> None:
    before = len(one.world.requests)
    started = time.perf_counter()
    sync_once(one.agent)
    seconds = time.perf_counter() - started
    counted = Counter(row["partner"] for row in list(one.world.requests)[before:])
    total = sum(counted.values())
    table.add_row(str(size), what, *(str(counted[partner]) for partner in PARTNERS), f"{total / size:.2f}", f"{seconds:.1f}")


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [50, 200, 800])
