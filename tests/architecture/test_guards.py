"""Every reason for which the agent holds a charge is proved by a test that runs the whole agent."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from tests.architecture.source import ROOT, python_files


def test_every_hold_is_in_a_test_of_the_whole_agent() -> None:
    shown = "".join(file.read_text() for file in python_files("tests/e2e"))
    names = {name for file in python_files("connector") for name in _reasons(file) if name}
    bare = sorted(name for name in names if f'"{name}"' not in shown)

    assert len(names) > 25
    assert bare == [], f"no test of tests/e2e expects: {bare}"


def _reasons(file: Path) -> Iterator[str]:
    """Empty where the name is a variable's: one that stands elsewhere."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Reason":
            yield from (_value(file, keyword.value) for keyword in node.keywords if keyword.arg == "name")


def _value(file: Path, node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=constant):
            module = import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
            return str(getattr(module, constant))
    return ""
