"""Recording what we collected on an invoice: look, write what is missing, read back (psa.md 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from adapters.connectwise import others, paid, translate, wire
from adapters.connectwise.asked import Asked
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


@dataclass(kw_only=True)
class PaymentWriter:
    """`member`: our API member, as configured or as learned from rows that we wrote. `_asked`: additions by invoice whose
    outcome is not known; they are remembered with our links as well (`PaidState.remember`), for after a crash."""

    client: Client
    currency: str
    member: str
    tools: tuple[str, ...] = ()
    _asked: dict[str, Asked] = field(default_factory=dict)

    def record(self, id: str, state: PaidState) -> PaidRecord:
        look = self._look(id)
        _check_currency(look.invoice, state)
        unsettled = self._unsettled(look, state) is not None
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
        """Without the rows by which a credit memo was applied; none when the invoice is gone."""
        payments = self._payments(id) or []
        return [
            Received(
                id=str(payment.id),
                invoice=id,
                amount=Money.from_major(payment.amount, self.currency),
                dated=payment.payment_date,
                by=payment.applied_by.strip(),
                tool=others.is_tool(payment.applied_by, self.tools),
                exported=payment.sync_status == "Synced",
            )
            for payment in payments
            if payment.credit is None
        ]

    def _look(self, id: str) -> _Look:
        record = self.client.get(f"/finance/invoices/{id}")
        payments = self._payments(id) if record is not None else None
        if record is None or payments is None:
            raise Rejected(f"invoice {id} is no longer in ConnectWise; it was deleted there.", code="invoice_gone")
        return _Look(invoice=translate.invoice(translate.read_invoice(record), self.currency), payments=payments)

    def _payments(self, id: str) -> list[wire.Payment] | None:
        rows = self.client.list_of(f"/finance/invoices/{id}", "payments")
        return None if rows is None else [self._payment(row, id) for row in rows]

    def _payment(self, record: Record, invoice: str) -> wire.Payment:
        try:
            return wire.Payment.model_validate(record)
        except ValueError:
            raise Rejected(
                f"payment {record.get('id')} on invoice {invoice} of ConnectWise cannot be read.", code="unreadable"
            ) from None

    def _unsettled(self, look: _Look, state: PaidState) -> Asked | None:
        return self._asked.get(look.invoice.id) or Asked.among(state.own, look.invoice.total.currency)

    def _known(self, look: _Look, state: PaidState) -> list[Row]:
        """Our share of each row: by what we remember, and by what must be ours."""
        currency = look.invoice.total.currency
        rows = paid.rows(look.payments, state.own, currency)
        self._learn(rows)
        asked = self._unsettled(look, state)
        made = asked.left_behind(look.payments, member=self.member) if asked else None
        if asked and made and not any(row.payment.id == made.id and (row.ours or row.adopted) for row in rows):
            return self._settled(made, asked, rows, look, state)
        if asked is None:
            rows = others.replaced(rows, state.own, state.recorded)
        now = paid.sums(rows, currency)
        rows = others.copied(rows, state.collected - now.ours - now.adopted, self.tools, state.is_copy, own=self.member)
        now = paid.sums(rows, currency)
        missing = state.collected - now.ours - now.adopted
        return paid.claim(rows, missing, state.dated, member=self.member, open_=look.invoice.balance)

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
        """Not idempotent: it is remembered before it is sent, and after silence the invoice is looked at before anything else."""
        id = look.invoice.id
        asked = self._asked[id] = Asked(amount=amount, before=tuple(rows))
        state.remember((*_tokens(rows), str(asked)))
        try:
            made: wire.Payment | None = self._send(amount, rows, id, state)
            after = self._look(id) if rows else look
        except OutcomeUnknown as unknown:
            after = self._look_again(id, unknown)
            made = asked.left_behind(after.payments, member=self.member)
            if made is None:
                raise
        return self._settled(made, asked, rows, after, state) if made else rows

    def _send(self, amount: Money, rows: Sequence[Row], invoice: str, state: PaidState) -> wire.Payment:
        content = {"amount": amount.major, "paymentDate": _midnight(state)}
        try:
            answer = self.client.post(f"/finance/invoices/{invoice}/payments", content)
        except OutcomeUnknown:
            raise
        except ConnectorError:  # refused, so nothing is left to be found
            self._asked.pop(invoice, None)
            state.remember(_tokens(rows))
            raise
        made = self._payment(answer, invoice)
        self.member = self.member or made.applied_by.strip()
        return made

    def _look_again(self, id: str, unknown: OutcomeUnknown) -> _Look:
        try:
            return self._look(id)
        except ConnectorError:
            raise unknown from None

    def _settled(self, made: wire.Payment, asked: Asked, rows: Sequence[Row], look: _Look, state: PaidState) -> list[Row]:
        """Our new row among the others. Where ConnectWise holds one payment per invoice, it replaced what was there: that is
        put back into our row, unless that was done already."""
        lost = asked.lost(look.payments) if asked.before else ()
        gone_ids = {row.payment.id for row in lost}
        kept = [row for row in rows if row.payment.id not in {made.id, *gone_ids}]
        gone = paid.sums(lost, asked.amount.currency)
        whole = Row(payment=made, ours=asked.amount + gone.ours, adopted=gone.adopted, foreign=gone.foreign)
        if not lost or Money.from_major(made.amount, asked.amount.currency) == whole.whole:
            return [*kept, whole]
        return self._change(whole, whole.whole, [*kept, whole], look, state)

    def _change(self, row: Row, to: Money, rows: list[Row], look: _Look, state: PaidState) -> list[Row]:
        path = f"/finance/invoices/{look.invoice.id}/payments/{row.payment.id}"
        others = [other for other in rows if other is not row]
        if to.minor <= 0:
            self.client.delete(path)
            return others
        raised = to >= Money.from_major(row.payment.amount, to.currency)
        self.client.patch(path, {"amount": to.major, **({"paymentDate": _midnight(state)} if raised else {})})
        kept = row.foreign + row.adopted
        return [*others, Row(payment=row.payment, ours=to - kept, adopted=row.adopted, foreign=row.foreign)]


def _tokens(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(str(token) for row in rows if (token := row.token) is not None)


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
        own=_tokens(rows),
        recorded=shown.ours + adopted,
        adopted=adopted,
        balance=invoice.balance,
        wrote=wrote,
    )
