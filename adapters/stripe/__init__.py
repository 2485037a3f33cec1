"""Stripe as the gateway, API version 2026-05-27.dahlia."""

from __future__ import annotations

from adapters.stripe.settings import StripeSettings
from connector.ports import AdapterSpec, Context, Gateway, Role


def _build(settings: StripeSettings, context: Context) -> Gateway:
    from adapters.stripe.port import Stripe  # the SDK costs 100 ms, which commands that need no gateway should not pay

    return Stripe(settings, context)


ADAPTER = AdapterSpec(name="stripe", role=Role.GATEWAY, settings=StripeSettings, mapping=None, build=_build)
