"""Every reader of every partner on spoilt answers. FUZZ=all tries every place; else a spread of them, the same each time."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.errors import ConnectorError
from connector.flows.desk import Desk
from tests.e2e.msp import Msp, msp
from tests.e2e.test_wire_faults import behind_a_proxy, sign_up
from tests.fuzz.bodies import Spoiler, spoils

EACH = 20  # spoilt places tried of each reader, unless all are
Reader = Callable[[], object]


@contextmanager
def lived_in(folder: Path, partner: str) -> Iterator[Msp]:
    """One payer, one period, paid and partly refunded: so that every reader has something to read."""
    with msp(folder, agreements=0, psa=partner if partner == "autotask" else "connectwise") as m:
        sign_up(m, "Contoso Dental")
        m.to("2026-02-02")
        m.cycle()
        m.to("2026-02-02", 20)
        m.cycle()
        m.act("stripe.refund", payment_intent=m.stripe("payment_intent")[0]["id"], amount=100)
        m.cycle()
        yield m


def readers(m: Msp, desk: Desk, partner: str) -> dict[str, Reader]:
    if partner == "stripe":
        return _gateway(m, desk)
    return _books(m, desk) if partner == "quickbooks" else _psa(desk)


def _psa(desk: Desk) -> dict[str, Reader]:
    psa = desk.psa
    agreements = [a for a in psa.agreements({}) if hasattr(a, "ref")]
    since = date(2026, 1, 1)
    invoices = [bill.id for bill in psa.invoices([a.ref for a in agreements], since=since)]
    return {
        "agreements": lambda: list(psa.agreements({})),
        "invoices": lambda: list(psa.invoices([a.ref for a in agreements], since=since)),
        "other invoices": lambda: list(psa.other_invoices({str(a.payer.key) for a in agreements}, since=since)),
        "invoice": lambda: psa.invoice(invoices[-1]),
        "received": lambda: psa.received(invoices[-1]),
        "ping": psa.ping,
    }


def _gateway(m: Msp, desk: Desk) -> dict[str, Reader]:
    gateway: Any = desk.gateway
    (invoice,) = (row["id"] for row in m.stripe("invoice") if row["amount_paid"])
    customer = m.stripe("customer")[0]["id"]
    payment = gateway.payments(invoice)[0].id
    since = m.world.now - timedelta(days=60)
    return {
        "subscriptions": lambda: list(gateway.subscriptions()),
        "customers": lambda: gateway.customers([customer]),
        "drafts": lambda: list(gateway.drafts()),
        "invoice": lambda: gateway.invoice(invoice),
        "open invoices": lambda: list(gateway.open_invoices()),
        "invoices since": lambda: list(gateway.invoices_since(since)),
        "events": lambda: gateway.events(after=""),
        "payments": lambda: gateway.payments(invoice),
        "reversals": lambda: gateway.reversals(payment),
        "payouts": lambda: list(gateway.payouts(since)),
        "balance": gateway.balance,
        "balance lines": lambda: list(gateway.balance_lines(since, m.world.now)),
        "foreign subscriptions": lambda: gateway.foreign_subscriptions([customer]),
    }


def _books(m: Msp, desk: Desk) -> dict[str, Reader]:
    books: Any = desk.books
    numbers = [row["DocNumber"] for row in m.books("Invoice")]
    posted = [row["Id"] for row in m.books("Payment")]
    found = [one for many in books.invoices(numbers).values() for one in many]
    customers = {row["CustomerRef"]["value"] for row in m.books("Invoice")}
    return {
        "invoices": lambda: books.invoices(numbers),
        "unapplied": lambda: books.unapplied(customers),
        "received": lambda: books.received(found),
        "posted": lambda: books.posted(posted),
        "receivables": lambda: books.receivables(on=m.world.now.date()),
        "closed until": books.closed_until,
        "undeposited funds": books.undeposited_funds,
        "changes": lambda: books.changes(m.world.now - timedelta(days=2)),
        "ping": books.ping,
    }


@pytest.mark.parametrize("partner", ["connectwise", "autotask", "stripe", "quickbooks"])
def test_a_spoilt_answer_ends_in_a_value_or_an_error_in_words(tmp_path: Path, partner: str) -> None:
    crashes: list[str] = []
    with lived_in(tmp_path, partner) as m, behind_a_proxy(m, partner) as proxy:
        spoiler = Spoiler(proxy)
        for name, call in readers(m, m.agent.desk, partner).items():
            places = list(spoils(spoiler.answers(call)))
            if os.environ.get("FUZZ") != "all":
                places = random.Random(name).sample(places, min(EACH, len(places)))
            for spoil in places:
                try:
                    spoiler.spoilt(call, spoil)
                except ConnectorError as error:
                    if "Error(" in str(error) or len(str(error)) > 2000:
                        crashes.append(f"{name}: {spoil}: says {str(error)[:200]}")
                except Exception as error:  # whatever else it is, a user would see a traceback
                    crashes.append(f"{name}: {spoil}: {type(error).__name__}: {str(error)[:100]}")

    assert "\n".join(crashes) == ""
