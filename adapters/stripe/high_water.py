"""Until when the agent has worked, kept on a product of ours: nobody buys it, it costs nothing, and its id is ours to choose."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from adapters.stripe.account import Account
from adapters.stripe.client import Body
from adapters.stripe.translate import OWNER
from connector.errors import Rejected

NOTE = "high_water"  # metadata key
NAME = "PSA Connector: not for sale. It remembers until when the connector has worked. Please keep it."


class HighWater:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._api = account.api
        self._there = False

    @property
    def _id(self) -> str:
        return f"psac_high_water_{hashlib.sha256(self._account.instance.encode()).hexdigest()[:20]}"

    def read(self) -> datetime | None:
        found = self._find()
        noted = (found or {}).get("metadata", {}).get(NOTE, "")
        try:
            return datetime.fromisoformat(noted).astimezone(UTC) if noted else None
        except ValueError:
            raise Rejected(
                f"Product {self._id} in Stripe was changed by hand: its {NOTE} is no time.", code="unreadable"
            ) from None

    def note(self, at: datetime) -> None:
        metadata = {OWNER: self._account.instance, NOTE: at.astimezone(UTC).isoformat()}
        if not self._there and self._find() is None and self._made(metadata):
            return
        self._api.write("note how far the connector is", self._api.v1.products.update, self._id, {"metadata": metadata})

    def _find(self) -> Body | None:
        bodies = self._api.pages("read how far the connector is", self._api.v1.products.list, {"ids": [self._id]})
        found = next(iter(bodies), None)
        self._there = found is not None
        return found

    def _made(self, metadata: dict[str, str]) -> bool:
        form = {"id": self._id, "name": NAME, "active": False, "metadata": metadata}
        try:
            self._api.write("note how far the connector is", self._api.v1.products.create, form)
        except Rejected as error:
            if error.code != "resource_already_exists":
                raise
            return False
        return True
