"""ConnectWise's words -> ours. Pure: records in, model out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from adapters.connectwise import wire
from connector.errors import Rejected
from connector.mapping.spec import FieldError, FieldMapping
from connector.model.agreement import Agreement, AgreementLine, AgreementRef, LineBilling, Payer, Unusable, is_charge_date
from connector.model.invoice import OtherSort, PsaInvoice, PsaInvoiceKind, UnreadableInvoice
from connector.model.money import Money
from connector.model.period import Cycle, Timing

NAME = "connectwise"
ONE_DAY = timedelta(days=1)
LINE_KEPT = timedelta(days=400)  # a line that ended earlier is on no bill that is still open

Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Related:
    """What an agreement refers to, by id. `cycles` are read once, `companies` are the payers'."""

    agreements: Mapping[int, Record]
    companies: Mapping[int, Record]
    cycles: Mapping[int, Record]


class Problem(Exception):
    """This agreement cannot be mirrored. `reason` is a word, `text` goes on from "Acme: Gold (agreement 7): "."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


def ref(id: int) -> AgreementRef:
    return AgreementRef(psa=NAME, id=str(id))


def unusable(record: Mapping[str, Any], problem: Problem) -> Unusable:
    name = str(record.get("name") or "agreement")
    company = record.get("company")
    served = str(company.get("name") or "") if isinstance(company, Mapping) else ""
    where = f"{served}: {name}" if served else name
    return Unusable(
        ref=ref(record["id"]), name=name, reason=problem.reason, message=f"{where} (agreement {record['id']}): {problem.text}"
    )


# Agreements


def full_record(agreement: Record, related: Related) -> Record:
    """The agreement as the mapping's paths see it. What it refers to and is not there is null."""
    return {
        **agreement,
        "payer": related.companies.get(reference_id(agreement, "billToCompany")),
        "parent": related.agreements.get(reference_id(agreement, "parentAgreement")),
        "cycle": related.cycles.get(reference_id(agreement, "billingCycle")),
    }


def reference_id(record: Mapping[str, Any], field: str) -> int:
    """0 where there is no reference: no record has that id."""
    found = record.get(field)
    id = found.get("id") if isinstance(found, Mapping) else None
    return id if isinstance(id, int) else 0


def takes(record: Record, mapping: FieldMapping) -> bool:
    """Whether the mapping's filter takes it. Cancelled without a date: gone since nobody knows when. Raises Problem."""
    if record.get("cancelledFlag") and not record.get("dateCancelled"):
        return False
    try:
        return mapping.section("agreement").takes(record)
    except FieldError as error:
        raise Problem("mapping_failed", f"{error}. Correct the mapping, or the record in ConnectWise.") from None


def header(record: Record, mapping: FieldMapping, currency: str) -> Agreement:
    """The agreement without its lines. `currency` is the only one that we collect. Raises Problem."""
    try:
        fields = mapping.section("agreement").read(_checked_references(record))
        payer = _payer(record["payer"], mapping).at(fields["location"] or "")
    except FieldError as error:
        raise _field_problem(error, record) from None
    if not is_charge_date(fields["charge_date"] or ""):
        raise Problem(
            "mapping_failed",
            f"its charge date {fields['charge_date']!r} is none of due_date, invoice_date or a day of the month (1 to 31)."
            " Correct the mapping, or the record in ConnectWise.",
        )
    used = wire.currency_code(record.get("currency"), currency)
    if used != currency:
        raise Problem(
            "unsupported_currency", f"it is billed in {used}, and only {currency} is collected here. Leave it out of the mapping."
        )
    return Agreement(
        ref=ref(record["id"]),
        name=fields["name"],
        company_name=fields["company_name"],
        payer=payer,
        group=fields["group"] or str(reference_id(record, "parentAgreement") or record["id"]),
        cycle=Cycle(fields["cycle"]),
        timing=Timing(fields["timing"]),
        anchor=fields["anchor"],
        starts=fields["starts"],
        ends=_end(fields["ends"], fields["cancelled"]),
        base=_base(fields["base"], currency),
        base_tax_treatment=fields["base_tax_treatment"],
        lines=(),
        kind=fields["kind"] or "",
        collect=fields["collect"],
        collect_from=fields["collect_from"],
        charge_date=fields["charge_date"] or "",
        renews=fields["renews"] or "",
    )


