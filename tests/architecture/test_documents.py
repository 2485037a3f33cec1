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
from tests.architecture.source import ROOT, name_of

DOCUMENTS = [
    file for file in ROOT.rglob("*.md") if ".venv" not in file.parts and "_cache" not in str(file) and ".demo" not in file.parts
]
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
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
