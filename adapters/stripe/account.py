"""Our part of one Stripe account: what the adapter's parts share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from adapters.stripe.client import StripeApi
from adapters.stripe.settings import StripeSettings
from adapters.stripe.translate import OWNER
from connector.ports import Clock


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    api: StripeApi
    settings: StripeSettings
    instance: str
    currency: str
    clock: Clock

    def owns(self, metadata: Mapping[str, str]) -> bool:
        return metadata.get(OWNER) == self.instance

    @property
    def now(self) -> datetime:
        return self.clock.now()
