"""A simulated year; a table by month, and exit code 1 when something grows that should not.

make soak                           2,000 agreements, 12 months: about half an hour
make soak AGREEMENTS=200 MONTHS=6   a smaller one
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path

import structlog

from tests.soak.life import Month, live
from tests.soak.verdict import header, line, problems


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    agreements, months = int(os.environ.get("AGREEMENTS", "2000")), int(os.environ.get("MONTHS", "12"))
    lines, seed = int(os.environ.get("LINES", "3")), int(os.environ.get("SEED", "1"))
    print(f"{agreements} agreements, {months} months, seed {seed}\n{header()}", flush=True)
    seen: list[Month] = []
    with tempfile.TemporaryDirectory() as folder:
        for month in live(Path(folder), agreements=agreements, lines=lines, months=months, seed=seed):
            print(line(month, seen[-1] if seen else None), flush=True)
            seen.append(month)
    print("Rows: " + ", ".join(f"{table} {rows}" for table, rows in sorted(seen[-1].rows.items()) if rows))
    found = problems(seen)
    print("\n".join(found) or "Nothing grows that should not.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
