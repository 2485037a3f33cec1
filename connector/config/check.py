"""What `connector check-config` says without asking a partner."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, MultiFernet
from pydantic import BaseModel

from connector.config.adapters import find_adapter
from connector.config.load import load_config
from connector.config.model import Config, Connection, MappedConnection
from connector.config.secret import Secret
from connector.errors import ConfigError, Problem
from connector.mapping import load_mapping


def check(path: Path) -> list[str]:
    """Findings for a person; ConfigError with every problem of the configuration, its secrets and its field mappings."""
    config = load_config(path)
    problems: list[Problem | str] = []
    for load in _loads(config):
        try:
            load()
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return [f"{path}: the configuration is right", *_right_mappings(config), *_warnings(config)]


def secrets_in(model: BaseModel) -> list[Secret]:
    """Every secret of the configuration and of the adapters' settings."""
    if isinstance(model, Secret):
        return [model]
    values = [getattr(model, name) for name in type(model).model_fields]
    return [secret for value in values if isinstance(value, BaseModel) for secret in secrets_in(value)]


def secret_values(config: Config) -> list[str]:
    """For redaction, the database's password among them. ConfigError when a secret is missing."""
    password = urlsplit(config.database).password
    return [secret.get() for secret in secrets_in(config)] + ([password] if password else [])


def _loads(config: Config) -> Iterator[Callable[[], object]]:
    """Everything that the agent reads besides the configuration itself."""
    for secret in secrets_in(config):
        yield secret.get
    yield partial(_check_key, config.secrets.key)
    for part in _connections(config):
        yield partial(_load_mapping, part)


def _connections(config: Config) -> list[Connection]:
    return [part for part in (config.psa, config.gateway, config.books) if part is not None]


def _load_mapping(part: Connection) -> None:
    spec = find_adapter(part.adapter).mapping
    if spec is not None and isinstance(part, MappedConnection):
        load_mapping(part.mapping, spec)


def _check_key(key: Secret) -> None:
    try:
        keys = key.get().split(",")
    except ConfigError:
        return  # told already, as every missing secret is
    try:
        MultiFernet([Fernet(each.strip()) for each in keys])
    except ValueError:
        raise ConfigError(f"secrets.key: the {key.place} holds no usable key; config/README.md says how to make one") from None


def _right_mappings(config: Config) -> Iterator[str]:
    for part in _connections(config):
        if isinstance(part, MappedConnection):
            yield f"{part.mapping}: the field mapping is right"


def _warnings(config: Config) -> Iterator[str]:
    for secret in secrets_in(config):
        if secret.file is not None and secret.file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield f"warning: others can read or change {secret.file}; make it yours alone: chmod 600 {secret.file}"
    if config.write_back.psa_payments is None:
        yield (
            "warning: write_back.psa_payments is not chosen, so no payment is written to the PSA; choose connector, "
            "or accounting_sync when another tool already brings payments there"
        )
    if config.write_back.psa_payments == "accounting_sync" and (config.books is None or config.write_back.books == "off"):
        yield (
            "warning: write_back.psa_payments is accounting_sync, but the agent writes no payment to the books either, so"
            " nothing is there that a sync could bring to the PSA; set one of write_back.books and psa_payments to connector"
        )
    if config.sandbox.url is not None:
        yield f"warning: sandbox.url is set, so the clock is the sandbox's ({config.sandbox.url}); remove it for real partners"
