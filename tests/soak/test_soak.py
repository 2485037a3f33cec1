"""A few agreements for some months, and what the verdict says of a life that is not as it should be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.soak.life import Month, live
from tests.soak.verdict import problems


def test_some_months_with_faults_keep_memory_threads_and_files_as_they_are(tmp_path: Path) -> None:
    months = list(live(tmp_path, agreements=8, lines=2, months=3, seed=1, every_days=6))

    assert problems(months) == []
    assert months[-1].rows["charge"] > months[0].rows["charge"] > 0, "something was charged each month"


def month(number: int) -> Month:
    rows = {"charge": 100 * number, "billing_unit": 100}
    return Month(
        number=number,
        rss_mb=100.0,
        threads=1,
        files=20,
        rows=rows,
        store_mb=float(number),
        asked={"stripe": 500},
        quiet_asked=10,
        cpu_s=10.0,
        quiet_cpu_s=0.5,
        wall_s=20.0,
    )


def test_what_grows_is_named() -> None:
    calm = [month(number) for number in range(1, 10)]
    leaking = [replace(one, rss_mb=100 + 20 * one.number, threads=one.number, files=20 + one.number) for one in calm]
    slowing = [replace(one, quiet_asked=10 * one.number, quiet_cpu_s=0.5 * one.number) for one in calm]
    hoarding = [replace(one, rows={"charge": 100 * one.number**2, "billing_unit": 100 * one.number}) for one in calm]

    assert problems(calm) == []
    assert [said.split(" grew")[0] for said in problems(leaking)] == ["memory", "threads", "files"]
    assert [said.split(" grew")[0] for said in problems(slowing)] == ["a round with nothing to do"] * 2
    assert [said.split(" ")[0].rstrip(":") for said in problems(hoarding)] == ["billing_unit", "charge"]
