"""What this project does not do, held by reading its sources."""

from __future__ import annotations

import ast
import re

from tests.architecture.source import ALL, OURS, calls, name_of, python_files, text_files, tree_of

CLOCK = "connector/clock.py"
ASKS_THE_TIME = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "dt.datetime.now"}
LEFT_OVER = ("TO" + "DO", "FIX" + "ME", "XX" + "X:")
UNUSED_WORDS = re.compile(r"\bmerchants?\b", re.IGNORECASE)
THIS_FILE = "tests/architecture/test_habits.py"


def test_the_time_of_day_comes_in_through_the_door() -> None:
    found = [
        f"{name_of(file)}:{line} {name}" for file in python_files(*OURS) for line, name in calls(file) if name in ASKS_THE_TIME
    ]

    assert [place for place in found if not place.startswith(CLOCK)] == []


def test_nothing_is_patched() -> None:
    found = [name_of(file) for file in python_files(*ALL) if _imports(file.read_text(encoding="utf-8"), "mock")]
    patched = [name_of(file) for file in python_files("tests") for _, name in calls(file) if name.endswith("monkeypatch.setattr")]

    assert found == []
    assert patched == []


def test_tests_do_not_sleep() -> None:
    found = [f"{name_of(file)}:{line}" for file in python_files("tests") for line, name in calls(file) if name == "time.sleep"]

    # Waiting for another process has no other way than looking again.
    assert [place for place in found if not place.startswith("tests/e2e/")] == []


def test_nothing_is_left_for_later() -> None:
    found = [
        f"{name_of(file)}: {word}" for file in text_files() for word in LEFT_OVER if word in file.read_text(encoding="utf-8")
    ]

    assert found == []


def test_no_file_names_the_machine_it_was_written_on() -> None:
    places = re.compile(r"(?<![\w.])/(?:work|root|opt/pypi)[/-]")
    found = [name_of(file) for file in text_files() if places.search(file.read_text(encoding="utf-8"))]

    assert [name for name in found if name != THIS_FILE] == []


def test_a_payer_is_called_a_payer() -> None:
    found = [name_of(file) for file in python_files(*OURS) if UNUSED_WORDS.search(file.read_text(encoding="utf-8"))]

    assert [name for name in found if "sandbox" not in name] == []


def test_no_error_is_swallowed() -> None:
    """`except ...: pass` says nothing to anyone; contextlib.suppress at least names what it lets go."""
    found = [
        f"{name_of(file)}:{node.lineno}"
        for file in python_files(*OURS)
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.ExceptHandler) and all(isinstance(said, ast.Pass) for said in node.body)
    ]

    assert found == []


def _imports(source: str, module: str) -> bool:
    return (
        re.search(rf"^\s*(?:import|from)\s+(?:unittest\.)?{module}\b|from unittest import .*\b{module}\b", source, re.M)
        is not None
    )
