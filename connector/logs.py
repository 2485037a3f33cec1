"""Logs: one line an event, JSON for machines or plain on a terminal; no secret ever in them."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

MASK = "[hidden]"
_PATTERNS = (
    re.compile(r"\b[srp]k_(?:live|test)_\w+"),
    re.compile(r"\b(?:Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE),
    re.compile(r"(?<=token=)[^&\s\"']+"),
)
_DIGITS = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w.-])")


def setup(secrets: Callable[[], list[str]], *, json: bool | None = None) -> None:
    """Called once a process. `secrets` names the values that must never be shown, whatever they look like."""
    hidden = sorted((value for value in secrets() if len(value) >= 4), key=len, reverse=True)
    as_json = not sys.stderr.isatty() if json is None else json
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redactor(hidden),
            structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("stripe").setLevel(logging.WARNING)


def redactor(hidden: list[str]) -> Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]:
    """A structlog processor that hides known secrets, key-shaped words and card-like numbers, also in tracebacks."""

    def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: clean(value, hidden) for key, value in event.items()}

    return redact


def clean(value: Any, hidden: list[str]) -> Any:
    match value:
        case str():
            return _clean_text(value, hidden)
        case dict():
            return {key: clean(item, hidden) for key, item in value.items()}
        case list() | tuple():
            return [clean(item, hidden) for item in value]
        case int() | float() | None:
            return value
        case _:
            return _clean_text(str(value), hidden)


def _clean_text(text: str, hidden: list[str]) -> str:
    for secret in hidden:
        text = text.replace(secret, MASK)
    for pattern in _PATTERNS:
        text = pattern.sub(MASK, text)
    return _DIGITS.sub(lambda found: MASK if luhn(found.group()) else found.group(), text)


def luhn(digits: str) -> bool:
    """Whether this could be a card number."""
    numbers = [int(d) for d in reversed(digits) if d.isdigit()]
    doubled = [n if i % 2 == 0 else sum(divmod(2 * n, 10)) for i, n in enumerate(numbers)]
    return sum(doubled) % 10 == 0
