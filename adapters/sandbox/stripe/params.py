"""Bracketed form parameters, and what an operation accepts. Anything else is refused, as Stripe refuses it.

Only parameters that this sandbox acts on are listed: one that it would have to ignore counts as unknown. (The exception
is `off_session`: no customer of the sandbox is ever asked to confirm a payment.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol
from urllib.parse import parse_qsl

from adapters.sandbox.stripe.errors import StripeError, invalid

MAX_METADATA_KEYS = 50
MAX_METADATA_KEY = 40
MAX_METADATA_VALUE = 500
MAX_DECIMAL_PLACES = 12
MAX_TEXT = 5000


def decode(encoded: str) -> dict[str, Any]:
    """`a[b][0]=x` -> nested dicts; list positions stay keys, because only the parameter's type tells a list."""
    root: dict[str, Any] = {}
    for key, value in parse_qsl(encoded, keep_blank_values=True):
        name, *parts = [part.rstrip("]") for part in key.split("[")]
        node, last = root, name
        for part in parts:
            child = node.setdefault(last, {})
            if not isinstance(child, dict):
                raise invalid(f"Invalid {name}: cannot be both a value and a hash", param=name)
            node, last = child, part or str(len(child))
        node[last] = value
    return root


class Kind(Protocol):
    def read(self, value: Any, at: str) -> Any: ...


def _scalar(value: Any, at: str) -> str:
    if isinstance(value, dict):
        raise invalid(f"Invalid string: {value}", param=at)
    return str(value)


@dataclass(frozen=True)
class Text:
    max_length: int = MAX_TEXT

    def read(self, value: Any, at: str) -> str:
        text = _scalar(value, at)
        if text == "":
            raise invalid(
                f"You passed an empty string for '{at}'. We assume empty values are an attempt to unset a parameter; "
                f"however '{at}' cannot be unset. You should remove '{at}' from your request or supply a non-empty value.",
                param=at,
                code="parameter_invalid_empty",
            )
        if len(text) > self.max_length:
            raise invalid(f"Invalid string: must be at most {self.max_length} characters", param=at)
        return text


@dataclass(frozen=True)
class Whole:
    """An integer; also Unix times in seconds."""

    least: int | None = None
    most: int | None = None

    def read(self, value: Any, at: str) -> int:
        text = _scalar(value, at)
        if not re.fullmatch(r"[+-]?\d{1,18}", text):
            raise invalid(f"Invalid integer: {text}", param=at, code="parameter_invalid_integer")
        number = int(text)
        if self.least is not None and number < self.least:
            raise invalid(
                f"This value must be greater than or equal to {self.least}.", param=at, code="parameter_invalid_integer"
            )
        if self.most is not None and number > self.most:
            raise invalid(f"This value must be less than or equal to {self.most}.", param=at, code="parameter_invalid_integer")
        return number


@dataclass(frozen=True)
class Fraction:
    """A decimal string of at most 12 places."""

    def read(self, value: Any, at: str) -> Decimal:
        text = _scalar(value, at)
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise invalid(f"Invalid decimal: {text}", param=at) from None
        exponent = number.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < -MAX_DECIMAL_PLACES:
            raise invalid(f"Invalid decimal: {text}; must have at most {MAX_DECIMAL_PLACES} decimal places", param=at)
        return number


@dataclass(frozen=True)
class Flag:
    def read(self, value: Any, at: str) -> bool:
        text = _scalar(value, at).lower()
        if text not in ("true", "false"):
            raise invalid(f"Invalid boolean: {text}", param=at)
        return text == "true"


class OneOf:
    def __init__(self, *words: str) -> None:
        self.words = words

    def read(self, value: Any, at: str) -> str:
        text = _scalar(value, at)
        if text not in self.words:
            listed = ", ".join(self.words[:-1]) + f", or {self.words[-1]}" if len(self.words) > 1 else self.words[0]
            raise invalid(f"Invalid {at}: must be one of {listed}", param=at)
        return text


