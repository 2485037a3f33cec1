"""Autotask's words -> ours. Pure: records in, model out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from adapters.autotask import wire
from adapters.autotask.lines import Problem, Segment, Sold, Span, first_period, is_extended, segments
from connector.errors import Rejected
from connector.mapping.spec import FieldError, FieldMapping
from connector.model.agreement import Agreement, AgreementLine, AgreementRef, LineBilling, Payer, Unusable, is_charge_date
from connector.model.invoice import OtherSort, PsaInvoice, PsaInvoiceKind
from connector.model.money import Money
from connector.model.period import Cycle, Timing

NAME = "autotask"
ONE_DAY = timedelta(days=1)
LINE_KEPT = timedelta(days=62)  # rows that ended earlier are on no bill that is still open
MONTHS = {"Monthly": 1, "Quarterly": 3, "Semi-Annual": 6, "Yearly": 12}  # by the label of a period type
_LETTERS = {"m": "Monthly", "q": "Quarterly", "s": "Semi-Annual", "y": "Yearly"}  # as some contracts have it

Record = dict[str, Any]
Labels = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """Services and bundles are sold alike; only the names of entities and fields differ."""

    sold: str
    units: str
    products: str
    sold_key: str
    product_key: str
    word: str


SERVICE = Kind(
    sold="ContractServices",
    units="ContractServiceUnits",
    products="Services",
    sold_key="contractServiceID",
    product_key="serviceID",
    word="service",
)
BUNDLE = Kind(
    sold="ContractServiceBundles",
    units="ContractServiceBundleUnits",
    products="ServiceBundles",
    sold_key="contractServiceBundleID",
    product_key="serviceBundleID",
    word="bundle",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class OnContract:
    """A service or bundle on a contract: its record there, the product, and its unit rows."""

    kind: Kind
    record: Record
    product: Record
    rows: tuple[Record, ...]

    @property
    def id(self) -> str:
        """Ids of services and of bundles may meet."""
        id = str(self.record["id"])
        return id if self.kind is SERVICE else f"bundle-{id}"

    @property
    def name(self) -> str:
        return str(self.record.get("invoiceDescription") or self.product.get("name") or self.kind.word)


@dataclass(frozen=True, kw_only=True, slots=True)
class Related:
    """What contracts refer to. `contacts` and `currencies` by company; `renews`: contract -> the one before it."""

    companies: Mapping[int, Record]
    contacts: Mapping[int, Sequence[Record]]
    currencies: Mapping[int, str]
    labels: Labels
    renews: Mapping[int, int] = field(default_factory=dict)
    bill_contacts: Mapping[int, int] = field(default_factory=dict)  # payer -> the contact that its contracts name


def ref(id: int) -> AgreementRef:
    return AgreementRef(psa=NAME, id=str(id))


def payer_id(contract: Mapping[str, Any]) -> int:
    """Company 0 is the MSP itself, so nothing here may take 0 for nothing."""
    bill_to = contract.get("billToCompanyID")
    return int(contract["companyID"] if bill_to is None else bill_to)


def unusable(record: Mapping[str, Any], problem: Problem) -> Unusable:
    name = str(record.get("contractName") or "contract")
    company = record.get("company")
    served = str(company.get("companyName") or "") if isinstance(company, Mapping) else ""
    where = f"{served}: {name}" if served else name
    return Unusable(
        ref=ref(record["id"]), name=name, reason=problem.reason, message=f"{where} (contract {record['id']}): {problem.text}"
    )


# Contracts


def full_record(contract: Record, related: Related) -> Record:
    """The contract as the mapping's paths see it, but for its services. What it refers to and is not there is null."""
    renews = related.renews.get(contract["id"])
    payer = related.companies.get(payer_id(contract))
    return {
        **contract,
        "company": related.companies.get(int(contract["companyID"])),
        "payer": payer,
        "labels": {name: label(related.labels, name, contract.get(name)) for name in related.labels if name != "periodType"},
        "firstPeriod": None,
        "renews": None if renews is None else str(renews),
    }


