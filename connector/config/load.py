"""From connector.yaml to a checked Config. Every problem is told with file, line, column and the allowed words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

import connector
from connector.config.adapters import find_adapter
from connector.config.model import Config
from connector.config.words import unknown
from connector.config.yaml import Document, read_yaml
from connector.errors import ConfigError, Problem
from connector.ports import AdapterSpec, Role

ROLES = {"psa": Role.PSA, "gateway": Role.GATEWAY, "books": Role.BOOKS}
SHIPPED = "shipped:"


def load_config(path: Path) -> Config:
    """ConfigError with every problem of the file, the adapters' own settings included."""
    document = read_yaml(path)
    if not isinstance(document.value, dict):
        raise ConfigError(document.problem((), "the configuration is empty; start from config/connector.example.yaml"))
    content = dict(document.value)
    problems: list[Problem] = []
    for role in ROLES:
        if isinstance(content.get(role), dict):
            content[role] = _connection(document, role, dict(content[role]), path.parent, problems)
    _absolute_database(content, path.parent)
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        problems += _problems(document, (), error.errors(), Config)
    if problems:
        raise ConfigError(*sorted(set(problems), key=lambda problem: (problem.line, problem.column)))
    return config


def mapping_path(written: str, folder: Path) -> Path:
    """`shipped:connectwise`, or a file relative to the configuration."""
    if not written.startswith(SHIPPED):
        return folder / written
    name = f"{written.removeprefix(SHIPPED)}.yaml"
    package = Path(connector.__file__).parent
    places = (package / "shipped" / "mappings" / name, package.parent / "mappings" / name)
    return next((place for place in places if place.exists()), places[0])


def _connection(document: Document, role: str, part: dict[str, Any], folder: Path, problems: list[Problem]) -> dict[str, Any]:
    """The part with its settings made by the adapter's own model. What is wrong is noted and left for Config to pass over."""
    if isinstance(part.get("mapping"), str):
        part["mapping"] = mapping_path(part["mapping"], folder)
    spec = _spec(document, role, part.get("adapter"), problems)
    settings = part.get("settings")
    if spec is not None and isinstance(settings, dict):
        try:
            part["settings"] = spec.settings.model_validate(_secrets_from(settings, folder))
        except ValidationError as error:
            problems += _problems(document, (role, "settings"), error.errors(), spec.settings)
            part["settings"] = _Unchecked()
    elif isinstance(settings, dict):
        part["settings"] = _Unchecked()
    return part


class _Unchecked(BaseModel):
    """Stands for settings whose problems were told already."""


def _spec(document: Document, role: str, name: Any, problems: list[Problem]) -> AdapterSpec | None:
    if not isinstance(name, str):
        return None
    try:
        spec = find_adapter(name)
    except ConfigError as error:
        problems.append(document.problem((role, "adapter"), str(error)))
        return None
    if spec.role is not ROLES[role]:
        problems.append(document.problem((role, "adapter"), f"{name!r} is an adapter for {spec.role}, not for {role}"))
        return None
    return spec


def _secrets_from(settings: Any, folder: Path) -> Any:
    """Relative secret files are relative to the configuration."""
    if isinstance(settings, dict):
        if set(settings) == {"file"} and isinstance(settings["file"], str):
            return {"file": folder / settings["file"]}
        return {key: _secrets_from(value, folder) for key, value in settings.items()}
    return settings


def _absolute_database(content: dict[str, Any], folder: Path) -> None:
    url = content.get("database", "sqlite:///connector.db")
    if isinstance(url, str) and url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        content["database"] = f"sqlite:///{(folder / url.removeprefix('sqlite:///')).absolute()}"
    if isinstance(content.get("secrets"), dict):
        content["secrets"] = _secrets_from(content["secrets"], folder)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Error:
    path: tuple[str | int, ...]
    message: str
    at_key: bool = False


def _problems(
    document: Document, prefix: Sequence[str | int], errors: Iterable[ErrorDetails], model: type[BaseModel]
) -> list[Problem]:
    told = [_told(error, model) for error in errors]
    return [document.problem((*prefix, *e.path), e.message, at_key=e.at_key) for e in told]


def _told(error: ErrorDetails, model: type[BaseModel]) -> _Error:
    """Plain words, no validator's jargon."""
    path = error["loc"]
    last = str(path[-1]) if path else ""
    match error["type"]:
        case "extra_forbidden":
            return _Error(path=path, message=unknown("setting", last, _settings_at(model, path[:-1])), at_key=True)
        case "missing":
            return _Error(path=path[:-1], message=f"the setting {'.'.join(map(str, path))!r} is missing")
        case "literal_error":
            return _Error(path=path, message=f"{last}: {error['input']!r} is not one of {error['ctx']['expected']}")
        case "value_error":
            return _Error(path=path, message=_with_name(last, str(error["ctx"]["error"])))
        case "model_type" | "dict_type" | "model_attributes_type":
            return _Error(path=path, message=f"{last}: here should stand settings of its own")
    return _Error(path=path, message=_with_name(last, error["msg"].removeprefix("Input ").removeprefix("Value error, ")))


def _with_name(name: str, message: str) -> str:
    return f"{name}: {message}" if name else message


def _settings_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The settings that are known at this place."""
    current: Any = model
    for step in path:
        field = current.model_fields.get(str(step)) if hasattr(current, "model_fields") else None
        current = _model_in(field.annotation) if field is not None else None
    return list(current.model_fields) if current is not None and hasattr(current, "model_fields") else []


def _model_in(annotation: Any) -> Any:
    candidates = (annotation, *getattr(annotation, "__args__", ()))
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
