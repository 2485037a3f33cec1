"""What pydantic finds wrong, in plain words and at its place in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from connector.config.secret import Secret
from connector.config.words import unknown
from connector.config.yaml import At, Document
from connector.errors import Problem
from connector.mapping.convert import shown

_SECRET = "wants {file: PATH} or {env: NAME}; the secret itself never stands in this file"  # noqa: S105 - advice
_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "string_type": lambda _: "should be text",
    "string_too_short": lambda _: "should not be empty",
    "string_too_long": lambda limit: f"should have at most {limit['max_length']} characters",
    "string_pattern_mismatch": lambda limit: f"does not have the right form ({limit['pattern']})",
    "too_short": lambda limit: f"should have at least {limit['min_length']} entries",
    "too_long": lambda limit: f"should have at most {limit['max_length']} entries",
    "greater_than": lambda limit: f"should be more than {limit['gt']}",
    "greater_than_equal": lambda limit: f"should be {limit['ge']} or more",
    "less_than": lambda limit: f"should be less than {limit['lt']}",
    "less_than_equal": lambda limit: f"should be {limit['le']} or less",
    "date_parsing": lambda _: "should be a date like 2026-01-31",
    "date_from_datetime_parsing": lambda _: "should be a date like 2026-01-31",
    "date_type": lambda _: "should be a date like 2026-01-31",
}
_BY_PREFIX = {
    "int_": "should be a whole number",
    "float_": "should be a number",
    "decimal_": "should be a number",
    "finite_": "should be a number",
    "bool_": "should be true or false",
    "path_": "should be the path of a file",
    "list_": "should be a list, for example [one, two]",
    "tuple_": "should be a list, for example [one, two]",
    "url_": "should be an address like https://example.com",
}


def problems_of(errors: Iterable[ErrorDetails], document: Document, at: At, model: type[BaseModel]) -> list[Problem]:
    """`at`: where the model's settings stand in the document."""
    return [_problem(error, document, at, model) for error in errors]


def _problem(error: ErrorDetails, document: Document, at: At, model: type[BaseModel]) -> Problem:
    path = error["loc"]
    secret = next((path[:end] for end in range(len(path) + 1) if _model_at(model, path[:end]) is Secret), None)
    if secret is not None and (error["type"] != "missing" or len(secret) < len(path)):
        # What stands there may be the secret: it is not repeated.
        return document.problem((*at, *secret), f"{secret[-1]}: {_SECRET}")
    name = str(path[-1]) if path else ""
    match error["type"]:
        case "extra_forbidden":
            return document.problem_at_key((*at, *path), unknown("setting", name, _settings_of(_model_at(model, path[:-1]))))
        case "missing":
            around = (*at, *path[:-1])
            return document.problem_at_key(around, f"the setting {'.'.join(map(str, (*at, *path)))} is missing")
        case "literal_error" | "enum":
            allowed = re.findall(r"'([^']*)'", error["ctx"]["expected"])
            return document.problem((*at, *path), _named(name, unknown("value", error["input"], allowed)))
    return document.problem((*at, *path), _named(name, _message(error, hidden=_is_hidden(model, path))))


def _message(error: ErrorDetails, *, hidden: bool) -> str:
    kind = error["type"]
    if kind in ("value_error", "assertion_error"):
        return str(error["ctx"]["error"])
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "here should stand settings of its own"
    if error["input"] is None:
        return "should not be empty"
    words = _WORDS[kind](error.get("ctx", {})) if kind in _WORDS else _by_prefix(kind)
    words = words or error["msg"]
    return words if hidden else f"{words}, not {shown(error['input'])}"


def _by_prefix(kind: str) -> str:
    return next((words for prefix, words in _BY_PREFIX.items() if kind.startswith(prefix)), "")


def _named(name: str, message: str) -> str:
    return message if not name or message.startswith(name) else f"{name}: {message}"


def _model_at(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    steps = iter(path)
    for step in steps:
        field = current.model_fields.get(str(step)) if current is not None else None
        current = model_in(field.annotation) if field is not None else None
        if field is not None and get_origin(field.annotation) is dict:
            next(steps, None)  # the name under which one of many stands
    return current


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The settings model that an annotation names, also in `Model | None`."""
    candidates = (annotation, *get_args(annotation))
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)


def _is_hidden(model: type[BaseModel], path: Sequence[str | int]) -> bool:
    around = _model_at(model, path[:-1]) if path else None
    field = around.model_fields.get(str(path[-1])) if around is not None else None
    return field is not None and not field.repr


def _settings_of(model: type[BaseModel] | None) -> list[str]:
    return list(model.model_fields) if model is not None else []
