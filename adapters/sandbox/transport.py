"""The sandbox without a network: what a `requests` session is given in place of its connections."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from adapters.sandbox.faults import LostReply
from adapters.sandbox.wire import Request, Response
from adapters.sandbox.world import World

NOWHERE = "http://127.0.0.1:9"  # nobody listens there: a request that passes us by fails


class InProcess(BaseAdapter):
    """Each request is answered at once, in the thread that sent it. Safe over threads, as the world is."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        del stream, timeout, verify, cert, proxies
        parts = urlsplit(request.url or "")
        prefix, _, rest = str(parts.path).lstrip("/").partition("/")
        asked = Request(
            method=request.method or "",
            path="/" + rest,
            query=str(parts.query),
            headers={name.lower(): _text(value) for name, value in request.headers.items()},
            body=_bytes(request.body),
            base_url=f"{parts.scheme}://{parts.netloc}/{prefix}",
        )
        try:
            answer = self._world.handle(prefix, asked)
        except LostReply as lost:
            raise _LOST.get(str(lost), requests.ConnectionError)(request=request) from None
        return self._response(request, answer)

    def _response(self, request: requests.PreparedRequest, answer: Response) -> requests.Response:
        response = requests.Response()
        response.status_code = answer.status
        response.headers = CaseInsensitiveDict({**answer.headers, "content-length": str(len(answer.body))})
        response.raw = urllib3.HTTPResponse(
            body=io.BytesIO(answer.body[: answer.sent_bytes]),
            headers=response.headers,
            status=answer.status,
            preload_content=False,
        )
        response.url, response.request, response.encoding = request.url or "", request, "utf-8"
        return response

    def close(self) -> None:
        """Nothing is held."""


_LOST: Mapping[str, Callable[..., Exception]] = {
    "timeout": requests.ReadTimeout,
    "timeout_after_effect": requests.ReadTimeout,
    "no_connection": requests.ConnectTimeout,
}


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else body or b""
