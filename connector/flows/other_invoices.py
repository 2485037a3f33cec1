"""Other invoices: those of opted-in payers that no agreement's period owns get a charge and a draft of their own; the rest
is listed as open and not collected. From the draft on they go the way of every other charge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from connector.flows import books_invoices, holding
from connector.flows.bills import UnitBills
from connector.flows.by_hand import draft_by_hand, found_draft, nothing_live
from connector.flows.desk import Desk
from connector.model.agreement import BillingUnit, company_of
from connector.model.charge import Charge, ChargeState, charge_id
from connector.model.invoice import Adjustment, GatewayInvoice, PsaInvoice
from connector.model.money import Money
from connector.model.other import is_other, one_off, only_bill, period_of, refused, unit_of
from connector.model.release import COMPUTED
from connector.model.subscription import LiveSubscription
from connector.store import audit, charges, other_invoices, payers, settings
from connector.store.other_invoices import Uncollected
from connector.store.payers import PayerRow

UNFINISHED = (ChargeState.WAITING, ChargeState.HELD)
LISTED_EVERY = timedelta(hours=1)  # where none are collected: only for the list of what is open
SINCE = "other_since"  # in a payer's detail: the day on which the configuration first named it
BACK = timedelta(days=31)  # how much earlier than its date an invoice may have been drafted for
_LISTED_AT = "other_invoices.listed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Unfinished charges for other invoices: their billing units, their bills, and the drafts that were made just now."""

    units: Mapping[str, BillingUnit] = field(default_factory=dict)
    bills: Mapping[str, UnitBills] = field(default_factory=dict)
    drafts: tuple[GatewayInvoice, ...] = ()
    failed: tuple[str, ...] = ()


def standing(desk: Desk) -> Standing:
    """One look at the PSA. What is open there and has no charge yet gets one, or is listed."""
    rows, waiting = _stored(desk)
    if not waiting and not _is_due(desk):
        return Standing()
    rows = _with_first_day(desk, rows)
    open_ = _open(desk, rows, waiting)
    _take_up(desk, rows, open_.values())
    rows, waiting = _stored(desk)
    units: dict[str, BillingUnit] = {}
    bills: dict[str, UnitBills] = {}
    for charge in waiting:
        invoice = open_.get(charge.psa_invoice) or desk.psa.invoice(charge.psa_invoice)
        units[charge.unit], bills[charge.unit] = _unit(desk, charge, invoice)
    drafts, failed = _missing_drafts(desk, rows, [c for c in waiting if not c.gateway_invoice], bills)
    return Standing(units=units, bills=bills, drafts=drafts, failed=failed)


def _stored(desk: Desk) -> tuple[dict[str, PayerRow], list[Charge]]:
    with desk.store.read() as tx:
        rows = {row.key: row for row in payers.every(tx)}
        return rows, [charge for charge in charges.every(tx, UNFINISHED) if is_other(charge.unit)]


def _is_due(desk: Desk) -> bool:
    if desk.settings.other.sorts and desk.settings.other.payers:
        return True
    with desk.store.read() as tx:
        listed = settings.get(tx, _LISTED_AT)
    return listed is None or datetime.fromisoformat(listed) + LISTED_EVERY <= desk.now()


def _with_first_day(desk: Desk, rows: Mapping[str, PayerRow]) -> dict[str, PayerRow]:
    """What was invoiced before the payer was opted in may have been agreed otherwise: the day is remembered."""
    result = dict(rows)
    for key, row in rows.items():
        detail = {name: value for name, value in row.detail.items() if name != SINCE}
        if desk.settings.other.of(key) is not None:
            detail[SINCE] = row.detail.get(SINCE, desk.today().isoformat())
        if detail != row.detail:
            result[key] = replace(row, detail=detail)
            with desk.store.begin() as tx:
                payers.save(tx, result[key], now=desk.now())
    return result


def _open(desk: Desk, rows: Mapping[str, PayerRow], waiting: Sequence[Charge]) -> dict[str, PsaInvoice]:
    """By id: open invoices of payers with a payment method, and of those with a charge that waits."""
    wanted = {company_of(key) for key, row in rows.items() if row.method} | {charge.payer for charge in waiting}
    since = min([desk.settings.policy.collect_from, *(charge.period.start for charge in waiting)])
    return {invoice.id: invoice for invoice in desk.psa.other_invoices(wanted, since=since)} if wanted else {}


# Charges, and the list of what is not charged


def _take_up(desk: Desk, rows: Mapping[str, PayerRow], open_: Iterable[PsaInvoice]) -> None:
    left: list[Uncollected] = []
    for invoice in open_:
        with desk.store.read() as tx:
            there = [*charges.by_psa_invoice(tx, invoice.id), *charges.of_unit(tx, unit_of(invoice))]
        why = _over(there) if there else _refused(desk, rows, invoice)
        if why:
            left.append(_uncollected(rows, invoice, why))
        elif not there:
            _add(desk, invoice)
    with desk.store.begin() as tx:
        other_invoices.replace_all(tx, left, now=desk.now())
        settings.set(tx, _LISTED_AT, desk.now().isoformat(), now=desk.now())


def _over(there: Sequence[Charge]) -> str:
    """A charge stood for it, and nothing collects it any more: never a second one."""
    ended = [charge for charge in there if charge.state in (ChargeState.WRITTEN_OFF, ChargeState.ENDED)]
    if len(ended) < len(there):
        return ""
    return "its charge was written off when nothing was owed, or was ended at the gateway; it is not charged a second time"


