"""The OAuth 2 token endpoint: access tokens of an hour, a refresh token whose value rotates."""

from __future__ import annotations

import base64
import binascii
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from adapters.sandbox.wire import Request, Response, json_response

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - the sandbox's own
FIRST_REFRESH_TOKEN = "sandbox-refresh-1"  # noqa: S105
ACCESS_S = 3600
ROLLING_S = 8_726_400
HARD_S = 157_680_000  # five years
HARD_EXPIRY_HEADER = "x-include-refresh-token-hard-expires-in"


@dataclass(kw_only=True)
class _Refresh:
    value: str
    since: datetime
    dies: datetime | None = None  # set when a newer value took its place


class Tokens:
    """One connection between one company and one app.

    `rotate_always`: a new value at every refresh, not once a day. `grace`: how long the value before it still works.
    """

    def __init__(self, now: Callable[[], datetime], chance: random.Random) -> None:
        self._now = now
        self._chance = chance
        self.rotate_always = False
        self.grace = timedelta(hours=24)
        self.rotations = 0
        self.refreshes = 0
        self._access: dict[str, datetime] = {}
        self._current: _Refresh | None = None
        self._previous: _Refresh | None = None
        self.connect(FIRST_REFRESH_TOKEN)

    def connect(self, value: str = "") -> str:
        """A person authorises the app (again); the refresh token to put into the configuration."""
        self._current = _Refresh(value=value or self._new_value(), since=self._now())
        self._previous = None
        self.authorized_at = self.used_at = self._now()
        return self._current.value

    def disconnect(self) -> None:
        """A person disconnects the app: every token is dead at once."""
        self._current = self._previous = None
        self._access.clear()

    def accepts(self, access_token: str) -> bool:
        expires = self._access.get(access_token)
        return expires is not None and self._now() < expires

    def expire_access_tokens(self) -> None:
        self._access.clear()

    def current(self) -> str:
        return self._current.value if self._current else ""

    def answer(self, request: Request) -> Response:
        """POST to the token endpoint."""
        if not _client_is_known(request):
            return json_response({"error": "invalid_client"}, status=401)
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        if form.get("grant_type") != "refresh_token":
            return json_response({"error": "unsupported_grant_type"}, status=400)
        if not self._good(form.get("refresh_token", "")):
            return json_response(
                {"error": "invalid_grant", "error_description": "Incorrect or invalid refresh token"}, status=400
            )
        return json_response(self._refreshed(request.headers.get(HARD_EXPIRY_HEADER, "") == "true"))

    def revoke(self, request: Request) -> Response:
        if not _client_is_known(request):
            return json_response({"error": "invalid_client"}, status=401)
        token = str((json.loads(request.body or b"{}") or {}).get("token", ""))
        if token not in self._access and not self._good(token):
            return json_response({"error": "invalid_request"}, status=400)
        self.disconnect()
        return Response(status=200)

    def state(self) -> dict[str, Any]:
        return {
            "connected": self._current is not None,
            "refreshes": self.refreshes,
            "rotations": self.rotations,
            "access_tokens": sum(1 for token in self._access if self.accepts(token)),
        }

    def _good(self, value: str) -> bool:
        now = self._now()
        if self._current is None or now >= self.used_at + timedelta(seconds=ROLLING_S):
            return False
        if now >= self.authorized_at + timedelta(seconds=HARD_S):
            return False
        previous = self._previous
        alive = previous is not None and previous.dies is not None and now < previous.dies
        return value == self._current.value or (alive and previous is not None and value == previous.value)

    def _refreshed(self, with_hard_expiry: bool) -> dict[str, Any]:
        now = self._now()
        current = self._rotated(now)
        self.refreshes += 1
        self.used_at = now
        access = f"eyJ{self._chance.getrandbits(160):040x}"
        self._access = {token: expires for token, expires in self._access.items() if now < expires}
        self._access[access] = now + timedelta(seconds=ACCESS_S)
        hard_s = int((self.authorized_at + timedelta(seconds=HARD_S) - now).total_seconds())
        answer = {
            "token_type": "bearer",
            "access_token": access,
            "refresh_token": current.value,
            "expires_in": ACCESS_S,
            "x_refresh_token_expires_in": min(ROLLING_S, hard_s),
        }
        return answer | ({"x_refresh_token_hard_expires_in": hard_s} if with_hard_expiry else {})

    def _rotated(self, now: datetime) -> _Refresh:
        current = self._current
        if current is None:
            raise RuntimeError("nothing to rotate: the app is not connected")
        if self.rotate_always or now - current.since >= timedelta(hours=24):
            current.dies = now + self.grace
            self._previous = current
            current = self._current = _Refresh(value=self._new_value(), since=now)
            self.rotations += 1
        return current

    def _new_value(self) -> str:
        return f"AB11{self._chance.getrandbits(180):045x}"


def _client_is_known(request: Request) -> bool:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return scheme.lower() == "basic" and given == f"{CLIENT_ID}:{CLIENT_SECRET}"
