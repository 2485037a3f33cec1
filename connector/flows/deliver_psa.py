"""Deliver one ledger entry to the PSA: the invoice there converges to what was collected for it so far."""

from __future__ import annotations

from datetime import timedelta

from connector.errors import Rejected
from connector.flows import agreements
from connector.flows.bills import read_bills
from connector.flows.desk import Desk
from connector.flows.outcome import Done, Later, Outcome
from connector.model.charge import Charge
from connector.model.invoice import PaidRecord, PaidState
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.money import Money, total
from connector.store import charges, ledger, links

WAIT = timedelta(hours=1)


def deliver(desk: Desk, entry: LedgerEntry) -> Outcome:
    """Safe to repeat: nothing is written that the PSA shows already."""
    if desk.settings.psa_payments is None:
        return Later(
            note="nothing is written to the PSA until write_back.psa_payments is chosen in the configuration", after=WAIT
        )
    charge = follow_bill(desk, _charge(desk, entry))
    if not charge.psa_invoice:
        return Later(note=f"no invoice in the PSA yet for {charge.id}", after=WAIT)
    record = converge(desk, charge, entry)
    return Done(external_id=",".join(record.own), note=_said(record))


def converge(desk: Desk, charge: Charge, entry: LedgerEntry) -> PaidRecord:
    """Make the PSA invoice show everything collected so far, dated by this entry; the intent is remembered before."""
    with desk.store.begin() as tx:
        link = links.intend(tx, "psa_payment", charge.psa_invoice, desk.psa.name, now=desk.now())
        link = links.sending(tx, link, now=desk.now(), attempt=link.attempt + 1)
    own = tuple(link.detail.get("own", ()))
    state = PaidState(collected=_collected(desk, charge), dated=entry.on, own=own)
    record = desk.psa.record_paid(charge.psa_invoice, state)
    with desk.store.begin() as tx:
        links.linked(tx, link, target=",".join(record.own) or "adopted", detail={"own": list(record.own)}, now=desk.now())
    return record


def follow_bill(desk: Desk, charge: Charge) -> Charge:
    """A bill that was deleted and made again, or appeared after a computed charge: the charge follows it."""
    if charge.psa_invoice and desk.psa.invoice(charge.psa_invoice) is not None:
        return charge
    alive, _ = agreements.billing_units(desk, agreements.stored_reading(desk))
    units = [unit for unit in alive if unit.key == charge.unit]
    bills = read_bills(desk, units, since=charge.period.start)
    found = bills[charge.unit].bills.of(charge.period) if charge.unit in bills else ()
    if len(found) > 1:
        raise Rejected(f"{charge.id} has {len(found)} invoices in the PSA; delete the one that is not its bill")
    id, number = (found[0].id, found[0].number) if found else ("", charge.psa_number)
    with desk.store.begin() as tx:
        return charges.update(tx, charge.id, psa_invoice=id, psa_number=number, now=desk.now())


def _charge(desk: Desk, entry: LedgerEntry) -> Charge:
    with desk.store.read() as tx:
        charge = charges.get(tx, entry.charge)
    if charge is None:
        raise Rejected(f"the charge {entry.charge} of {entry.key} is not in the store")
    return charge


def _collected(desk: Desk, charge: Charge) -> Money:
    """Net of everything that the ledger knows now of the charges on this invoice. Never 'up to this entry': a payment that is
    found late would then take back what was written for a later one."""
    with desk.store.read() as tx:
        together = charges.by_psa_invoice(tx, charge.psa_invoice)
        entries = [entry for c in together for entry in ledger.entries(tx, charge=c.id)]
    return total((e.amount if e.kind is EntryKind.PAYMENT else -e.amount for e in entries), charge.currency)


def _said(record: PaidRecord) -> str:
    parts = [f"the PSA shows {record.recorded} of ours, open {record.balance}"]
    if record.adopted:
        parts.append(f"{record.adopted} was recorded there by hand already and was not written again")
    return "; ".join(parts)
