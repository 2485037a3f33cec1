"""The project's own sources, as the architecture tests read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("connector", "adapters")
ALL = (*OURS, "tests")
# Left out of listings: what a checkout collects beside its sources.
MADE = {".git", ".venv", ".demo", "__pycache__", "build", "dist"}


def python_files(*folders: str) -> list[Path]:
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


def text_files() -> Iterator[Path]:
    """Whatever a person reads: sources, configuration, documents."""
    for file in sorted(ROOT.rglob("*")):
        named = file.suffix in {".py", ".md", ".yaml", ".json", ".toml", ".txt", ".mako"} or file.name in {
            "Makefile",
            "Dockerfile",
            "run",
        }
        inside = file.relative_to(ROOT).parts
        if file.is_file() and named and not MADE & set(inside) and not any(part.endswith("_cache") for part in inside):
            yield file


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def calls(file: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each call, such as `datetime.now`."""
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)