def label(labels: Labels, field: str, value: Any) -> str | None:
    """A picklist's word: values are text where Autotask tells of them, and integers in rows."""
    if value is None or value == "":
        return None
    return labels.get(field, {}).get(str(value)) or _LETTERS.get(str(value).lower()) or str(value)


def takes(record: Record, mapping: FieldMapping) -> bool:
    """Whether the mapping's filter takes it. Raises Problem."""
    try:
        return mapping.section("agreement").takes(record)
    except FieldError as error:
        raise Problem("mapping_failed", f"{error}. Correct the mapping, or the contract in Autotask.") from None


def agreement(
    record: Record, items: Sequence[OnContract], related: Related, mapping: FieldMapping, *, currency: str, today: date
) -> Agreement:
    """The contract with its lines and its snapshot. `currency` is the only one that we collect. Raises Problem."""
    rows = {item.id: tuple(_row(row, item) for row in item.rows) for item in items}
    record = _with_periods(record, items, rows, related)
    head = _header(record, related, mapping, currency)
    lines = _lines(head, record, items, rows, mapping, today)
    whole = replace(head, lines=lines)
    return replace(whole, snapshot=hashlib.sha256(repr(whole).encode()).hexdigest()[:32])


def _row(record: Record, item: OnContract) -> wire.Units:
    try:
        return wire.Units.model_validate(record)
    except ValidationError as error:
        what = ", ".join(str(found["loc"][0]) for found in error.errors())
        raise Problem("unreadable", f"unit row {record.get('id')} of {item.name} cannot be read: {what}.") from None


def _with_periods(
    record: Record, items: Sequence[OnContract], rows: Mapping[str, Sequence[wire.Units]], related: Related
) -> Record:
    """With the one period of its services. Services of several periods are several bills: nobody can charge them as one."""
    billed = [item for item in items if any(row.units or row.price for row in rows[item.id])]
    words = {label(related.labels, "periodType", item.product.get("periodType")): item for item in billed}
    if len(words) > 1:
        told = ", ".join(f"{item.name} ({word})" for word, item in sorted(words.items(), key=lambda pair: str(pair[0])))
        raise Problem(
            "mixed_cycle",
            f"its services are billed by different periods: {told}. Put them on one contract for each period in Autotask.",
        )
    word = next(iter(words), None) or label(related.labels, "contractPeriodType", record.get("contractPeriodType"))
    months, starts = MONTHS.get(word or ""), _day(record, "startDate")
    anchor = first_period(starts, [row for found in rows.values() for row in found], months) if months else None
    labels = {**record["labels"], "period": word}
    return {**record, "labels": labels, "firstPeriod": None if anchor is None else anchor.isoformat()}


def _day(record: Mapping[str, Any], name: str) -> date:
    try:
        return date.fromisoformat(str(record.get(name))[:10])
    except ValueError:
        raise Problem("unreadable", f"its {name} is not a date. Correct it in Autotask.") from None