def _checked_references(record: Record) -> Record:
    payer = record["payer"]
    if payer is None or payer.get("deletedFlag"):
        named = record.get("billToCompany")
        which = f"its bill-to company {named.get('name') or ''} (company {named.get('id')})" if isinstance(named, Mapping) else ""
        text = f"{which} is deleted or may not be read" if which else "it has no bill-to company"
        raise Problem("no_bill_to", f"{text}. Set Bill To on the agreement's Billing tab in ConnectWise.")
    if record["cycle"] is None:
        raise Problem("unknown_cycle", "it has no billing cycle that we can read. Set one on the agreement's Billing tab.")
    return record


def _field_problem(error: FieldError, record: Record) -> Problem:
    if error.field != "cycle":
        return Problem("mapping_failed", f"{error}. Correct the mapping, or the record in ConnectWise.")
    cycle = record.get("cycle") or {}
    return Problem(
        "unknown_cycle",
        f"its billing cycle {cycle.get('name')!r} ({cycle.get('billingOptions')}) is none that we can charge by"
        f" ({', '.join(Cycle)}). Choose another in ConnectWise, or map it at {error.place}.",
    )


def _payer(company: Record, mapping: FieldMapping) -> Payer:
    fields = mapping.section("payer").read(company)
    return Payer(
        psa=NAME,
        id=str(company["id"]),
        name=fields["name"],
        email=_first_address(fields["email"] or ""),
        books_id=fields["books_id"] or "",
        books_name=fields["books_name"] or "",
        gateway_customer=(fields["gateway_customer"] or "").strip(),
    )


def _first_address(text: str) -> str:
    """The field takes several, the gateway one."""
    return next((part for part in re.split(r"[;,\s]+", text) if "@" in part), "")


def _base(amount: Decimal, currency: str) -> Money:
    try:
        return Money.from_major(amount, currency)
    except ValueError:
        raise Problem("unsupported_currency", f"the currency {currency} is not supported.") from None


def _end(*last_days: date | None) -> date | None:
    """Half-open: ConnectWise's last days are inclusive (psa.md 3.2, not verified)."""
    return min((day + ONE_DAY for day in last_days if day is not None), default=None)


def bundled(agreement: Agreement, parents: Mapping[str, str], present: Collection[str]) -> Agreement:
    """Grouped under its topmost parent that is `present`: a child without one has no bill to share and stands alone.

    `parents`: agreement -> its parent. A group that the mapping set otherwise stays.
    """
    if agreement.group != parents.get(agreement.ref.id):
        return agreement
    root, seen = agreement.ref.id, {agreement.ref.id}
    while (parent := parents.get(root, "")) in present and parent not in seen:
        root = parent
        seen.add(parent)
    return replace(agreement, group=root)


# Lines


def lines(agreement: Agreement, record: Record, additions: Iterable[Record], mapping: FieldMapping, today: date) -> tuple[
    AgreementLine, ...
]:  # fmt: skip
    """Every addition that may still be on a bill. Raises Problem when ConnectWise's own arithmetic is not ours."""
    read = (_line(addition, record, agreement.currency, mapping, today) for addition in additions)
    return tuple(line for line in read if line.ends is None or line.ends > today - LINE_KEPT)


def _line(addition: Record, record: Record, currency: str, mapping: FieldMapping, today: date) -> AgreementLine:
    full = {**addition, "billedQuantity": _billed_quantity(addition), "agreement": record}
    try:
        fields = mapping.section("line").read(full)
    except FieldError as error:
        raise Problem("mapping_failed", f"addition {addition['id']}: {error}. Correct the mapping, or the addition.") from None
    line = AgreementLine(
        id=fields["id"],
        product=fields["product"],
        name=fields["name"],
        quantity=fields["quantity"],
        unit_price=fields["unit_price"],
        amount=_extended(addition, fields, currency),
        tax_treatment=fields["tax_treatment"],
        billing=LineBilling(fields["billing"]),
        starts=fields["starts"],
        ends=_end(fields["ends"]),
        included=_included(addition, fields["quantity"], full["billedQuantity"]),
    )
    if line.billing is LineBilling.BILLABLE and (line.ends is None or line.ends > today):
        _check_amount(line, addition["id"])
    return line


def _billed_quantity(addition: Record) -> Decimal:
    """ConnectWise bills what exceeds the included quantity; the quantity alone overcharges."""
    try:
        return Decimal(addition.get("quantity") or 0) - Decimal(addition.get("lessIncluded") or 0)
    except (ArithmeticError, TypeError, ValueError):
        raise Problem("mapping_failed", f"addition {addition['id']}: its quantity is not a number.") from None


def _included(addition: Record, quantity: Decimal, billed: Decimal) -> Decimal:
    """Shown to who asks; a mapping that takes the quantity from elsewhere knows nothing of it."""
    return Decimal(addition.get("lessIncluded") or 0) if quantity == billed else Decimal(0)


