"""Three-way check of one (billing unit, period): PSA, gateway, books - and our ledger between them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connector.model.charge import ChargeState
from connector.model.money import Money
from connector.model.period import Period


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What the three say about one period of one billing unit, read just now. None: that partner has no such record.

    `adopted`: part of our money that a person had recorded before us. `writes_psa`, `writes_books`: whether we write there.
    """

    unit: str
    name: str
    period: Period
    state: ChargeState | None  # None: no charge, only a bill in the PSA
    due: bool
    psa_number: str
    psa_total: Money | None
    psa_paid: Money | None  # payments of everybody
    psa_open: Money | None
    gateway_collected: Money  # net, read again at the gateway
    ledger: Money  # net, as our ledger has it
    books_open: Money | None
    books_ours: Money | None  # what we posted (or adopted) there
    pending_psa: bool  # a delivery is still on its way
    pending_books: bool
    writes_psa: bool
    writes_books: bool

    @property
    def currency(self) -> str:
        return self.ledger.currency


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """One difference, and the command or act that repairs it. `waiting`: it goes away by itself."""

    kind: str
    unit: str
    name: str
    period: Period
    message: str
    repair: str
    waiting: bool = False


def compare(row: Row) -> tuple[Drift, ...]:
    """Every difference of one row; none when the three agree to the cent."""
    return tuple(_differences(row))


def _differences(row: Row) -> Iterator[Drift]:
    yield from _ledger(row)
    yield from _psa(row)
    yield from _books(row)
    yield from _amounts(row)


def _drift(row: Row, kind: str, message: str, repair: str, *, waiting: bool = False) -> Drift:
    return Drift(kind=kind, unit=row.unit, name=row.name, period=row.period, message=message, repair=repair, waiting=waiting)


def _ledger(row: Row) -> Iterator[Drift]:
    if row.gateway_collected != row.ledger:
        yield _drift(
            row,
            "ledger_behind",
            f"the gateway collected {row.gateway_collected}, the payment journal has {row.ledger}",
            "connector sync --once",
        )


def _psa(row: Row) -> Iterator[Drift]:
    if not row.writes_psa or not row.ledger:
        return
    if row.psa_paid is None:
        yield _drift(
            row, "psa_invoice_missing", f"{row.ledger} was collected, the PSA has no invoice", "create the invoice in the PSA"
        )
    elif row.psa_paid < row.ledger:
        yield _drift(
            row,
            "psa_payment_missing",
            f"invoice {row.psa_number} shows {row.psa_paid} paid in the PSA, the gateway collected {row.ledger}",
            "connector sync --once" if row.pending_psa else "enter the payment in the PSA",
            waiting=row.pending_psa,
        )


def _books(row: Row) -> Iterator[Drift]:
    if not row.writes_books or row.books_ours == row.ledger or (row.books_ours is None and not row.ledger):
        return
    ours = row.books_ours or Money.zero(row.currency)
    yield _drift(
        row,
        "books_payment_missing" if ours < row.ledger else "books_payment_extra",
        f"the books have {ours} of it, the gateway collected {row.ledger}",
        "connector sync --once" if row.pending_books else "correct the payment in the books",
        waiting=row.pending_books,
    )


def _amounts(row: Row) -> Iterator[Drift]:
    if row.psa_total is not None and row.ledger > row.psa_total:
        yield _drift(
            row,
            "collected_too_much",
            f"{row.ledger} was collected for a bill of {row.psa_total} (invoice {row.psa_number})",
            "refund the difference in the gateway's dashboard",
        )
    if row.psa_open is not None and row.psa_open.minor < 0:
        yield _drift(
            row,
            "overpaid_in_psa",
            f"invoice {row.psa_number} is overpaid by {-row.psa_open} in the PSA",
            "remove the payment that was entered twice in the PSA",
        )
    if row.books_open is not None and row.psa_open is not None and row.books_open != row.psa_open:
        waiting = row.pending_books or row.pending_psa
        yield _drift(
            row,
            "balances_differ",
            f"invoice {row.psa_number} is open with {row.psa_open} in the PSA and {row.books_open} in the books",
            "connector sync --once" if waiting else "enter the missing payment or credit where it is missing",
            waiting=waiting,
        )
    if row.state is None and row.due and row.psa_open is not None and row.psa_open.minor > 0:
        yield _drift(
            row,
            "not_collected",
            f"invoice {row.psa_number} is due and open with {row.psa_open}, and no charge was made for it",
            "connector status shows whether a subscription is missing; collect it outside autopay if it is older than autopay",
        )
    if (
        row.state is ChargeState.PAID
        and row.psa_open is not None
        and row.psa_open.minor > 0
        and not row.pending_psa
        and row.writes_psa
    ):
        yield _drift(
            row,
            "billed_more",
            f"invoice {row.psa_number} is still open with {row.psa_open} after its charge was paid",
            "a line was added after the charge: collect the rest outside autopay",
        )
