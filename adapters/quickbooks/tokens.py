"""The rotating tokens: one owner at a time, the new refresh token is saved before the new access token is used."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import requests
from intuitlib.client import AuthClient
from intuitlib.exceptions import AuthClientError
from requests.adapters import BaseAdapter

from adapters.deadline import Patience, bounded
from adapters.quickbooks.settings import QuickBooksSettings
from connector.errors import ConnectorError, RetryLater, Unauthorized
from connector.ports import Clock, TokenCell, TokenStore

PARTNER = "quickbooks"
EXPIRING = timedelta(minutes=5)
LOCKED_S = 20.0  # the longest that a silent token endpoint may keep the lock
RECONNECT = "Connect the app to the company again and put the new refresh token into the configuration (refresh_token)"


class Tokens:
    """Access tokens for requests. Safe over threads and processes: a refresh happens under the store's lock.

    The stored value's keys: refresh_token, previous, access_token, access_expires, refresh_expires, hard_expires
    (ISO times; hard_expires only where Intuit tells it) and seed (which configured token it began with).
    """

    def __init__(
        self,
        settings: QuickBooksSettings,
        store: TokenStore,
        clock: Clock,
        stopping: Callable[[], bool],
        transport: BaseAdapter | None = None,
    ) -> None:
        self._settings = settings
        self._patience = Patience(answer_s=min(settings.total_timeout_s, LOCKED_S), stopping=stopping, transport=transport)
        self._store = store
        self._clock = clock
        self._guard = threading.Lock()
        self._value: Mapping[str, str] = {}

    def access(self) -> str:
        """An access token that still lives for minutes. Raises RetryLater or Unauthorized when there is none to be had."""
        value = self._cached()
        if self._usable(value):
            return value["access_token"]
        return self._renew(refused="")

    def renew(self, refused: str) -> None:
        """QuickBooks refused this access token: take the newer one that another process got, or refresh."""
        self._renew(refused=refused)

    def _cached(self) -> Mapping[str, str]:
        with self._guard:
            if not self._usable(self._value):
                self._value = self._store.load(PARTNER)
            return self._value

    def _usable(self, value: Mapping[str, str], refused: str = "") -> bool:
        if not value.get("access_token") or value["access_token"] == refused or value.get("seed") != self._seed():
            return False
        return datetime.fromisoformat(value["access_expires"]) - self._clock.now() > EXPIRING

    def _renew(self, *, refused: str) -> str:
        client = self._client()  # asks Intuit where its token endpoint is: not while everybody waits for the lock
        with self._store.locked(PARTNER) as cell:
            value = cell.value
            if not self._usable(value, refused):
                value = self._refreshed(client, cell, value)
        with self._guard:
            self._value = value
        return value["access_token"]

    def _refreshed(self, client: _Client, cell: TokenCell, stored: Mapping[str, str]) -> Mapping[str, str]:
        used = self._ask(client, self._candidates(stored))
        value = self._as_value(client, used)
        cell.save(value)  # first of all: whoever loses this refresh token has to be connected again by hand
        return value

    def _candidates(self, stored: Mapping[str, str]) -> list[str]:
        """The stored token, then the one before it, which lives on for a day. A newly configured one comes instead."""
        if stored.get("seed") != self._seed():
            return [self._settings.refresh_token.get()]
        return [token for token in (stored.get("refresh_token"), stored.get("previous")) if token]

    def _ask(self, client: _Client, candidates: list[str]) -> str:
        for token in candidates:
            try:
                client.refresh(refresh_token=token)
            except AuthClientError as error:
                if _word(error) != "invalid_grant":
                    raise _translated(error) from None
            except requests.RequestException:
                raise _unreachable() from None
            else:
                return token
        raise Unauthorized(f"QuickBooks does not accept the refresh token any more. {RECONNECT}.")

    def _client(self) -> _Client:
        settings = self._settings
        try:
            return _Client(settings, self._patience)
        except AuthClientError as error:
            raise _translated(error) from None
        except (requests.RequestException, ValueError, KeyError):
            raise _unreachable() from None

    def _as_value(self, client: _Client, used: str) -> dict[str, str]:
        if not client.access_token or not client.refresh_token:
            raise RetryLater("QuickBooks' token service answered without tokens. It is tried again later.")
        now = self._clock.now()
        value = {
            "seed": self._seed(),
            "refresh_token": client.refresh_token,
            "previous": used if used != client.refresh_token else "",
            "access_token": client.access_token,
            "access_expires": _after(now, client.expires_in or 0),
        }
        for key, seconds in (("refresh_expires", client.x_refresh_token_expires_in), ("hard_expires", client.hard_expires_s)):
            if seconds:
                value[key] = _after(now, seconds)
        return value

    def _seed(self) -> str:
        return hashlib.sha256(self._settings.refresh_token.get().encode()).hexdigest()[:16]


class _Client(AuthClient):  # type: ignore[misc] # the library has no types
    """Intuit's own client (it is a session, made anew for each refresh), with the limits that it lacks."""

    def __init__(self, settings: QuickBooksSettings, patience: Patience) -> None:
        self._timeouts = (settings.connect_timeout_s, min(settings.read_timeout_s, LOCKED_S))
        self._patience = patience
        super().__init__(settings.client_id, settings.client_secret.get(), "", settings.discovery_url)
        self.headers["x-include-refresh-token-hard-expires-in"] = "true"

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        bounded(self, self._patience)  # here, as its making asks for an address already
        kwargs |= {"timeout": self._timeouts, "allow_redirects": False}
        response: requests.Response = super().request(*args, **kwargs)
        return response

    @property
    def hard_expires_s(self) -> int:
        return int(getattr(self, "x_refresh_token_hard_expires_in", 0) or 0)


def _after(now: datetime, seconds: int) -> str:
    return (now + timedelta(seconds=int(seconds))).isoformat()


def _word(error: AuthClientError) -> str:
    """The OAuth error word. The rest of the body may hold what must not be shown."""
    try:
        content = error.response.json()
    except ValueError:
        return ""
    return str(content.get("error", "")) if isinstance(content, dict) else ""


def _translated(error: AuthClientError) -> ConnectorError:
    if 300 <= error.status_code < 400 or error.status_code == 429 or error.status_code >= 500:
        return RetryLater(f"QuickBooks' token service cannot answer now (HTTP {error.status_code}). It is tried again later.")
    word = _word(error) or f"HTTP {error.status_code}"
    return Unauthorized(f"QuickBooks' token service refuses the app ({word}). Check client_id, client_secret and discovery_url.")


def _unreachable() -> RetryLater:
    return RetryLater("QuickBooks' token service did not answer. It is tried again later.")
