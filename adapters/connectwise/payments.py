"""Recording what we collected on an invoice: look, write what is missing, read back (psa.md 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from adapters.connectwise import paid, translate, wire
from adapters.connectwise.client import Client, Record
from adapters.connectwise.paid import Add, Change, Row, Sums, Write
from connector.errors import ConnectorError, OutcomeUnknown, Rejected
from connector.model.invoice import PaidRecord, PaidState, PsaInvoice, Received
from connector.model.money import Money


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """An invoice and its payments at one moment."""

    invoice: PsaInvoice
    payments: list[wire.Payment]

    @property
    def ids(self) -> frozenset[int]:
        return frozenset(payment.id for payment in self.payments)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """A payment that we are adding, and the rows that were there before."""

    amount: Money
    before: Sequence[Row]

    def left_behind(self, look: _Look) -> wire.Payment | None:
        """The row that it left. None: not there (yet), or not to be told apart."""
        old = {row.payment.id for row in self.before}
        new = [p for p in look.payments if p.id not in old and Money.from_major(p.amount, self.amount.currency) == self.amount]
        return new[0] if len(new) == 1 else None

    def lost(self, look: _Look) -> list[Row]:
        return [row for row in self.before if row.payment.id not in look.ids]


@dataclass(kw_only=True)
class PaymentWriter:
    """`member`: our API member, as configured or as learned from rows that we wrote. `_asked`: additions by invoice whose
    outcome is not known."""

    client: Client
    currency: str
    member: str
    _asked: dict[str, _Asked] = field(default_factory=dict)

    def record(self, id: str, state: PaidState) -> PaidRecord:
        look, unsettled = self._look(id), id in self._asked
        _check_currency(look.invoice, state)
        rows = self._known(look, state)
        now = paid.sums(rows, look.invoice.total.currency)
        if not unsettled:
            paid.check_shown(look.invoice, now)  # what does not add up before a write would not after it
        paid.check_reversible(now, state.collected, look.invoice)
        target = paid.wanted(look.invoice, state.collected, now)
        steps = paid.writes(rows, target, look.invoice)
        for step in steps:
            rows = self._carry_out(step, rows, look, state)
        after = self._look(id) if steps or unsettled else look
        expected = replace(now, ours=target)
        paid.check_shown(after.invoice, expected)
        self._asked.pop(id, None)
        return _said(after.invoice, rows, expected, state.collected, wrote=bool(steps))

    def received(self, id: str) -> list[Received]:
        """Without the rows by which a credit memo was applied."""
        payments = [self._payment(row, id) for row in self.client.list(f"/finance/invoices/{id}/payments")]
        return [
            Received(
                id=str(payment.id),
                invoice=id,
                amount=Money.from_major(payment.amount, self.currency),
                dated=payment.payment_date,
                by=payment.applied_by.strip(),
            )
            for payment in payments
            if payment.credit is None
        ]

    def _look(self, id: str) -> _Look:
        record = self.client.get(f"/finance/invoices/{id}")
        if record is None:
            raise Rejected(f"invoice {id} is no longer in ConnectWise; it was deleted there.", code="invoice_gone")
        payments = [self._payment(row, id) for row in self.client.list(f"/finance/invoices/{id}/payments")]
        return _Look(invoice=translate.invoice(translate.read_invoice(record), self.currency), payments=payments)

    def _payment(self, record: Record, invoice: str) -> wire.Payment:
        try:
            return wire.Payment.model_validate(record)
        except ValueError:
            raise Rejected(
                f"payment {record.get('id')} on invoice {invoice} of ConnectWise cannot be read.", code="unreadable"
            ) from None

    def _known(self, look: _Look, state: PaidState) -> list[Row]:
        """Our share of each row: by what we remember, and by what must be ours."""
        currency = look.invoice.total.currency
        rows = paid.rows(look.payments, state.own, currency)
        self._learn(rows)
        asked = self._asked.get(look.invoice.id)
        made = asked.left_behind(look) if asked else None
        if asked and made and str(made.id) not in {own.partition("+")[0] for own in state.own}:
            return self._settled(made, asked, rows, look, state)
        now = paid.sums(rows, currency)
        return paid.claim(rows, state.collected - now.ours - now.adopted, state.dated, member=self.member)

    def _learn(self, rows: Sequence[Row]) -> None:
        applied = [row.payment.applied_by.strip() for row in rows if row.mine and row.payment.applied_by.strip()]
        self.member = self.member or (applied[-1] if applied else "")

    def _carry_out(self, step: Write, rows: list[Row], look: _Look, state: PaidState) -> list[Row]:
        match step:
            case Add(amount=amount):
                return self._add(amount, rows, look, state)
            case Change(row=row, to=to):
                return self._change(row, to, rows, look, state)

    def _add(self, amount: Money, rows: list[Row], look: _Look, state: PaidState) -> list[Row]:
        """Not idempotent: after silence the invoice is looked at before anything else happens."""
        id = look.invoice.id
        asked = self._asked[id] = _Asked(amount=amount, before=rows)
        content = {"amount": amount.major, "paymentDate": _midnight(state)}
        try:
            made: wire.Payment | None = self._payment(self.client.post(f"/finance/invoices/{id}/payments", content), id)
            self.member = self.member or (made.applied_by.strip() if made else "")
            after = self._look(id) if rows else look
        except OutcomeUnknown as unknown:
            after = self._look_again(id, unknown)
            made = asked.left_behind(after)
            if made is None:
                raise
        return self._settled(made, asked, rows, after, state) if made else rows

    def _look_again(self, id: str, unknown: OutcomeUnknown) -> _Look:
        try:
            return self._look(id)
        except ConnectorError:
            raise unknown from None

    def _settled(self, made: wire.Payment, asked: _Asked, rows: Sequence[Row], look: _Look, state: PaidState) -> list[Row]:
        """Our new row among the others. Where ConnectWise holds one payment per invoice, it replaced what was there: that is
        put back into our row."""
        lost = asked.lost(look) if asked.before else []
        kept = [row for row in rows if row.payment.id != made.id and row not in lost]
        gone = paid.sums(lost, asked.amount.currency)
        whole = Row(payment=made, ours=asked.amount + gone.ours, foreign=gone.foreign + gone.adopted)
        if not lost:
            return [*kept, whole]
        return self._change(whole, whole.ours + whole.foreign, [*kept, whole], look, state)

    def _change(self, row: Row, to: Money, rows: list[Row], look: _Look, state: PaidState) -> list[Row]:
        path = f"/finance/invoices/{look.invoice.id}/payments/{row.payment.id}"
        others = [other for other in rows if other is not row]
        if to.minor <= 0:
            self.client.delete(path)
            return others
        raised = to >= Money.from_major(row.payment.amount, to.currency)
        self.client.patch(path, {"amount": to.major, **({"paymentDate": _midnight(state)} if raised else {})})
        return [*others, Row(payment=row.payment, ours=to - row.foreign, foreign=row.foreign)]


def _midnight(state: PaidState) -> str:
    return f"{state.dated}T00:00:00Z"


def _check_currency(invoice: PsaInvoice, state: PaidState) -> None:
    if state.collected.currency != invoice.total.currency:
        raise Rejected(
            f"invoice {invoice.number} (id {invoice.id}) is in {invoice.total.currency}; {state.collected} was collected for it.",
            code="mixed_currency",
        )


def _said(invoice: PsaInvoice, rows: Sequence[Row], shown: Sums, collected: Money, *, wrote: bool) -> PaidRecord:
    adopted = shown.adopted
    if not shown.ours and not adopted and shown.foreign >= collected and invoice.balance.minor <= 0:
        adopted = collected  # paid in full there already, in whatever pieces
    return PaidRecord(
        own=tuple(str(row.token) for row in rows if row.ours),
        recorded=shown.ours + adopted,
        adopted=adopted,
        balance=invoice.balance,
        wrote=wrote,
    )
