"""Showing what we collected on an invoice. Autotask takes one thing: the date on which all of it was paid (psa.md 4.1).

So a payment of a part is not written at all, and is told as what Autotask cannot hold. What others paid is not to be seen
here either; the caller may know it from the books.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from adapters.autotask import translate, wire
from adapters.autotask.client import Client
from connector.errors import Rejected, Unauthorized
from connector.model.invoice import PaidRecord, PaidState
from connector.model.money import Money

OURS, ADOPTED = "paid", "adopted"  # how a paid date is remembered in our links: `paid:2026-03-31`
READ_ONLY = (
    "Autotask does not let the agent write the paid date of an invoice: entityInformation says that Invoices.paidDate is"
    " read-only for this API user. Give its security level the right to edit invoices (Admin > Security Levels), or, if your"
    " accounting sync records payments, set write_back.psa_payments to accounting_sync and settings.records_payments of the PSA"
    " to false."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """The paid date that we remember: written by us, or found there and taken for our money."""

    on: date
    adopted: bool

    def __str__(self) -> str:
        return f"{ADOPTED if self.adopted else OURS}:{self.on}"

    @classmethod
    def among(cls, own: tuple[str, ...]) -> Mark | None:
        for text in own:
            word, _, day = text.partition(":")
            if word in (OURS, ADOPTED):
                return cls(on=date.fromisoformat(day), adopted=word == ADOPTED)
        return None


@dataclass(kw_only=True)
class PaidWriter:
    client: Client
    _writable: bool = False

    def check_writable(self) -> None:
        """Unauthorized, with what to change, when the paid date may not be written. Asked until it may."""
        if not self._writable:
            told = self.client.fields("Invoices").get("paidDate")
            if told is None or told.get("isReadOnly"):
                raise Unauthorized(READ_ONLY)
            self._writable = True

    def record(self, id: str, state: PaidState) -> PaidRecord:
        invoice = self._look(id)
        whole = Money.from_major(invoice.total, state.collected.currency)
        mark = Mark.among(state.own)
        if whole.minor > 0 and state.collected.minor > 0 and state.collected + _elsewhere(state) >= whole:
            return self._settled(invoice, mark, state, whole)
        return self._open(invoice, mark, state, whole)

    def _look(self, id: str) -> wire.Invoice:
        record = self.client.get("Invoices", id) if id.isdigit() else None
        if record is None:
            raise Rejected(f"invoice {id} is no longer in Autotask; it was deleted there.", code="invoice_gone")
        found = translate.read_invoice(record)
        if found.voided:
            raise Rejected(
                f"invoice {found.shown_number} (id {id}) was voided in Autotask; nothing is written to it. The payment"
                " follows when its items are invoiced again.",
                code="invoice_voided",
            )
        return found

    def _settled(self, invoice: wire.Invoice, mark: Mark | None, state: PaidState, whole: Money) -> PaidRecord:
        """Paid in full. A paid date that is there already stands, whoever entered it. One whose answer is lost is known again as
        ours, for it is remembered before it is sent."""
        if invoice.paid is not None:
            mark = mark if mark is not None and mark.on == invoice.paid else Mark(on=invoice.paid, adopted=True)
            return _said(invoice, mark, state, whole, wrote=False)
        mark = Mark(on=state.dated, adopted=False)
        self.check_writable()
        state.remember((str(mark),))
        after = self._write(invoice, state.dated)
        return _said(after, mark, state, whole, wrote=True)

    def _open(self, invoice: wire.Invoice, mark: Mark | None, state: PaidState, whole: Money) -> PaidRecord:
        """Not paid in full by what is known. A paid date of ours is taken back, nobody else's."""
        if invoice.paid is None or mark is None:
            return _said(invoice, None, state, whole, wrote=False)
        if mark.adopted or mark.on != invoice.paid:
            raise Rejected(
                f"invoice {invoice.shown_number} (id {invoice.id}): only {state.collected} of {whole} is collected any more, but"
                f" its paid date {invoice.paid} was entered by someone else. Clear it in Autotask if the invoice is open again;"
                " the agent changes only what it wrote.",
                code="entered_by_hand",
            )
        return _said(self._write(invoice, None), None, state, whole, wrote=True)

    def _write(self, invoice: wire.Invoice, on: date | None) -> wire.Invoice:
        """Read back: nothing else tells whether it was kept. Autotask drops the time of day."""
        self.check_writable()
        id = str(invoice.id)
        self.client.patch("Invoices", {"id": invoice.id, "paidDate": None if on is None else f"{on}T00:00:00"})
        after = self._look(id)
        if after.paid != on:
            raise Rejected(
                f"invoice {invoice.shown_number} (id {id}): its paid date should be {on or 'empty'}, but Autotask shows"
                f" {after.paid or 'none'}. Correct it in Autotask.",
                code="not_kept",
            )
        return after


def _elsewhere(state: PaidState) -> Money:
    return state.elsewhere if state.elsewhere is not None else Money.zero(state.collected.currency)


def _said(invoice: wire.Invoice, mark: Mark | None, state: PaidState, whole: Money, *, wrote: bool) -> PaidRecord:
    nothing = Money.zero(whole.currency)
    recorded = min(state.collected, whole, key=lambda money: money.minor) if mark is not None else nothing
    return PaidRecord(
        own=(str(mark),) if mark is not None else (),
        recorded=recorded,
        adopted=recorded if mark is not None and mark.adopted else nothing,
        balance=nothing if invoice.paid is not None else whole,
        wrote=wrote,
    )