@dataclass(frozen=True)
class Unset:
    """As `of`, or an empty string that takes the value away (read as None)."""

    of: Kind

    def read(self, value: Any, at: str) -> Any:
        return None if value == "" else self.of.read(value, at)


@dataclass(frozen=True)
class Many:
    of: Kind
    most: int = 100

    def read(self, value: Any, at: str) -> list[Any]:
        if not isinstance(value, dict) or not all(key.isdigit() for key in value):
            raise invalid("Invalid array", param=at)
        if len(value) > self.most:
            raise invalid(f"Array {at} exceeded maximum {self.most} allowed elements.", param=at)
        ordered = sorted(value.items(), key=lambda pair: int(pair[0]))
        return [self.of.read(item, f"{at}[{position}]") for position, (_, item) in enumerate(ordered)]


@dataclass(frozen=True)
class Metadata:
    """Up to 50 keys of 40 characters without brackets, values of 500; empty values take keys away."""

    def read(self, value: Any, at: str) -> dict[str, str] | None:
        if value == "":
            return None
        if not isinstance(value, dict):
            raise invalid("Invalid hash", param=at)
        if len(value) > MAX_METADATA_KEYS:
            raise invalid(f"You can specify at most {MAX_METADATA_KEYS} metadata keys.", param=at)
        for key, text in value.items():
            if len(key) > MAX_METADATA_KEY:
                raise invalid(f"Metadata keys can be at most {MAX_METADATA_KEY} characters long.", param=f"{at}[{key}]")
            if len(_scalar(text, f"{at}[{key}]")) > MAX_METADATA_VALUE:
                raise invalid(f"Metadata values can have up to {MAX_METADATA_VALUE} characters.", param=f"{at}[{key}]")
        return dict(value)


def merged(old: Mapping[str, str], new: Mapping[str, str] | None) -> dict[str, str]:
    """Keys not mentioned stay, empty values take keys away, None takes all away."""
    if new is None:
        return {}
    result = {key: value for key, value in {**old, **new}.items() if value != ""}
    if len(result) > MAX_METADATA_KEYS:
        raise StripeError(f"You can specify at most {MAX_METADATA_KEYS} metadata keys.", param="metadata")
    return result


@dataclass(frozen=True)
class Hash:
    """Named parameters. `required` ones must be there."""

    fields: Mapping[str, Kind] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def read(self, value: Any, at: str = "") -> dict[str, Any]:
        if not isinstance(value, dict):
            raise invalid("Invalid hash", param=at)
        names = {name: f"{at}[{name}]" if at else name for name in (*value, *self.required)}
        for name in value:
            if name not in self.fields:
                raise invalid(f"Received unknown parameter: {names[name]}", param=names[name], code="parameter_unknown")
        for name in self.required:
            if name not in value:
                raise invalid(f"Missing required param: {names[name]}.", param=names[name], code="parameter_missing")
        return {name: self.fields[name].read(item, names[name]) for name, item in value.items()}


@dataclass(frozen=True)
class Moments:
    """A time, or a range of times: read as {"gte": .., "lt": ..} with every bound whole seconds."""

    _range = Hash({name: Whole() for name in ("gt", "gte", "lt", "lte")})

    def read(self, value: Any, at: str) -> dict[str, int]:
        if isinstance(value, dict):
            return self._range.read(value, at)
        moment = Whole().read(value, at)
        return {"gte": moment, "lte": moment}


EXPAND: dict[str, Kind] = {"expand": Many(Text())}
PAGING: dict[str, Kind] = {
    "limit": Whole(1, 100),
    "starting_after": Text(),
    "ending_before": Text(),
    **EXPAND,
}


def params(*required: str, **fields: Kind) -> Hash:
    """What an operation on one object accepts."""
    return Hash({**fields, **EXPAND}, required)


def filters(**fields: Kind) -> Hash:
    """What a list accepts."""
    return Hash({**fields, **PAGING})
