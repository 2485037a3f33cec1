"""Who works in ConnectWise: sells, edits, invoices late or early, deletes, credits, and enters cheques."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.simulation.life import Life, Step, pick

MOST_CUSTOMERS = 5
PRODUCTS = (("Workstation", "45.00"), ("Server care", "149.00"), ("Backup", "0.0450"), ("Desk", "12.333333"), ("Seat", "21.95"))


def somebody_signs_up(life: Life) -> str | None:
    m, number = life.msp, len(_companies(life))
    if number >= MOST_CUSTOMERS:
        return None
    name = f"Customer {number + 1}"
    company = m.act("office.add_company", name=name, email=f"ap{number}@customer.example", Autopay="Yes")
    starts = (life.now.date() + timedelta(days=life.chance.randint(-25, 8))).replace(day=life.chance.choice((1, 1, 1, 15)))
    cycle = life.chance.choice(("Monthly", "Monthly", "Monthly", "Quarterly in advance"))
    terms = life.chance.choice(("Due on receipt", "Due on receipt", "Net 15", "Net 30"))
    tax = life.chance.choice(("Exempt", "FL-7.25"))
    fields = {"cycle": cycle, "terms": terms, "tax_code": tax, "amount": f"{life.chance.randint(0, 9) * 100}.00"}
    id = m.act("office.add_agreement", company=company, name=f"Managed {number + 1}", starts=str(starts), **fields)
    for product, price in life.chance.sample(PRODUCTS, 2):
        quantity = life.chance.randint(1, 40)
        m.act("office.add_addition", agreement=id, product=product, quantity=quantity, unitPrice=price, starts=str(starts))
    return f"{name}, agreement {id} from {starts}, {cycle}, {terms}"


def quantity_changes(life: Life) -> str | None:
    row = pick(life, _rows(life, "additions"))
    if row is None:
        return None
    quantity = life.chance.randint(0, 45)
    life.msp.act("office.change_quantity", addition=row["id"], quantity=quantity)
    return f"addition {row['id']} now {quantity}"


def price_changes(life: Life) -> str | None:
    row = pick(life, _rows(life, "additions"))
    if row is None:
        return None
    price = Decimal(life.chance.randint(50, 20000)) / 100
    life.msp.act("office.change_price", addition=row["id"], price=str(price))
    return f"addition {row['id']} now {price}"


def line_is_added(life: Life) -> str | None:
    row = pick(life, _rows(life, "agreements"))
    if row is None:
        return None
    product, price = life.chance.choice(PRODUCTS)
    starts = _day(life, life.chance.randint(-12, 45))
    life.msp.act("office.add_addition", agreement=row["id"], product=product, quantity=3, unitPrice=price, starts=starts)
    return f"{product} on {row['id']} from {starts}"


def line_is_cancelled(life: Life) -> str | None:
    row = pick(life, [row for row in _rows(life, "additions") if "cancelledDate" not in row])
    if row is None:
        return None
    on = _day(life, life.chance.randint(-12, 45))
    life.msp.act("office.cancel_addition", addition=row["id"], on=on)
    return f"addition {row['id']} on {on}"


def agreement_ends(life: Life) -> str | None:
    row = pick(life, _rows(life, "agreements"))
    if row is None:
        return None
    on = _day(life, life.chance.randint(-5, 50))
    action = life.chance.choice(("end_agreement", "cancel_agreement"))
    life.msp.act(f"office.{action}", agreement=row["id"], on=on)
    return f"{action} {row['id']} on {on}"


def agreement_is_renewed(life: Life) -> str | None:
    row = pick(life, [row for row in _rows(life, "agreements") if not row.get("endDate")])
    if row is None:
        return None
    starts = (life.now.date().replace(day=1) + timedelta(days=32)).replace(day=1)
    new = life.msp.act("office.renew_agreement", agreement=row["id"], starts=str(starts))
    return f"{row['id']} as {new} from {starts}"


def company_opts(life: Life) -> str | None:
    row = pick(life, _companies(life))
    if row is None:
        return None
    value = life.chance.choice(("Yes", "Yes", "No"))
    life.msp.act("office.set_custom_field", record="companies", id=row["id"], caption="Autopay", value=value)
    return f"{row['name']}: {value}"


def invoicing_changes(life: Life) -> str:
    """Somebody is ill, or works ahead."""
    on, ahead = life.chance.random() < 0.7, life.chance.choice((0, 0, 5, 12))
    life.msp.act("office.set_automatic", on=on, days_ahead=ahead)
    return f"automatic {on}, {ahead} days ahead"


def invoices_are_made(life: Life) -> str:
    ahead = life.chance.choice((0, 0, 10, 25))
    dated = {"dated": _day(life, 0)} if life.chance.random() < 0.25 else {}
    made = life.msp.act("office.create_invoices", through=_day(life, ahead), **dated)
    return f"{ahead} days ahead {dated}: {[row['number'] for row in made]}"


def invoice_is_deleted(life: Life) -> str | None:
    row = pick(life, life.msp.psa_invoices()[-6:])
    if row is None:
        return None
    life.msp.act("office.delete_invoice", invoice=row["id"])
    return str(row["invoiceNumber"])


def invoice_is_credited(life: Life) -> str | None:
    row = pick(life, [row for row in life.msp.psa_invoices() if row["balance"] > 1])
    if row is None:
        return None
    amount = life.chance.choice((row["balance"], (row["balance"] / 4).quantize(Decimal("0.01"))))
    life.msp.act("office.create_credit_memo", invoice=row["id"], amount=str(amount))
    return f"{row['invoiceNumber']} {amount}"


def cheque_is_entered(life: Life) -> str | None:
    """In the PSA; the clerk enters it in the books at once, or forgets."""
    row = pick(life, [row for row in life.msp.psa_invoices() if row["balance"] > 1])
    if row is None:
        return None
    amount = min(row["balance"], Decimal(life.chance.choice(("11.11", "55.55", "100000"))))
    life.msp.act("office.record_payment", invoice=row["id"], amount=str(amount))
    said = f"{row['invoiceNumber']} {amount}"
    if life.chance.random() < 0.6:
        payer = row["billToCompany"]["name"]
        life.msp.act("quickbooks.enter_payment", customer_name=payer, amount=str(amount), number=row["invoiceNumber"])
        said += ", in the books too"
    return said


def payments_are_posted(life: Life) -> str:
    return f"{life.msp.act('office.post_payments', batch='B1')} payments"


def _companies(life: Life) -> list[dict[str, Any]]:
    return _rows(life, "companies")


def _rows(life: Life, name: str) -> list[dict[str, Any]]:
    found = life.msp.world.partners["connectwise"].state()[name]
    return list(found.values()) if isinstance(found, dict) else list(found)


def _day(life: Life, ahead: int) -> str:
    return str(life.now.date() + timedelta(days=ahead))


TABLE: list[tuple[int, Step]] = [
    (3, somebody_signs_up),
    (5, quantity_changes),
    (3, price_changes),
    (3, line_is_added),
    (2, line_is_cancelled),
    (1, agreement_ends),
    (1, agreement_is_renewed),
    (2, company_opts),
    (2, invoicing_changes),
    (2, invoices_are_made),
    (2, invoice_is_deleted),
    (2, invoice_is_credited),
    (4, cheque_is_entered),
    (1, payments_are_posted),
]