def _extended(addition: Record, fields: Mapping[str, Any], currency: str) -> Money:
    """The server's own amount, where it says one."""
    given = addition.get("extPrice")
    amount = given if isinstance(given, int | Decimal) else fields["quantity"] * fields["unit_price"]
    return Money.from_major(amount, currency)


def _check_amount(line: AgreementLine, id: int) -> None:
    ours = Money.from_major(line.quantity * line.unit_price, line.amount.currency)
    if ours != line.amount:
        raise Problem(
            "amount_mismatch",
            f"addition {id} ({line.name}): ConnectWise shows {line.amount}, but {line.quantity} x {line.unit_price} is {ours}."
            " Open and save the addition in ConnectWise, so that it is calculated again; if the mapping sets quantity or"
            " unit_price from other fields, correct it.",
        )


# Invoices

_KINDS = {
    "Agreement": PsaInvoiceKind.AGREEMENT,
    "Consolidated": PsaInvoiceKind.AGREEMENT,
    "CreditMemo": PsaInvoiceKind.CREDIT_MEMO,
}


def read_invoice(record: Record) -> wire.Invoice:
    """Rejected, naming the invoice, when it lacks what we calculate with."""
    try:
        return wire.Invoice.model_validate(record)
    except (ValidationError, ValueError) as error:
        what = ", ".join(str(item["loc"][0]) for item in error.errors()) if isinstance(error, ValidationError) else str(error)
        number = record.get("invoiceNumber") or "without number"
        raise Rejected(
            f"invoice {number} (id {record.get('id')}) of ConnectWise cannot be read: {what}", code="unreadable"
        ) from None


def invoice_or_why(record: Record, currency: str, *, given_up: Collection[str] = ()) -> PsaInvoice | UnreadableInvoice:
    """Rejected when it cannot even be said whose it is."""
    try:
        return invoice(read_invoice(record), currency, given_up=given_up)
    except Rejected as error:
        named = (record.get("agreement") or {}).get("id") if isinstance(record.get("agreement"), Mapping) else None
        if not isinstance(named, int):
            raise
        return UnreadableInvoice(id=str(record.get("id")), agreements=(ref(named),), message=str(error))


def invoice(found: wire.Invoice, currency: str, *, given_up: Collection[str] = ()) -> PsaInvoice:
    """Kinds by `type`: what ConnectWise may add later is never taken for a period's bill. `currency`: where it names none.
    `given_up`: names of statuses (in small letters) of invoices whose open amount is not to be collected.

    Rejected when its amounts cannot be of that currency.
    """
    code = wire.currency_code(found.currency, currency)

    def money(amount: Decimal) -> Money:
        try:
            return Money.from_major(amount, code)
        except ValueError as error:
            raise Rejected(
                f"invoice {found.number} (id {found.id}) of ConnectWise cannot be read: {error}", code="unreadable"
            ) from None

    balance = found.balance if found.balance is not None else found.total - found.payments - found.credits
    payer = found.bill_to or found.company
    return PsaInvoice(
        id=str(found.id),
        number=found.number,
        kind=_KINDS.get(found.type, PsaInvoiceKind.OTHER),
        agreements=_named(found),
        payer=f"{NAME}:{payer.id}" if payer else "",
        dated=found.date,
        due_date=found.due_date,
        subtotal=money(found.subtotal if found.subtotal is not None else found.total - found.sales_tax),
        tax=money(found.sales_tax),
        total=money(found.total),
        payments=money(found.payments),
        credits=money(found.credits),
        balance=money(balance),
        closed=found.status.name if found.status and found.status.name.strip().casefold() in given_up else "",
        sort=_sort(found) if found.type not in _KINDS else None,
    )


def _sort(found: wire.Invoice) -> OtherSort | None:
    """ConnectWise has no word for it: by the type and what it applies to, and by whether it bills products alone."""
    if found.type == "Progress" or found.apply_to_type in ("Project", "ProjectPhase"):
        return OtherSort.PROJECT
    if found.type not in ("Standard", "Miscellaneous"):
        return None  # a down payment, or a type that ConnectWise adds later
    products_alone = bool(found.product_total) and found.product_total == found.subtotal
    return OtherSort.PRODUCT if found.apply_to_type == "SalesOrder" or products_alone else OtherSort.TIME_AND_MATERIALS


def _named(found: wire.Invoice) -> tuple[AgreementRef, ...]:
    ids = [found.agreement.id] if found.agreement else []
    if found.apply_to_type == "Agreement" and found.apply_to_id and found.apply_to_id not in ids:
        ids.append(found.apply_to_id)
    return tuple(ref(id) for id in ids)
