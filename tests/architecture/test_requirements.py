"""What is installed is pinned, hashed, and says nothing of where it came from."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.source import ROOT

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+) \\$", re.MULTILINE)
FILES = ("requirements.txt", "requirements-dev.txt", "requirements-build.txt")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DEPENDENCIES = PROJECT["project"]["dependencies"]
DEVELOPMENT = PROJECT["project"]["optional-dependencies"]["dev"]


def pins(name: str) -> dict[str, str]:
    return {canonicalize_name(package): version for package, version in PINNED.findall((ROOT / name).read_text())}


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    text = (ROOT / name).read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]

    assert len(lines) == len(pins(name))
    assert len(re.findall(r" \\\n    --hash=sha256:[0-9a-f]{64}", text)) >= len(lines)


@pytest.mark.parametrize("name", FILES)
def test_no_address_is_in_it(name: str) -> None:
    assert re.findall(r"://|--(?:index|extra-index|find-links|trusted)|(?<![\w.])/\w", (ROOT / name).read_text()) == []


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("requirements.txt", DEPENDENCIES), ("requirements-dev.txt", DEPENDENCIES + DEVELOPMENT)],
)
def test_what_the_project_asks_for_is_pinned_as_asked(name: str, wanted: list[str]) -> None:
    asked = [Requirement(text) for text in wanted]
    wrong = [str(one) for one in asked if not one.specifier.contains(pins(name).get(canonicalize_name(one.name), "0"))]

    assert wrong == [], f"make lock writes {name} anew"


def test_development_and_production_run_the_same_versions() -> None:
    development, production = pins("requirements-dev.txt"), pins("requirements.txt")

    assert {name: development.get(name) for name in production} == production
