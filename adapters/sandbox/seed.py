"""A managed service provider's year so far: customers, agreements and what was already invoiced and paid."""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

from adapters.sandbox.autotask import Autotask
from adapters.sandbox.autotask_office import AutotaskOffice
from adapters.sandbox.connectwise import ConnectWise
from adapters.sandbox.connectwise.entry import add_addition, add_agreement, add_company
from adapters.sandbox.connectwise.records import OFFICE
from adapters.sandbox.connectwise.tables import Row, as_date
from adapters.sandbox.office import Office
from adapters.sandbox.seed_autotask import seed as seed_autotask
from adapters.sandbox.syncs import Syncs
from adapters.sandbox.world import START, World

PARTNERS = ("connectwise", "stripe", "quickbooks", "office")
PSAS = ("connectwise", "autotask", "both")
PAST_INVOICES = 2  # of each agreement, made and paid before the start
MANY_LINES = 26  # more than a gateway takes as items

_WHERE = {
    "stripe": ("adapters.sandbox.stripe", "Stripe"),
    "quickbooks": ("adapters.sandbox.quickbooks", "QuickBooks"),
}
_FIRST = "Acme Bayside Cedar Delta Evergreen Fairview Gulfstream Harbor Ironwood Juniper Keystone Lakeshore Meridian".split()
_FIRST += "Northgate Oakmont Palmetto Quarry Ridgeline Summit Tamarack Union Vista Westbrook Yarrow Zephyr".split()
_KIND = ["Dental Group", "Law Partners", "Accounting", "Logistics", "Builders", "Pediatrics", "Realty", "Manufacturing"]
_KIND += [
    "Insurance Agency",
    "Veterinary Clinic",
    "Architects",
    "Credit Union",
    "Orthopedics",
    "Marina",
    "Foods",
    "Charter School",
]
_PEOPLE = ["Pat Lee", "Jordan Smith", "Alex Moreno", "Sam Whitfield", "Robin Castillo", "Dana O'Neill", "Chris Baptiste"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    product: str
    price: str
    cost: str
    quantities: tuple[str, ...]
    uom: str = "Each"


_SERVICES = (
    Service(product="Managed workstation", price="45.00", cost="18.50", quantities=("7", "12", "23", "31", "58")),
    Service(product="Server care", price="149.00", cost="61.00", quantities=("1", "2", "3", "5")),
    Service(product="Microsoft 365 Business Premium", price="26.40", cost="22.00", quantities=("9", "17", "26", "41")),
    Service(product="Cloud backup", price="0.0450", cost="0.0210", quantities=("812.5", "1234.75", "2048", "377.3"), uom="GB"),
    Service(product="Managed firewall", price="89.00", cost="35.00", quantities=("1", "2")),
    Service(product="Security awareness training", price="3.25", cost="1.10", quantities=("11", "19", "37")),
    Service(product="Endpoint detection", price="8.75", cost="4.20", quantities=("13", "27", "44")),
    Service(product="Mail filtering", price="2.15", cost="0.90", quantities=("15", "33")),
    Service(product="After-hours desk", price="12.333333", cost="6.00", quantities=("6", "14", "29")),
    Service(product="VoIP seat", price="21.95", cost="9.80", quantities=("8", "16")),
    Service(product="Dark web monitoring", price="55.00", cost="20.00", quantities=("1",)),
    Service(product="Wireless access point care", price="9.50", cost="3.00", quantities=("3", "4", "11")),
)


def build_world(
    seed: int = 1,
    agreements: int = 12,
    lines: int = 4,
    start: datetime = START,
    office_automatic: bool = True,
    partners: Collection[str] = PARTNERS,
    psa: str = "connectwise",
) -> World:
    """The same world for the same arguments. The first twelve agreements are the special cases, described in `_SPECIAL`
    (and for Autotask in `seed_autotask`). `psa`: connectwise, autotask, or both with as many agreements in each; the people
    at work are `office`, those at the second PSA `autotask_office`."""
    if psa not in PSAS:
        raise ValueError(f"unknown PSA {psa!r}; known: {', '.join(PSAS)}")
    world = World(seed=seed, start=start)
    wanted = [kind for kind in PSAS[:2] if psa in (kind, "both")]
    for kind in wanted:
        world.add(ConnectWise(world) if kind == "connectwise" else Autotask(world))
    for name in (name for name in _WHERE if name in partners):
        module, cls = _WHERE[name]
        world.add(getattr(import_module(module), cls)(world))
    for kind in wanted:
        office = _office(world, kind, name="office" if kind == wanted[0] else f"{kind}_office")
        office.automatic = office_automatic
        if "office" in partners:
            world.add(office)
        _fill(world, office, agreements, lines)
    if "office" in partners and "quickbooks" in partners:
        world.add(Syncs(world))
    return world


def _office(world: World, kind: str, *, name: str) -> Office | AutotaskOffice:
    return Office(world) if kind == "connectwise" else AutotaskOffice(world, name=name)


def _fill(world: World, office: Office | AutotaskOffice, agreements: int, lines: int) -> None:
    if isinstance(office, Office):
        _Seeder(world, office.psa, office, lines).fill(agreements)
    else:
        seed_autotask(world, office.psa, office, contracts=agreements, lines=lines)


@dataclass
class _Seeder:
    world: World
    psa: ConnectWise
    office: Office
    lines: int
    companies: list[Row] = field(default_factory=list)
    made: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Its own source of chance: what the partners draw later does not depend on how much was seeded.
        self.chance = random.Random(f"{self.world.seed}/{self.lines}")  # noqa: S311
        self.today = self.world.now.date()

    def fill(self, agreements: int) -> None:
        now = self.world.now
        self.world.now = datetime(self.today.year - 1, 1, 6, 14, tzinfo=UTC)
        for number in range(agreements):
            self.made.append(_SPECIAL[number](self) if number < len(_SPECIAL) else self._plain(number))
        self._pick_up_the_past()
        self.world.now = now

    # Companies

    def company(self, number: int) -> Row:
        while len(self.companies) <= number:
            self.companies.append(self._new_company(len(self.companies)))
        return self.companies[number]

    def _new_company(self, number: int) -> Row:
        round, place = divmod(number, len(_FIRST) * len(_KIND))
        first, kind = _FIRST[place % len(_FIRST)], _KIND[(place * 7 + place // len(_FIRST)) % len(_KIND)]
        name = f"{first} {kind}" + (f" {round + 1}" if round else "")
        domain = "".join(letter for letter in name.lower() if letter.isalnum())
        autopay = "No" if number in _NOT_OPTED_IN or (number > 10 and number % 12 == 0) else "Yes"
        contact = _PEOPLE[number % len(_PEOPLE)]
        return add_company(self.psa.records, name, email=f"billing@{domain}.example", contact=contact, Autopay=autopay)

    # Agreements

    def agreement(self, company: int, name: str, *, starts: date, bill_to: int | None = None, **fields: Any) -> Row:
        served = self.company(company)
        payer = self.company(company if bill_to is None else bill_to)
        autopay = next(item["value"] for item in payer["customFields"] if item["caption"] == "Autopay")
        return add_agreement(self.psa.records, served, name, starts=starts, bill_to=payer, **{"autopay": autopay, **fields})

    def line(self, agreement: Row, service: Service, **fields: Any) -> Row:
        values = {
            "quantity": Decimal(self.chance.choice(service.quantities)),
            "unitPrice": Decimal(service.price),
            "unitCost": Decimal(service.cost),
            "uom": service.uom,
        }
        return add_addition(self.psa.records, agreement, service.product, **{**values, **fields})

    def usual(self, agreement: Row, count: int) -> None:
        """This many of the usual services; in a second round they are sites of their own."""
        for number in range(count):
            round, place = divmod(number, len(_SERVICES))
            note = {"invoiceDescription": f"{_SERVICES[place].product}, site {round + 1}"} if round else {}
            self.line(agreement, _SERVICES[place], **note)

    def ago(self, months: int, day: int = 1) -> date:
        """A day of the month so many months before the start; the month's last where it has no such day."""
        index = self.today.year * 12 + self.today.month - 1 - months
        year, month = divmod(index, 12)
        return date(year, month + 1, min(day, monthrange(year, month + 1)[1]))

    def _plain(self, number: int) -> Row:
        company = _SPECIAL_COMPANIES + (number - len(_SPECIAL)) * 4 // 5
        terms = self.chance.choice(("Net 30", "Net 30", "Net 15", "Due on receipt"))
        cycle = self.chance.choices(("Monthly", "Quarterly in advance", "Annual"), (92, 5, 3))[0]
        tax = self.chance.choices(("FL-7.25", "Exempt"), (85, 15))[0]
        starts = self.ago(self.chance.randint(2, 12), self.chance.choices((1, 15), (92, 8))[0])
        name = self.chance.choice(("Managed Services", "Cloud & Backup"))
        row = self.agreement(company, f"{name} agreement", starts=starts, type=name, cycle=cycle, terms=terms, tax_code=tax)
        self.usual(row, self.lines)
        return row

    # The past

    def _pick_up_the_past(self) -> None:
        for root in self.made:
            if self.psa.billing.is_root(root):
                self._invoice_the_past(root)
        self._export_the_past()

    def _invoice_the_past(self, root: Row) -> None:
        billing = self.psa.billing
        due = list(billing.due(root, self.today - timedelta(days=1)))[-PAST_INVOICES:]
        if not due:
            return
        billing.charged_through(root, billing.period(root, due[0]).start)
        for number in due:
            day = billing.period(root, number).start
            self.world.now = datetime.combine(day, time(13), UTC)
            invoice = billing.create(root, number, dated=day)
            if invoice:
                self._pay(invoice)

    def _pay(self, invoice: Row) -> None:
        paid = min(as_date(invoice["dueDate"]), self.today - timedelta(days=1))
        self.world.now = datetime.combine(paid, time(15), UTC)
        self.psa.payments.add(invoice, {"amount": invoice["total"], "paymentDate": str(paid)}, by=OFFICE)

    def _export_the_past(self) -> None:
        """Every payer is a customer in QuickBooks, with the invoices of the past and the cheques that paid them."""
        books = self.world.partners.get("quickbooks")
        invoices = sorted(self.psa.records.invoices.rows.values(), key=lambda row: (row["date"], row["id"]))
        if books is None:
            self.office.exported_before(invoices)
            return
        actions: dict[str, Callable[..., Any]] = books.actions  # type: ignore[attr-defined]
        for invoice in invoices:
            self.world.now = datetime.combine(as_date(invoice["date"]), time(18), UTC)
            self.office.export_one(actions, invoice)
            payer, number = invoice["billToCompany"]["name"], invoice["invoiceNumber"]
            paid = next(iter(self.psa.records.payments.of(invoice["id"]).values()))["paymentDate"][:10]
            actions["enter_payment"](customer_name=payer, amount=str(invoice["total"]), number=number, dated=paid)


# The special cases


def _many_lines(seeder: _Seeder) -> Row:
    """More lines than a gateway takes; what is included is not billed."""
    row = seeder.agreement(0, "Managed Services 2025", starts=seeder.ago(12))
    seeder.line(row, _SERVICES[0], quantity=Decimal(58), lessIncluded=Decimal(5))
    seeder.line(row, _SERVICES[3], quantity=Decimal("1234.75"))
    seeder.usual(row, (MANY_LINES if seeder.lines >= 4 else seeder.lines) - 2)
    return row


def _odd_lines(seeder: _Seeder) -> Row:
    """No charge, do not bill, a discount, an untaxed line."""
    row = seeder.agreement(1, "Managed Services", starts=seeder.ago(8), terms="Net 15", amount=Decimal("250.00"))
    seeder.usual(row, max(seeder.lines - 4, 1))
    seeder.line(row, _SERVICES[4], billCustomer="NoCharge")
    seeder.line(row, _SERVICES[5], billCustomer="DoNotBill")
    discount = {"quantity": Decimal(1), "unitPrice": Decimal("-75.00"), "unitCost": Decimal(0)}
    add_addition(seeder.psa.records, row, "Loyalty discount", **discount)
    seeder.line(row, _SERVICES[2], taxableFlag=False)
    return row


def _parent(seeder: _Seeder) -> Row:
    row = seeder.agreement(2, "Managed Services", starts=seeder.ago(11))
    seeder.usual(row, seeder.lines)
    return row


def _child(seeder: _Seeder) -> Row:
    """Bundled: on its parent's invoice."""
    row = seeder.agreement(
        2, "Cloud & Backup add-on", starts=seeder.ago(9), type="Cloud & Backup", parent=seeder.made[2], amount=Decimal("120.00")
    )
    seeder.line(row, _SERVICES[3])
    return row


def _other_payer(seeder: _Seeder) -> Row:
    """The company served is not the one that pays."""
    row = seeder.agreement(3, "Managed Services", starts=seeder.ago(10), bill_to=4, terms="Net 15")
    seeder.usual(row, seeder.lines)
    return row


def _block(seeder: _Seeder) -> Row:
    """Billed once; its payer has a recurring agreement too."""
    row = seeder.agreement(
        0,
        "Project hours 2025",
        starts=seeder.ago(2, 10),
        type="Block Time - One time",
        amount=Decimal("10000.00"),
        tax_code="Exempt",
    )
    row.update(applicationUnits="Amount", applicationLimit=Decimal("10000.00"), applicationUnlimitedFlag=False)
    return row


def _changing(seeder: _Seeder) -> Row:
    """Prorates; an addition to come, one that ended, a price that changes by a second row."""
    row = seeder.agreement(
        5, "Managed Services", starts=seeder.ago(7), tax_code="Exempt", terms="Due on receipt", prorateFlag=True
    )
    seeder.usual(row, max(seeder.lines - 2, 1))
    seeder.line(row, _SERVICES[9], quantity=Decimal(16), starts=seeder.ago(-1, 15))
    seeder.line(row, _SERVICES[7], ends=seeder.ago(3, 30))
    seeder.line(row, _SERVICES[1], quantity=Decimal(2), ends=seeder.ago(-1, 28))
    seeder.line(row, _SERVICES[1], quantity=Decimal(2), unitPrice=Decimal("159.00"), starts=seeder.ago(-2))
    return row


def _cancelled(seeder: _Seeder) -> Row:
    row = seeder.agreement(6, "Managed Services", starts=seeder.ago(12))
    seeder.usual(row, seeder.lines)
    row.update(cancelledFlag=True, dateCancelled=f"{seeder.ago(1, 31)}T00:00:00Z", reasonCancelled="Sold the practice")
    return row


def _quarterly(seeder: _Seeder) -> Row:
    row = seeder.agreement(7, "Managed Services", starts=seeder.ago(11), cycle="Quarterly in advance", terms="Net 15")
    seeder.usual(row, seeder.lines)
    return row


def _yearly(seeder: _Seeder) -> Row:
    """Its payer has not agreed to automatic payment."""
    row = seeder.agreement(8, "Domain & certificates", starts=seeder.ago(10), cycle="Annual", amount=Decimal("1188.00"))
    seeder.usual(row, 1)
    return row


def _mid_month(seeder: _Seeder) -> Row:
    row = seeder.agreement(9, "Managed Services", starts=seeder.ago(6, 15), terms="Due on receipt")
    seeder.line(row, _SERVICES[8], quantity=Decimal("7.5"))
    seeder.usual(row, max(seeder.lines - 1, 1))
    return row


def _month_end(seeder: _Seeder) -> Row:
    """Bills on the 31st, or on the month's last day; one payer with two bills."""
    row = seeder.agreement(5, "Cloud & Backup", starts=seeder.ago(5, 31), type="Cloud & Backup", terms="Net 30")
    seeder.usual(row, seeder.lines)
    return row


_SPECIAL: tuple[Callable[[_Seeder], Row], ...] = (
    _many_lines,
    _odd_lines,
    _parent,
    _child,
    _other_payer,
    _block,
    _changing,
    _cancelled,
    _quarterly,
    _yearly,
    _mid_month,
    _month_end,
)
_SPECIAL_COMPANIES = 10
_NOT_OPTED_IN = {3, 8}
