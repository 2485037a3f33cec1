"""The documents name everything that there is, and nothing that there is not."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import typer.main

from connector.cli import app
from connector.config.adapters import find_adapter
from connector.config.model import Config
from connector.config.tables import settings_rows
from tests.architecture.source import ROOT, name_of, python_files

DOCUMENTS = [
    file for file in ROOT.rglob("*.md") if ".venv" not in file.parts and "_cache" not in str(file) and ".demo" not in file.parts
]
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
NAMED_TEST = re.compile(r"`(test_\w+)`")
SPOKEN = re.compile(r"`(?:\.venv/bin/)?connector ([a-z-]+)|^(?:docker compose \S.* )?connector ([a-z-]+)", re.MULTILINE)


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    missing = [name for name in _commands() if f"| `connector {name}` |" not in text]

    assert missing == [], f"README.md's table of commands lacks: {missing}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_document_speaks_of_commands_that_exist(document: Path) -> None:
    said = {first or second for first, second in SPOKEN.findall(document.read_text())}

    assert said <= _commands()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_in_a_document_lead_somewhere(document: Path) -> None:
    dead = [target for target in LINK.findall(document.read_text()) if not (document.parent / target).exists()]

    assert dead == []


def test_the_tests_that_documents_name_as_their_proof_exist() -> None:
    named = {name for document in DOCUMENTS for name in NAMED_TEST.findall(document.read_text())}
    files = python_files("tests")
    there = {name for file in files for name in re.findall(r"^ *def (test_\w+)\(", file.read_text(), re.MULTILINE)}

    assert named - there - {file.stem for file in files} == set()


def test_every_row_of_what_happens_when_says_what_to_do_and_names_its_proof() -> None:
    _, _, rest = (ROOT / "config" / "README.md").read_text().partition("## What happens when")
    rows = [line.strip("| ").split(" | ") for line in rest.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    events = [row for row in rows[1:] if not row[0].startswith("**")]
    bare = [row[0] for row in events if len(row) != 4 or not NAMED_TEST.search(row[3])]

    assert len(events) > 20
    assert bare == []


def test_the_readme_of_the_configuration_names_every_setting() -> None:
    text = (ROOT / "config" / "README.md").read_text()
    specs = [find_adapter(found.name) for found in entry_points(group="psa_connector.adapters")]
    rows = [
        *settings_rows(Config, ""),
        *(row for spec in specs for row in settings_rows(spec.settings, f"{spec.role}.settings.")),
    ]
    missing = [name for name, *_ in rows if f"| {name} |" not in text]

    assert missing == [], f"config/README.md lacks: {missing} (python -m connector.config.schema writes its tables)"


def test_every_command_and_option_has_its_help() -> None:
    silent = [
        f"{name} {parameter.name}"
        for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
        for parameter in command.params
        if not getattr(parameter, "help", "x")
    ]

    assert silent == []


def test_the_change_log_tells_of_this_version() -> None:
    import connector

    assert f"## {connector.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def _commands() -> set[str]:
    return set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
