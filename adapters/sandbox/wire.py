"""Requests and responses as the sandbox's partners see them, and the routing between."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True, kw_only=True)
class Request:
    """`path` has the partner's prefix removed; header names are lower-case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base_url: str = ""  # scheme://host:port/prefix that the client used to reach this partner

    @cached_property
    def params(self) -> dict[str, str]:
        """Query parameters; the last one wins."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @cached_property
    def param_list(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query, keep_blank_values=True)

    def json(self) -> Any:
        return json.loads(self.body or b"null", parse_float=Decimal)


@dataclass(kw_only=True)
class Response:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    sent_bytes: int | None = None  # the connection breaks after so much of the body


def plain(value: object) -> object:
    """For json.dumps: decimals as JSON numbers that keep their digits."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} cannot be put in a body")


def json_response(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(content, default=plain).encode()
    return Response(status=status, body=body, headers={"content-type": "application/json", **(headers or {})})


Handler = Callable[..., Response]


class Router:
    """`{name}` in a path matches one segment and is passed to the handler as a keyword argument."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []

    def add(self, method: str, path: str, handler: Handler) -> None:
        pattern = re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "/?$")
        self._routes.append((method, pattern, handler))

    def match(self, request: Request) -> tuple[Handler, dict[str, str]] | None:
        for method, pattern, handler in self._routes:
            if method == request.method and (found := pattern.match(request.path)):
                return handler, found.groupdict()
        return None

    def knows_path(self, path: str) -> bool:
        return any(pattern.match(path) for _, pattern, _ in self._routes)
