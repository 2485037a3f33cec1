"""Who works in Autotask: sells, adjusts, invoices late or early, voids, and enters paid dates."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.simulation.life import Life, Step, pick

MOST_CUSTOMERS = 5


def somebody_signs_up(life: Life) -> str | None:
    m, number = life.msp, len(_customers(life))
    if number >= MOST_CUSTOMERS:
        return None
    terms = life.chance.choice(("Due on receipt", "Due on receipt", "Net 30"))
    email = f"ap{number}@customer.example"
    company = m.act("office.add_company", name=f"Customer {number + 1}", email=email, terms=terms, udfs={"Autopay": "Yes"})
    starts = (life.now.date() + timedelta(days=life.chance.randint(-25, 8))).replace(day=life.chance.choice((1, 1, 15)))
    id = m.act("office.add_contract", company=company, name=f"Managed {number + 1}", starts=str(starts))
    for position in range(2):
        price = f"{life.chance.randint(500, 20000) / 100:.2f}"
        service = m.act("office.add_service", name=f"Service {number}.{position}", price=price, taxed=life.chance.random() < 0.5)
        m.act("office.sell", contract=id, product=service, units=life.chance.randint(1, 12))
    return f"Customer {number + 1}, contract {id} from {starts}, {terms}"


def units_are_adjusted(life: Life) -> str | None:
    sold = pick(life, _rows(life, "ContractServices"))
    if sold is None:
        return None
    units, on = life.chance.choice((-2, -1, 1, 3)), _day(life, life.chance.randint(-12, 40))
    price = {"price": f"{life.chance.randint(500, 9000) / 100:.2f}"} if life.chance.random() < 0.3 else {}
    life.msp.act("office.adjust", sold=sold["id"], units=units, on=on, **price)
    return f"{sold['id']} {units:+} on {on} {price}"


def contract_ends(life: Life) -> str | None:
    row = pick(life, _rows(life, "Contracts"))
    if row is None:
        return None
    on = _day(life, life.chance.randint(0, 60))
    life.msp.act("office.end_contract", contract=row["id"], on=on)
    return f"{row['id']} on {on}"


def contract_is_renewed(life: Life) -> str | None:
    row = pick(life, _rows(life, "Contracts"))
    if row is None:
        return None
    starts = (life.now.date().replace(day=1) + timedelta(days=32)).replace(day=1)
    new = life.msp.act("office.renew_contract", contract=row["id"], starts=str(starts))
    return f"{row['id']} as {new} from {starts}"


def company_opts(life: Life) -> str | None:
    row = pick(life, _customers(life))
    if row is None:
        return None
    value = life.chance.choice(("Yes", "Yes", "No"))
    life.msp.act("office.set_udf", entity="Companies", key=row["id"], name="Autopay", value=value)
    return f"{row['companyName']}: {value}"


def invoicing_changes(life: Life) -> str:
    on, ahead = life.chance.random() < 0.7, life.chance.choice((0, 0, 5, 12))
    life.msp.act("office.set_automatic", on=on, days_ahead=ahead)
    return f"automatic {on}, {ahead} days ahead"


def invoices_are_made(life: Life) -> str:
    ahead = life.chance.choice((0, 0, 10, 25))
    made = life.msp.act("office.create_invoices", through=_day(life, ahead))
    return f"{ahead} days ahead: {[row['number'] for row in made]}"


def invoice_is_voided(life: Life) -> str | None:
    row = pick(life, [row for row in life.msp.psa_invoices()[-6:] if not row["isVoided"]])
    if row is None:
        return None
    life.msp.act("office.void_invoice", invoice=row["id"])
    return str(row["invoiceNumber"])


def credit_is_added(life: Life) -> str | None:
    row = pick(life, _customers(life))
    if row is None:
        return None
    amount = life.chance.choice(("-20.00", "35.00"))
    life.msp.act("office.add_charge", company=row["id"], amount=amount)
    return f"{row['companyName']} {amount}"


def paid_by_cheque(life: Life) -> str | None:
    """All of it: Autotask knows nothing else. The clerk enters it in the books at once, or forgets."""
    row = pick(life, [row for row in life.msp.psa_invoices() if not row["isVoided"] and not row["paidDate"] and row["companyID"]])
    if row is None:
        return None
    life.msp.act("office.set_paid", invoice=row["id"])
    if life.chance.random() < 0.6:
        payer = next(c["companyName"] for c in _rows(life, "Companies") if c["id"] == row["companyID"])
        amount, number = str(row["invoiceTotal"]), str(row["invoiceNumber"])
        life.msp.act("quickbooks.enter_payment", customer_name=payer, amount=amount, number=number)
        return f"{row['invoiceNumber']}, in the books too"
    return str(row["invoiceNumber"])


def _customers(life: Life) -> list[dict[str, Any]]:
    return [row for row in _rows(life, "Companies") if row["companyName"].startswith("Customer ")]


def _rows(life: Life, name: str) -> list[dict[str, Any]]:
    found = life.msp.world.partners["autotask"].state()[name]
    return list(found.values()) if isinstance(found, dict) else list(found)


def _day(life: Life, ahead: int) -> str:
    return str(life.now.date() + timedelta(days=ahead))


TABLE: list[tuple[int, Step]] = [
    (3, somebody_signs_up),
    (6, units_are_adjusted),
    (1, contract_ends),
    (1, contract_is_renewed),
    (2, company_opts),
    (2, invoicing_changes),
    (2, invoices_are_made),
    (2, invoice_is_voided),
    (2, credit_is_added),
    (3, paid_by_cheque),
]
