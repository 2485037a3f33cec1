"""Logs: one line an event, JSON for machines or plain on a terminal; no secret ever in them."""

from __future__ import annotations

import base64
import binascii
import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog

MASK = "[hidden]"
_NAMES = r"(?i:token|secret|password|(?:api|private)_?key)"
_NAME = re.compile(rf"{_NAMES}$")
# What stands before a secret is kept (group 1).
_SHAPES = (
    re.compile(r"()\b(?:[srp]k_(?:live|test)|whsec)_\w+"),  # Stripe
    re.compile(r"()\bAB1\d\w{20,}"),  # Intuit's refresh tokens: they rotate, and so are in no list
    re.compile(r"()\beyJ[\w-]{10,}(?:\.[\w-]*)+"),  # access tokens
    re.compile(r"((?i:\bbearer)\s+)(?=\S*\d)[\w+/=.~-]{8,}"),
    re.compile(r"(://[^:/\s@]*:)[^/\s@]+(?=@)"),  # the password in an address
    re.compile(rf"({_NAMES}=)[^&\s\"',;)]+"),
    re.compile(rf"({_NAMES}[\"']\s*:\s*[\"'])[^\"']+"),
    # Unquoted, it has to look like a secret: "no refresh token: connect again" is a sentence.
    re.compile(rf"({_NAMES}:\s+)(?=\S*\d)[^\s{{\[,;]{{6,}}"),
)
_BASIC = re.compile(r"((?i:\bbasic)\s+)([A-Za-z0-9+/]{8,}={0,2})")
_DIGITS = re.compile(r"(?<![\w.-])[2-6](?:[ -]?\d){12,18}(?![\w.-])")
Processor = Callable[[Any, str, MutableMapping[str, Any]], Any]


def setup(secrets: Callable[[], list[str]], *, json: bool | None = None) -> None:
    """Called once a process. `secrets` names the values that must never be shown, whatever they look like."""
    hidden = sorted((value for value in secrets() if len(value) >= 4), key=len, reverse=True)
    as_json = not sys.stderr.isatty() if json is None else json
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor] = [
        structlog.processors.format_exc_info,
        redactor(hidden),
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False),
    ]
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _take_over_libraries(first, last)
    _take_over_crashes()


def _take_over_libraries(first: list[Processor], last: list[Processor]) -> None:
    """Warnings of libraries (a URL that is tried again, say) go the same way."""
    handler = logging.StreamHandler(sys.stderr)
    without_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=first, processors=[without_meta, *last]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def _take_over_crashes() -> None:
    """A traceback that Python prints itself would show what it holds."""
    log = structlog.get_logger(__name__)

    def crashed(kind: type[BaseException], error: BaseException | None, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        log.critical("stopped by an unexpected error", exc_info=(kind, error, trace))

    sys.excepthook = crashed
    threading.excepthook = lambda args: crashed(args.exc_type, args.exc_value, args.exc_traceback)


def redactor(hidden: list[str]) -> Processor:
    """A structlog processor that hides known secrets, what looks like one, and card-like numbers, also in tracebacks."""

    def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        cleaned: dict[str, Any] = clean(dict(event), hidden)
        return cleaned

    return redact


def clean(value: Any, hidden: list[str]) -> Any:
    """The same value as plain data without secrets."""
    match value:
        case str():
            return _clean_text(value, hidden)
        case Mapping():
            return {_clean_text(str(key), hidden): _clean_item(str(key), item, hidden) for key, item in value.items()}
        case list() | tuple():
            return [clean(item, hidden) for item in value]
        case bool() | float() | None:
            return value
        case int():
            return MASK if _DIGITS.fullmatch(str(value)) and luhn(str(value)) else value
        case _:
            return _clean_text(str(value), hidden)


def _clean_item(key: str, item: Any, hidden: list[str]) -> Any:
    return MASK if isinstance(item, str) and item and _NAME.search(key) else clean(item, hidden)


def _clean_text(text: str, hidden: list[str]) -> str:
    for secret in hidden:
        text = text.replace(secret, MASK)
    for shape in _SHAPES:
        text = shape.sub(rf"\1{MASK}", text)
    text = _BASIC.sub(lambda found: found[1] + MASK if _is_basic(found[2]) else found[0], text)
    return _DIGITS.sub(lambda found: MASK if luhn(found[0]) else found[0], text)


def _is_basic(text: str) -> bool:
    """Whether this is a user and a password, and not the name of a basic agreement."""
    try:
        return ":" in base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return False


def luhn(digits: str) -> bool:
    """Whether this could be a card number."""
    numbers = [int(d) for d in reversed(digits) if d.isdigit()]
    doubled = [n if i % 2 == 0 else sum(divmod(2 * n, 10)) for i, n in enumerate(numbers)]
    return sum(doubled) % 10 == 0
