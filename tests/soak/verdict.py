"""What a long life must look like: flat where nothing is kept, a straight line where the past is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from tests.soak.life import Month

WARM = 2  # months until everything was loaded, and the first bills of every cycle were seen
MEMORY_MB = 8.0  # noise of the allocator
MEMORY_SHARE = 0.25
CPU_SHARE = 0.6  # of a quiet round, which other work on the machine disturbs
CPU_S = 0.1
ROWS_SHARE = 0.5
KEPT = ("charge", "ledger_entry", "ledger_fee", "delivery", "link", "audit", "hold", "balance_entry", "balance_booking")


def header() -> str:
    return (
        "month   memory  threads  files     rows (new)   store (new)    requests: PSA  gateway   books"
        "   quiet round      CPU   quiet CPU      wall"
    )


def line(month: Month, before: Month | None) -> str:
    rows, new = sum(month.rows.values()), sum(month.rows.values()) - (sum(before.rows.values()) if before else 0)
    store = month.store_mb - (before.store_mb if before else 0)
    asked = [month.asked.get(name, 0) for name in ("connectwise", "stripe", "quickbooks")]
    return (
        f"{month.number:5} {month.rss_mb:6.1f}MB {month.threads:8} {month.files:6} {rows:8} {new:7}"
        f" {month.store_mb:6.1f}MB {store:5.1f} {asked[0]:15} {asked[1]:8} {asked[2]:7} {month.quiet_asked:13}"
        f" {month.cpu_s:7.1f}s {month.quiet_cpu_s:10.2f}s {month.wall_s:8.1f}s"
    )


def problems(months: Sequence[Month]) -> list[str]:
    """One sentence for each slope."""
    warm = months[WARM - 1 :]
    return [*_flat(warm), *_straight(warm)] if len(warm) > 1 else []


def _flat(months: Sequence[Month]) -> Iterator[str]:
    """The last third beside the first one: what is kept for each month that passed shows there."""
    first, last = _ends(months)
    memory = [median(month.rss_mb for month in part) for part in (first, last)]
    if memory[1] > memory[0] * (1 + MEMORY_SHARE) + MEMORY_MB:
        yield f"memory grew from {memory[0]:.1f} to {memory[1]:.1f} MB"
    cpu = [median(month.quiet_cpu_s for month in part) for part in (first, last)]
    if cpu[1] > cpu[0] * (1 + CPU_SHARE) + CPU_S:
        yield f"a round with nothing to do grew from {cpu[0]:.2f} to {cpu[1]:.2f} seconds of CPU"
    asked = [median(month.quiet_asked for month in part) for part in (first, last)]
    if asked[1] > asked[0] * 1.1 + 5:
        yield f"a round with nothing to do grew from {asked[0]:.0f} to {asked[1]:.0f} requests"
    for what in ("threads", "files"):
        begun, ended = (max(getattr(month, what) for month in part) for part in (first, last))
        if ended > begun:
            yield f"{what} grew from {begun} to {ended}"


def _straight(months: Sequence[Month]) -> Iterator[str]:
    """What a month adds to the store is the same in the end as in the beginning; what is no record of the past adds nothing."""
    first, last = months[0], months[-1]
    for table in sorted(last.rows):
        new = [after.rows[table] - before.rows[table] for before, after in pairwise(months)]
        begun, ended = new[0], new[-1]
        if table in KEPT and ended > begun * (1 + ROWS_SHARE) + 20:
            yield f"{table}: {ended} new rows in the last month, {begun} in the first"
        if table not in KEPT and last.rows[table] > first.rows[table] * (1 + ROWS_SHARE) + 20:
            yield f"{table} grew from {first.rows[table]} to {last.rows[table]} rows, and is no record of the past"


def _ends(months: Sequence[Month]) -> tuple[Sequence[Month], Sequence[Month]]:
    third = max(len(months) // 3, 1)
    return months[:third], months[-third:]
