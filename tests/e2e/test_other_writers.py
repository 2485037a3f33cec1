"""Payments that another tool writes: where it is the owner we watch it, where we are we write nothing twice and tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config.load import load_config
from connector.errors import ConfigError
from connector.model.drift import Drift
from tests.e2e.back import METHODS, days
from tests.e2e.msp import Msp, cents, msp, write_config

PSAS = ("connectwise", "autotask")


def collected(m: Msp) -> None:
    """February's 500.00 is collected, and written where we write."""
    m.sign_up() if m.kind == "connectwise" else m.sign_up_in_autotask()
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02", 20)
    m.cycle(1)


def in_psa(m: Msp) -> list[int]:
    """What each payment there comes to; in Autotask what is paid by its date."""
    if m.kind == "autotask":
        return [cents(row["invoiceTotal"]) for row in m.psa_invoices() if row["paidDate"] and row["invoiceTotal"]]
    return [cents(row["amount"]) for row in m.psa_payments()]


def in_books(m: Msp) -> list[int]:
    return [cents(row["TotalAmt"]) for row in m.books("Payment")]


def only(m: Msp) -> Drift:
    (drift,) = m.reconcile().drifts
    return drift


# Another tool is the owner


@pytest.mark.parametrize("psa", PSAS)
def test_what_the_accounting_sync_is_to_bring_to_the_psa_is_watched_until_it_is_there(tmp_path: Path, psa: str) -> None:
    with msp(tmp_path, agreements=0, psa=psa, write_back={"psa_payments": "accounting_sync"}) as m:
        collected(m)
        early = only(m)
        days(m, 6)
        late = only(m)
        before = in_psa(m)
        m.act("syncs.copy_to_psa" if psa == "connectwise" else "syncs.set_paid_dates")
        days(m)

        assert (early.kind, early.waiting) == (late.kind, True) == ("psa_payment_awaited", True)
        assert (late.waiting, "500.00 USD" in late.message, "within 5 days" in late.message) == (False, True, True)
        assert late.name == "Contoso Dental: Managed Services"
        assert (before, in_psa(m), in_books(m)) == ([], [50000], [50000])
        assert m.reconcile().ties


def test_what_the_psas_own_sync_is_to_bring_to_the_books_is_watched_until_it_is_there(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, write_back={"books": "psa_sync"}) as m:
        collected(m)
        early = only(m)
        days(m, 6)
        late = only(m)
        before = in_books(m)
        m.act("syncs.export_to_books")
        days(m)

        assert (early.kind, early.waiting) == (late.kind, True) == ("books_payment_awaited", True)
        assert (late.waiting, "500.00 USD" in late.message, "to the books within 5 days" in late.message) == (False, True, True)
        assert (before, in_psa(m), in_books(m)) == ([], [50000], [50000])
        assert m.requests(partner="quickbooks", writes=True) == []
        assert m.reconcile().ties


def test_two_tools_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    nobody = write_config(tmp_path, "http://127.0.0.1:1", write_back={"psa_payments": "accounting_sync", "books": "psa_sync"})
    with pytest.raises(ConfigError, match="each wait for the other"):
        load_config(nobody)

    deposits = write_config(tmp_path, "http://127.0.0.1:1", write_back={"books": "psa_sync"}, books=METHODS["clearing"])
    with pytest.raises(ConfigError, match="use payments_only"):
        load_config(deposits)
