"""The partners' rotating tokens: encrypted at rest, changed by one process at a time, durable before `save` returns."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Connection, select

from connector.errors import ConfigError, RetryLater
from connector.ports import Clock, TokenCell
from connector.store import holders, leases
from connector.store.database import Store
from connector.store.schema import token as table
from connector.store.sql import upsert

LEASE_S = 120.0  # longer than a renewal at the partner with its retries
WAIT_S = 30.0
PAUSE_S = 0.1


class StoredTokens:
    """`keys`: Fernet keys, comma-separated; the first one encrypts, all of them decrypt.

    The lock is a lease and no open transaction: a renewal takes seconds at the partner, and what `save` stored must
    outlive a crash right after it.
    """

    def __init__(self, store: Store, keys: str, *, clock: Clock, sleep: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._fernet = _fernet(keys)
        self._clock = clock
        self._sleep = sleep

    def load(self, partner: str) -> Mapping[str, str]:
        """Empty when there are none. ConfigError when no key opens them."""
        with self._store.read() as tx:
            encrypted = tx.execute(select(table.c.value).where(table.c.partner == partner)).scalar_one_or_none()
        return {} if encrypted is None else self._open(partner, encrypted)

    @contextmanager
    def locked(self, partner: str) -> Iterator[TokenCell]:
        """RetryLater when another process keeps the lock for longer than a renewal should take."""
        holder = f"{holders.process()} {uuid.uuid4().hex}"
        holders.note(holder)
        try:
            fence = self._wait_for_lock(partner, holder)
            yield from self._hold(partner, holder, fence)
        finally:
            holders.forget(holder)

    def _hold(self, partner: str, holder: str, fence: int) -> Iterator[TokenCell]:
        try:
            yield _Cell(self, partner, holder, fence)
        finally:
            with self._store.begin() as tx:
                leases.release(tx, _lock(partner), holder, fence, now=self._clock.now())

    def rotate(self) -> int:
        """Encrypt everything with the first key, so that the others can be thrown away. Number of partners."""
        with self._store.begin() as tx:
            rows = tx.execute(select(table.c.partner, table.c.value)).all()
            for row in rows:
                self._put(tx, row.partner, self._open(row.partner, row.value))
        return len(rows)

    def put(self, partner: str, holder: str, fence: int, value: Mapping[str, str]) -> None:
        """Commit these tokens while the lock is ours. RetryLater when it was lost: the newer tokens are another's."""
        with self._store.begin() as tx:
            if not leases.renew(tx, _lock(partner), holder, fence, now=self._clock.now(), ttl_s=LEASE_S):
                raise RetryLater(f"another process renewed the tokens of {partner} meanwhile", after_s=1.0)
            self._put(tx, partner, value)

    def _put(self, tx: Connection, partner: str, value: Mapping[str, str]) -> None:
        encrypted = self._fernet.encrypt(json.dumps(dict(value)).encode()).decode()
        upsert(tx, table, {"partner": partner, "value": encrypted, "changed_at": self._clock.now()})

    def _open(self, partner: str, encrypted: str) -> dict[str, str]:
        try:
            opened: dict[str, str] = json.loads(self._fernet.decrypt(encrypted.encode()))
        except InvalidToken:
            raise ConfigError(
                f"the stored tokens of {partner} cannot be opened with this encryption key:"
                " add the key that was used before behind it, separated by a comma, or connect the partner again"
            ) from None
        return opened

    def _wait_for_lock(self, partner: str, holder: str) -> int:
        for _ in range(int(WAIT_S / PAUSE_S)):
            with self._store.begin() as tx:
                fence = leases.acquire_from_dead(tx, _lock(partner), holder, now=self._clock.now(), ttl_s=LEASE_S)
            if fence is not None:
                return fence
            self._sleep(PAUSE_S)
        raise RetryLater(f"another process is renewing the tokens of {partner}", after_s=PAUSE_S)


class _Cell:
    def __init__(self, tokens: StoredTokens, partner: str, holder: str, fence: int) -> None:
        self._tokens = tokens
        self._partner = partner
        self._holder = holder
        self._fence = fence

    @property
    def value(self) -> Mapping[str, str]:
        return self._tokens.load(self._partner)

    def save(self, value: Mapping[str, str]) -> None:
        self._tokens.put(self._partner, self._holder, self._fence, value)


def _lock(partner: str) -> str:
    return f"token:{partner}"


def _fernet(keys: str) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key.strip()) for key in keys.split(",")])
    except ValueError:
        raise ConfigError(
            "the encryption key is not usable: it must be 32 random bytes in URL-safe base64 (44 characters),"
            " or several of them separated by commas"
        ) from None