def _header(record: Record, related: Related, mapping: FieldMapping, currency: str) -> Agreement:
    payer = record["payer"]
    if payer is None:
        raise Problem(
            "no_bill_to",
            f"its bill-to company {payer_id(record)} is deleted or may not be read. Set Bill To on the contract in Autotask.",
        )
    try:
        fields = mapping.section("agreement").read(record)
        paying = _payer(payer, related, mapping).at(fields["location"] or "")
    except FieldError as error:
        raise _field_problem(error, record) from None
    if not is_charge_date(fields["charge_date"] or ""):
        raise Problem(
            "mapping_failed",
            f"its charge date {fields['charge_date']!r} is none of due_date, invoice_date or a day of the month (1 to 31)."
            " Correct the mapping, or the contract in Autotask.",
        )
    used = related.currencies.get(payer["id"], currency)
    if used != currency:
        raise Problem(
            "unsupported_currency", f"it is billed in {used}, and only {currency} is collected here. Leave it out of the mapping."
        )
    return Agreement(
        ref=ref(record["id"]),
        name=fields["name"],
        company_name=fields["company_name"],
        payer=paying,
        group=fields["group"] or str(record["id"]),
        cycle=Cycle(fields["cycle"]),
        timing=Timing(fields["timing"]),
        anchor=fields["anchor"],
        starts=fields["starts"],
        ends=fields["ends"] + ONE_DAY if fields["ends"] else None,
        base=_money(fields["base"], currency),
        base_tax_treatment=fields["base_tax_treatment"],
        lines=(),
        kind=fields["kind"] or "",
        collect=fields["collect"],
        collect_from=fields["collect_from"],
        charge_date=fields["charge_date"] or "",
        renews=fields["renews"] or "",
    )


def _field_problem(error: FieldError, record: Record) -> Problem:
    if error.field != "cycle":
        return Problem("mapping_failed", f"{error}. Correct the mapping, or the contract in Autotask.")
    word = record["labels"].get("period")
    return Problem(
        "unknown_cycle",
        f"the billing period {word!r} of its services is none that we can charge by ({', '.join(Cycle)})."
        f" Choose other services in Autotask, or map it at {error.place}.",
    )


def _payer(company: Record, related: Related, mapping: FieldMapping) -> Payer:
    contacts = [contact for contact in related.contacts.get(company["id"], ()) if str(contact.get("isActive")) in ("1", "True")]
    contact = _bill_contact(contacts, related.bill_contacts.get(company["id"]))
    fields = mapping.section("payer").read({**company, "contacts": contacts, "contact": contact})
    return Payer(
        psa=NAME,
        id=str(company["id"]),
        name=fields["name"],
        email=(fields["email"] or "").strip(),
        books_id=fields["books_id"] or "",
        books_name=fields["books_name"] or "",
        gateway_customer=(fields["gateway_customer"] or "").strip(),
    )


def _bill_contact(contacts: Iterable[Record], named: int | None) -> Record | None:
    """The one whom contracts name, else the primary one, else the oldest; only who has an address."""
    reachable = [contact for contact in contacts if "@" in str(contact.get("emailAddress") or "")]
    return min(reachable, key=lambda c: (c["id"] != named, not c.get("primaryContact"), c["id"]), default=None)


def _money(amount: Decimal, currency: str) -> Money:
    try:
        return Money.from_major(amount, currency)
    except ValueError:
        raise Problem("unsupported_currency", f"the currency {currency} is not supported.") from None


# Lines


def _lines(
    head: Agreement,
    record: Record,
    items: Sequence[OnContract],
    rows: Mapping[str, tuple[wire.Units, ...]],
    mapping: FieldMapping,
    today: date,
) -> tuple[AgreementLine, ...]:
    ends = _day(record, "endDate") + ONE_DAY
    span = Span(
        anchor=head.anchor,
        cycle=head.cycle,
        ends=ends,
        read_from=max(head.starts, today - LINE_KEPT),
        today=today,
        currency=head.currency,
    )
    sold = {item.id: Sold(id=item.id, name=item.name, listed=_listed(item.record), rows=rows[item.id]) for item in items}
    extended = is_extended(sold.values(), span)
    return tuple(
        _line(item, segment, record, mapping) for item in items for segment in segments(sold[item.id], span, extended=extended)
    )


def _listed(record: Mapping[str, Any]) -> tuple[Decimal, ...]:
    found = (wire.amount(record.get(name)) for name in ("unitPrice", "adjustedPrice"))
    return tuple(dict.fromkeys(price for price in found if price is not None))


