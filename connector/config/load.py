"""From connector.yaml to a checked Config. Every problem is told with file, line, column and the allowed words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

import connector
from connector.config.adapters import find_adapter
from connector.config.model import Charging, Config, OwnCharging
from connector.config.plain import problems_of
from connector.config.secret import FOLDER, Secret
from connector.config.words import unknown
from connector.config.yaml import At, Document, read_yaml
from connector.errors import ConfigError, Problem
from connector.model.money import exponent
from connector.ports import AdapterSpec, Role

ROLES = {"psa": Role.PSA, "gateway": Role.GATEWAY, "books": Role.BOOKS}
SHIPPED = "shipped:"
SQLITE = "sqlite:///"
OPTIONAL_PARTS = frozenset(name for name, setting in Config.model_fields.items() if isinstance(setting.default, BaseModel))


def load_config(path: Path) -> Config:
    """ConfigError with every problem of the file, the adapters' own settings included."""
    return checked(read_yaml(path), folder=path.parent)


def checked(document: Document, *, folder: Path) -> Config:
    """The same from a document that was read already. Relative paths are relative to `folder`."""
    if not isinstance(document.value, dict):
        raise ConfigError(document.problem((), "here should stand settings; start from config/connector.example.yaml"))
    reading = _Reading(document=document, folder=folder.absolute())
    content = reading.content(document.value)
    try:
        config = Config.model_validate(content, context={FOLDER: reading.folder})
    except ValidationError as error:
        reading.problems += problems_of(error.errors(), document, (), Config)
    else:
        reading.problems += _fractions_of_cents(config, document)
    if reading.problems:
        raise ConfigError(*sorted(dict.fromkeys(reading.problems), key=lambda problem: (problem.line, problem.column)))
    return config


def shipped() -> list[str]:
    """Names of the field mappings that come with the agent."""
    return sorted(file.stem for file in _shipped_folder().glob("*.yaml"))


class _Unchecked(BaseModel):
    """Stands for settings whose problems were told already."""


@dataclass(kw_only=True)
class _Reading:
    """Turns what the file says into what Config takes, and notes what is wrong on the way."""

    document: Document
    folder: Path
    problems: list[Problem] = field(default_factory=list)

    def content(self, written: dict[str, Any]) -> dict[str, Any]:
        # A heading with everything below it commented out: the part's defaults.
        written = {key: value for key, value in written.items() if value is not None or key not in OPTIONAL_PARTS}
        parts = {role: self._connection(role, written[role]) for role in ROLES if isinstance(written.get(role), dict)}
        return {**written, **parts, "database": self._database(written.get("database", f"{SQLITE}connector.db"))}

    def _connection(self, role: str, part: dict[str, Any]) -> dict[str, Any]:
        """The part with its settings made by the adapter's own model."""
        part = dict(part)
        if isinstance(part.get("mapping"), str):
            part["mapping"] = self._mapping(part["mapping"], (role, "mapping"))
        spec = self._spec(role, part.get("adapter"))
        if "settings" in part:
            part["settings"] = self._settings(spec, part["settings"], (role, "settings"))
        return part

    def _settings(self, spec: AdapterSpec | None, written: Any, at: At) -> BaseModel:
        if spec is None:
            return _Unchecked()
        try:
            return spec.settings.model_validate({} if written is None else written, context={FOLDER: self.folder})
        except ValidationError as error:
            self.problems += problems_of(error.errors(), self.document, at, spec.settings)
            return _Unchecked()

    def _spec(self, role: str, name: Any) -> AdapterSpec | None:
        if not isinstance(name, str):
            return None
        try:
            spec = find_adapter(name)
        except ConfigError as error:
            self._wrong((role, "adapter"), str(error))
            return None
        if spec.role is ROLES[role]:
            return spec
        self._wrong((role, "adapter"), f"the adapter {name!r} is for {spec.role}:, not for {role}:")
        return None

    def _mapping(self, written: str, at: At) -> Path:
        """`shipped:connectwise`, or a file relative to the configuration."""
        if not written.startswith(SHIPPED):
            return self.folder / written
        name = written.removeprefix(SHIPPED)
        if name not in shipped():
            self._wrong(at, unknown("shipped field mapping", name, shipped()))
        return _shipped_folder() / f"{name}.yaml"

    def _database(self, written: Any) -> Any:
        """The address, with a relative file made absolute. It may hold a password, so it may come as a secret."""
        if isinstance(written, dict):
            return self._database_secret(written)
        if not isinstance(written, str) or not written.startswith(SQLITE):
            return written
        file = written.removeprefix(SQLITE)
        return f"{SQLITE}{self.folder / file}" if file and not file.startswith(":") else written

    def _database_secret(self, written: dict[str, Any]) -> Any:
        try:
            return self._database(Secret.model_validate(written, context={FOLDER: self.folder}).get())
        except ValidationError:
            self._wrong(("database",), "database: wants an address, or {file: PATH} or {env: NAME} where the address stands")
        except ConfigError as error:
            self._wrong(("database",), f"database: {error}")
        return f"{SQLITE}{self.folder / 'connector.db'}"  # in place of what was just told to be wrong

    def _wrong(self, at: At, message: str) -> None:
        self.problems.append(self.document.problem(at, message))


def _fractions_of_cents(config: Config, document: Document) -> Iterator[Problem]:
    places = exponent(config.company.currency)
    parts: list[tuple[At, Charging | OwnCharging]] = [(("charging",), config.charging)]
    parts += [(("charging", "payers", id), own) for id, own in config.charging.payers.items()]
    parts += [(("charging", "agreements", id), own) for id, own in config.charging.agreements.items()]
    for at, part in parts:
        for name in ("cap_per_charge", "max_change_amount", "mandate_maximum", "second_person_above"):
            amount: Decimal | None = getattr(part, name)
            if amount is not None and amount != round(amount, places):
                message = f"{name}: amounts in {config.company.currency} have at most {places} decimal places"
                yield document.problem((*at, name), message)


def _shipped_folder() -> Path:
    """Inside the installed package, or at the top of a checkout."""
    package = Path(connector.__file__).parent
    installed = package / "shipped" / "mappings"
    return installed if installed.is_dir() else package.parent / "mappings"
