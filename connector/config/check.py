"""What `connector check-config` says without asking a partner."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from connector.config.adapters import find_adapter
from connector.config.load import load_config
from connector.config.model import Config
from connector.config.secret import Secret
from connector.mapping import load_mapping


def check(path: Path) -> list[str]:
    """Findings for a person; ConfigError with every problem when the configuration or a field mapping is wrong."""
    config = load_config(path)
    findings = [f"{path}: configuration is right"]
    for part in (config.psa, config.books):
        spec = find_adapter(part.adapter) if part is not None else None
        if part is not None and spec is not None and spec.mapping is not None:
            load_mapping(part.mapping, spec.mapping)
            findings.append(f"{part.mapping}: field mapping is right")
    findings += [warning for secret in secrets_in(config) for warning in _secret_findings(secret)]
    if config.write_back.psa_payments is None:
        findings.append("warning: write_back.psa_payments is not chosen, so no payment is written to the PSA")
    return findings


def secrets_in(model: BaseModel) -> list[Secret]:
    """Every secret of the configuration and of the adapters' settings."""
    if isinstance(model, Secret):
        return [model]
    values: list[Any] = [getattr(model, name) for name in type(model).model_fields]
    return [secret for value in values if isinstance(value, BaseModel) for secret in secrets_in(value)]


def secret_values(config: Config) -> list[str]:
    """For redaction. ConfigError when a secret is missing."""
    return [secret.get() for secret in secrets_in(config)]


def _secret_findings(secret: Secret) -> list[str]:
    secret.get()
    if secret.file is None:
        return []
    mode = secret.file.stat().st_mode
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        return [f"warning: {secret.file} can be read by others; make it private: chmod 600 {secret.file}"]
    return []