def _line(item: OnContract, segment: Segment, contract: Record, mapping: FieldMapping) -> AgreementLine:
    full = {
        **item.record,
        "product": item.product,
        "productKey": f"{item.kind.word}-{item.record.get(item.kind.product_key)}",
        "units": segment.quantity,
        "price": segment.unit_price,
        "contract": contract,
    }
    try:
        fields = mapping.section("line").read(full)
    except FieldError as error:
        raise Problem("mapping_failed", f"{item.name}: {error}. Correct the mapping, or the service.") from None
    return AgreementLine(
        id=item.id,
        product=fields["product"],
        name=fields["name"],
        quantity=segment.quantity,
        unit_price=segment.unit_price,
        amount=segment.amount,
        tax_treatment=fields["tax_treatment"],
        billing=LineBilling(fields["billing"]),
        starts=segment.starts,
        ends=segment.ends,
    )


# Renewals


def renewals(contracts: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    """Contract -> the one that it continues. Which of the two names the other is not published: the later one renews."""
    by_id = {int(contract["id"]): contract for contract in contracts}
    found: dict[int, int] = {}
    for id, contract in by_id.items():
        other = contract.get("renewedContractID")
        if isinstance(other, int) and other in by_id and other != id:
            earlier, later = sorted((id, other), key=lambda key: (str(by_id[key].get("startDate")), key))
            found[later] = earlier
    return found


# Invoices


def read_invoice(record: Record) -> wire.Invoice:
    """Rejected, naming the invoice, when it lacks what we calculate with."""
    try:
        return wire.Invoice.model_validate(record)
    except ValidationError as error:
        what = ", ".join(str(found["loc"][0]) for found in error.errors())
        number = record.get("invoiceNumber") or "without number"
        raise Rejected(
            f"invoice {number} (id {record.get('id')}) of Autotask cannot be read: {what}", code="unreadable"
        ) from None


def read_item(record: Record) -> wire.Item:
    try:
        return wire.Item.model_validate(record)
    except ValidationError as error:
        what = ", ".join(str(found["loc"][0]) for found in error.errors())
        raise Rejected(f"billing item {record.get('id')} of Autotask cannot be read: {what}", code="unreadable") from None


def invoice(found: wire.Invoice, items: Sequence[wire.Item], currency: str) -> PsaInvoice:
    """Its contracts are those of its items. An invoice with a recurring service on it is the period's bill, whatever else is on
    it: Autotask can only say of the whole invoice that it is paid."""
    whole, nothing = Money.from_major(found.total, currency), Money.zero(currency)
    tax = Money.from_major(found.tax, currency)
    paid = found.paid is not None
    voided = bool(found.voided)
    contracts = sorted({item.contract for item in items if item.contract is not None})
    return PsaInvoice(
        id=str(found.id),
        number=found.shown_number,
        kind=_kind(found, items),
        agreements=tuple(ref(id) for id in contracts),
        payer=f"{NAME}:{found.company}",
        dated=found.dated,
        due_date=found.due,
        subtotal=whole - tax,
        tax=tax,
        total=whole,
        payments=whole if paid else nothing,
        credits=nothing,
        balance=nothing if paid or voided else whole,
        voided=voided,
        sort=_sort(items) if _kind(found, items) is PsaInvoiceKind.OTHER else None,
        paid_on=found.paid,
    )


def _sort(items: Sequence[wire.Item]) -> OtherSort | None:
    """By what the items name: a project, or work on a ticket; charges that name neither are things sold."""
    if any(item.of_project for item in items):
        return OtherSort.PROJECT
    if any(item.of_work for item in items):
        return OtherSort.TIME_AND_MATERIALS
    return OtherSort.PRODUCT if items else None


def _kind(found: wire.Invoice, items: Iterable[wire.Item]) -> PsaInvoiceKind:
    """A period's bill that other items took below zero stays the period's bill: the period was billed."""
    if found.total < 0 and not any(item.recurs and item.total > 0 for item in items):
        return PsaInvoiceKind.CREDIT_MEMO
    return PsaInvoiceKind.AGREEMENT if any(item.recurs for item in items) else PsaInvoiceKind.OTHER