def _refused(desk: Desk, rows: Mapping[str, PayerRow], invoice: PsaInvoice) -> str:
    row = rows.get(invoice.payer)
    own = desk.settings.other.of(invoice.payer)
    first = date.fromisoformat(row.detail[SINCE]) if row is not None and SINCE in row.detail else date.max
    since = max(own.since if own is not None and own.since else first, desk.settings.policy.collect_from)
    return refused(desk.settings.other, invoice, enrolled=row is not None and bool(row.method), since=since)


def _uncollected(rows: Mapping[str, PayerRow], invoice: PsaInvoice, why: str) -> Uncollected:
    return Uncollected(
        psa_invoice=invoice.id,
        number=invoice.number,
        payer=invoice.payer,
        payer_name=_name(rows, invoice.payer),
        sort=invoice.sort or "",
        dated=invoice.dated,
        due=invoice.due_date,
        open=invoice.balance,
        why=why,
    )


def _name(rows: Mapping[str, PayerRow], company: str) -> str:
    """Of a company none of whose own agreements is collected the name is known by its locations."""
    if company in rows:
        return rows[company].name
    return next((books_invoices.company_name(row) for key, row in rows.items() if company_of(key) == company), company)


def _add(desk: Desk, invoice: PsaInvoice) -> None:
    """Written ahead, bound to its invoice: after a restart the same invoice is the same charge's."""
    unit, period = unit_of(invoice), period_of(invoice)
    charge = Charge(
        id=charge_id(unit, period),
        unit=unit,
        period=period,
        number=0,
        state=ChargeState.WAITING,
        currency=invoice.total.currency,
        computed=invoice.subtotal,
        payer=invoice.payer,
        psa_invoice=invoice.id,
        psa_number=invoice.number,
        owed=invoice.balance,
    )
    with desk.store.begin() as tx:
        if charges.of_unit(tx, unit):
            return
        charges.ensure(tx, charge, now=desk.now())
        what = f"charge {charge.id} for invoice {invoice.number}, which no agreement bills"
        audit.write(tx, who=desk.settings.worker, what=what, after={"open": str(invoice.balance)}, now=desk.now())


def _unit(desk: Desk, charge: Charge, invoice: PsaInvoice | None) -> tuple[BillingUnit, UnitBills]:
    payer = books_invoices.known_payer(desk, charge.payer)
    unit = one_off(charge, invoice, payer)
    return unit, UnitBills(unit=unit, bills=only_bill(charge.period, invoice), invoices=(invoice,) if invoice else ())


# Drafts


def _missing_drafts(
    desk: Desk, rows: Mapping[str, PayerRow], waiting: Sequence[Charge], bills: Mapping[str, UnitBills]
) -> tuple[tuple[GatewayInvoice, ...], tuple[str, ...]]:
    """One for each charge, once. Refused ones are held and keep nobody else's back."""
    drafts: list[GatewayInvoice] = []
    failed: list[str] = []
    patience = holding.Patience()
    there = _at_gateway(desk, waiting)
    for charge in waiting:
        owed = [bill for bill in bills[charge.unit].bills.of(charge.period) if bill.balance.minor > 0]
        if owed or charge.id in there:
            make = partial(_draft, desk, rows.get(charge.payer), charge, there.get(charge.id), drafts)
            failed.append(holding.guarded(desk, charge, make, patience))
        elif not charge.number:  # one that collects again waits until the PSA shows that the money went back
            _drop(desk, charge)
    return tuple(drafts), tuple(message for message in failed if message)


def _at_gateway(desk: Desk, waiting: Sequence[Charge]) -> dict[str, GatewayInvoice]:
    """Invoices that were made for these before: our own store may have been restored from a copy. By charge."""
    if not waiting:
        return {}
    since = min([desk.now(), *(datetime.combine(charge.period.start, time(), UTC) for charge in waiting)]) - BACK
    wanted = {charge.id for charge in waiting}
    return {invoice.charge: invoice for invoice in desk.gateway.invoices_since(since) if invoice.charge in wanted}


def _draft(desk: Desk, row: PayerRow | None, charge: Charge, found: GatewayInvoice | None, drafts: list[GatewayInvoice]) -> None:
    draft = found_draft(desk, charge.id, found, _line(charge)) if found is not None else _by_hand(desk, row, charge)
    if draft is None:
        return
    with desk.store.begin() as tx:
        charges.update(tx, charge.id, gateway_invoice=draft.id, now=desk.now())
    drafts.append(draft)


def _by_hand(desk: Desk, row: PayerRow | None, charge: Charge) -> GatewayInvoice | None:
    if row is None or not row.customer:
        return None
    return draft_by_hand(desk, _for(desk, row, charge), charge.id, charge.period.start, _line(charge))


def _line(charge: Charge) -> Adjustment:
    return Adjustment(slot=COMPUTED, description=f"Invoice {charge.psa_number}", amount=charge.computed)


def _for(desk: Desk, row: PayerRow, charge: Charge) -> LiveSubscription:
    return nothing_live(
        desk,
        unit=charge.unit,
        payer=charge.payer,
        customer=row.customer,
        currency=charge.currency,
        day=charge.period.start,
        description=f"Invoice {charge.psa_number}",
    )


def _drop(desk: Desk, charge: Charge) -> None:
    """Paid elsewhere or deleted before a draft was made for it."""
    with desk.store.begin() as tx:
        charges.update(tx, charge.id, state=ChargeState.WRITTEN_OFF, owed=Money.zero(charge.currency), now=desk.now())
