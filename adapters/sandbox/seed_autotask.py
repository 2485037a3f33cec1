"""A managed service provider's year so far in Autotask: customers, contracts and what was already invoiced and paid."""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from adapters.sandbox.autotask import Autotask
from adapters.sandbox.autotask.entry import add_bundle, add_company, add_contract, add_service
from adapters.sandbox.autotask.periods import MONTHLY, QUARTERLY, SEMI_ANNUAL, YEARLY, number_on, span
from adapters.sandbox.autotask.rows import Row, as_date, day_text
from adapters.sandbox.autotask_office import AutotaskOffice
from adapters.sandbox.world import World

PAST_PERIODS = 2  # of each service, posted, invoiced and paid before the start
MANY_SERVICES = 26  # more than a gateway takes as items
BLOCK_HOURS = 4  # Contracts.contractType

_FIRST = "Amber Birchwood Copperfield Driftwood Elmwood Foxglove Granite Hawthorn Inlet Jasper Kingfisher Larkspur".split()
_FIRST += "Magnolia Nautilus Osprey Pelican Quail Redwood Sandpiper Tidewater Umber Verbena Willow Yellowtail Zinnia".split()
_KIND = ["Chiropractic", "Title Agency", "Machine Works", "Freight", "Optometry", "Outfitters", "Brewing", "Surveyors"]
_PEOPLE = ["Morgan Reyes", "Taylor Quinn", "Casey Obi", "Jamie Lindqvist", "Avery Stone", "Riley Marchetti"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    name: str
    price: str
    cost: str
    units: tuple[int, ...]
    period_type: int = MONTHLY
    taxed: bool = True


_SERVICES = (
    Service(name="Managed workstation", price="23.10", cost="9.40", units=(7, 11, 23, 31, 58)),
    Service(name="Server care", price="149.00", cost="61.00", units=(1, 2, 3, 5)),
    Service(name="Microsoft 365 Business Premium", price="26.40", cost="22.00", units=(9, 17, 26, 41)),
    Service(name="Cloud backup, GB", price="0.0450", cost="0.0210", units=(812, 1235, 2048, 377)),
    Service(name="Managed firewall", price="89.00", cost="35.00", units=(1, 2)),
    Service(name="Security awareness training", price="3.25", cost="1.10", units=(11, 19, 37)),
    Service(name="Endpoint detection", price="8.75", cost="4.20", units=(13, 27, 44)),
    Service(name="Mail filtering", price="2.1525", cost="0.90", units=(15, 33)),
    Service(name="After-hours desk", price="12.3333", cost="6.00", units=(6, 14, 29), taxed=False),
    Service(name="VoIP seat", price="21.95", cost="9.80", units=(8, 16)),
    Service(name="Dark web monitoring", price="55.00", cost="20.00", units=(1,)),
    Service(name="Wireless access point care", price="9.50", cost="3.00", units=(3, 4, 11)),
)
_OTHERS = {
    "review": Service(name="Quarterly business review", price="450.00", cost="200.00", units=(1,), period_type=QUARTERLY),
    "firewall": Service(name="Firewall lease", price="267.00", cost="120.00", units=(1, 2), period_type=QUARTERLY),
    "recovery": Service(name="Disaster recovery test", price="600.00", cost="250.00", units=(1,), period_type=SEMI_ANNUAL),
    "domain": Service(name="Domain & certificates", price="1188.00", cost="310.00", units=(1,), period_type=YEARLY),
    "discount": Service(name="Loyalty discount", price="-75.00", cost="0", units=(1,)),
}


def seed(world: World, psa: Autotask, office: AutotaskOffice, *, contracts: int, lines: int) -> None:
    """The first twelve contracts are the special cases, described in `_SPECIAL`; three more bill nothing to anybody."""
    _Seeder(world, psa, office, lines).fill(contracts)


@dataclass
class _Seeder:
    world: World
    psa: Autotask
    office: AutotaskOffice
    lines: int
    companies: list[Row] = field(default_factory=list)
    made: list[Row] = field(default_factory=list)
    services: list[Row] = field(default_factory=list)
    others: dict[str, Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Its own source of chance: what the partners draw later does not depend on how much was seeded.
        self.chance = random.Random(f"{self.world.seed}/autotask/{self.lines}")  # noqa: S311
        self.today = self.world.now.date()

    def fill(self, contracts: int) -> None:
        now = self.world.now
        self.world.now = datetime(self.today.year - 1, 1, 6, 14, tzinfo=UTC)
        self.services = [self._service(service) for service in _SERVICES]
        self.others = {key: self._service(service) for key, service in _OTHERS.items()}
        for number in range(contracts):
            self.made.append(_SPECIAL[number](self) if number < len(_SPECIAL) else self._plain(number))
        _bystanders(self)
        self._invoice_the_past()
        self.world.now = now
        self.psa.units.refresh()

    def _service(self, service: Service) -> Row:
        price, cost = Decimal(service.price), Decimal(service.cost)
        type, taxed = service.period_type, service.taxed
        return add_service(self.psa.records, service.name, price, cost=cost, period_type=type, taxed=taxed)

    # Companies

    def company(self, number: int) -> Row:
        while len(self.companies) <= number:
            self.companies.append(self._new_company(len(self.companies)))
        return self.companies[number]

    def _new_company(self, number: int) -> Row:
        round, place = divmod(number, len(_FIRST) * len(_KIND))
        again, first = divmod(place, len(_FIRST))
        name = f"{_FIRST[first]} {_KIND[(first + again) % len(_KIND)]}" + (f" {round + 1}" if round else "")
        domain = "".join(letter for letter in name.lower() if letter.isalnum())
        autopay = "No" if number in _NOT_OPTED_IN or (number > 10 and number % 12 == 0) else "Yes"
        return add_company(
            self.psa.records,
            name,
            email=f"billing@{domain}.example",
            contact=_PEOPLE[number % len(_PEOPLE)],
            terms="Net 30"
            if number < _SPECIAL_COMPANIES
            else self.chance.choice(("Net 30", "Net 30", "Net 15", "Due on receipt")),
            exempt=number in _EXEMPT or (number >= _SPECIAL_COMPANIES and self.chance.random() < 0.15),
            udfs={"Autopay": autopay},
        )

    # Contracts

    def contract(self, company: int, name: str, *, starts: date, bill_to: int | None = None, **fields: Any) -> Row:
        """Runs until 14 months from now, unless `ends` says otherwise."""
        payer = self.company(company if bill_to is None else bill_to)
        udfs = {"Autopay": payer["_udfs"]["Autopay"], **fields.pop("udfs", {})}
        ends = fields.pop("ends", self.ago(-14, starts.day) - timedelta(days=1))
        return add_contract(
            self.psa.records,
            self.company(company),
            name,
            starts=starts,
            ends=ends,
            bill_to=None if bill_to is None else payer,
            udfs=udfs,
            **fields,
        )

    def sell(self, contract: Row, service: Row, units: int | None = None, price: str | None = None, note: str = "") -> Row:
        """From the period on that was the last but two; what was before the MSP's Autotask does not remember."""
        kind = self.psa.records.kinds["bundle" if service["id"] in self.psa.records.bundles.rows else "service"]
        each = service["unitPrice"] if price is None else Decimal(price)
        first = self._first_known(contract, service["periodType"])
        amount = self._usual_units(service) if units is None else units
        sold = self.psa.units.sell(kind, contract, service, units=amount, price=each, starts=first)
        if note:
            sold["invoiceDescription"] = note
        return sold

    def usual(self, contract: Row, count: int) -> None:
        """This many of the usual services; in a second round they are sites of their own."""
        for number in range(count):
            round, place = divmod(number, len(self.services))
            service = self.services[place]
            self.sell(contract, service, note=f"{service['name']}, site {round + 1}" if round else "")

    def ago(self, months: int, day: int = 1) -> date:
        """A day of the month so many months before the start; the month's last where it has no such day."""
        year, month = divmod(self.today.year * 12 + self.today.month - 1 - months, 12)
        return date(year, month + 1, min(day, monthrange(year, month + 1)[1]))

    def _usual_units(self, service: Row) -> int:
        known = next(item for item in (*_SERVICES, *_OTHERS.values()) if item.name == service["name"])
        return self.chance.choice(known.units)

    def _first_known(self, contract: Row, period_type: int) -> date:
        anchor = as_date(contract["startDate"])
        current = number_on(anchor, period_type, self.today - timedelta(days=1))
        return span(anchor, period_type, max(0, current - PAST_PERIODS + 1)).start

    def _plain(self, number: int) -> Row:
        company = _SPECIAL_COMPANIES + (number - len(_SPECIAL)) * 4 // 5
        starts = self.ago(self.chance.randint(2, 12), self.chance.choices((1, 15), (92, 8))[0])
        row = self.contract(company, f"{self.chance.choice(('Managed Services', 'Cloud & Backup'))} {number + 1}", starts=starts)
        self.usual(row, self.lines)
        if self.chance.random() < 0.05:
            self.sell(row, self.others["domain"])
        return row

    # The past

    def _invoice_the_past(self) -> None:
        """Day by day: posted and invoiced on the day on which a period begins, paid when it fell due."""
        for day in sorted({as_date(row["_due"]) for row in self._unposted()}):
            self.world.now = datetime.combine(day, time(13), UTC)
            self._change_something(day)
            unnumbered = [row["id"] for row in self.made if row["companyID"] == self.company(_UNNUMBERED)["id"]]
            self.office.create_invoices(day, contracts=unnumbered, numbered=False)
            self.office.create_invoices(day)
        self._void_one()
        for invoice in self.psa.records.invoices.rows.values():
            if not invoice["isVoided"]:
                paid = min(as_date(invoice["dueDate"]), self.today - timedelta(days=1))
                self.psa.records.invoices.update(invoice["id"], {"paidDate": day_text(paid)})
        self._export_the_past()

    def _unposted(self) -> list[Row]:
        return [row for _, row in self.psa.units.waiting(self.today - timedelta(days=1))]

    def _change_something(self, day: date) -> None:
        """Units that grew in the middle of a period that was posted: its contract is on two invoices."""
        if len(self.made) > _CHANGING and day == self.ago(0):
            sold = self.psa.records.contract_services.of("contractID", self.made[_CHANGING]["id"])[0]
            self.office.adjust(sold["id"], units=2, on=self.ago(1, 15))

    def _void_one(self) -> None:
        """The first contract's last invoice was made twice."""
        rows = [row for row in self.psa.records.invoices.rows.values() if row["companyID"] == self.company(0)["id"]]
        if rows:
            self.office.void_invoice(rows[-1]["id"])
            self.office.create_invoices(as_date(rows[-1]["fromDate"]), dated=as_date(rows[-1]["invoiceDateTime"]))

    def _export_the_past(self) -> None:
        """Every payer is a customer in QuickBooks, with the invoices of the past and the cheques that paid them."""
        books = self.world.partners.get("quickbooks")
        valid = [row for row in self.psa.records.invoices.rows.values() if not row["isVoided"] and row["invoiceTotal"] > 0]
        invoices = sorted(valid, key=lambda row: (row["invoiceDateTime"], row["id"]))
        if books is None:
            self.office.exported_before(invoices)
            return
        actions: dict[str, Callable[..., Any]] = books.actions  # type: ignore[attr-defined]
        for invoice in invoices:
            self.world.now = datetime.combine(as_date(invoice["invoiceDateTime"]), time(18), UTC)
            number = self.office.export_one(actions, invoice)
            payer = self.psa.records.companies.rows[invoice["companyID"]]["companyName"]
            paid = invoice["paidDate"][:10]
            actions["enter_payment"](customer_name=payer, amount=str(invoice["invoiceTotal"]), number=number, dated=paid)


# The special cases


def _many_services(seeder: _Seeder) -> Row:
    """More services than a gateway takes as items. One of its invoices was voided and made again."""
    row = seeder.contract(0, "Managed Services 2025", starts=seeder.ago(10))
    seeder.usual(row, MANY_SERVICES if seeder.lines >= 4 else seeder.lines)
    return row


def _odd_services(seeder: _Seeder) -> Row:
    """A discount, a price of its own, no units, a price of nothing."""
    row = seeder.contract(1, "Managed Services, Birchwood", starts=seeder.ago(8))
    seeder.usual(row, max(seeder.lines - 2, 1))
    seeder.sell(row, seeder.others["discount"])
    seeder.sell(row, seeder.services[4], units=2, price="79.9950")
    seeder.sell(row, seeder.services[5], units=0)
    seeder.sell(row, seeder.services[9], units=8, price="0")
    return row


def _shared_first(seeder: _Seeder) -> Row:
    """One invoice with the next contract."""
    row = seeder.contract(2, "Managed Services, Copperfield", starts=seeder.ago(11), udfs={"Invoice Group": "Main"})
    seeder.usual(row, seeder.lines)
    return row


def _shared_second(seeder: _Seeder) -> Row:
    row = seeder.contract(2, "Cloud & Backup, Copperfield", starts=seeder.ago(9), udfs={"Invoice Group": "Main"})
    seeder.sell(row, seeder.services[3])
    seeder.sell(row, seeder.services[2])
    return row


def _other_payer(seeder: _Seeder) -> Row:
    """The company served is not the one that pays."""
    row = seeder.contract(3, "Managed Services, Driftwood", starts=seeder.ago(10), bill_to=4)
    seeder.usual(row, seeder.lines)
    return row


def _bundled(seeder: _Seeder) -> Row:
    """A bundle at its own price, and one of its services again by itself. From the 15th; invoices have no number."""
    row = seeder.contract(_UNNUMBERED, "Everything Desk", starts=seeder.ago(6, 15))
    members = [seeder.services[0], seeder.services[6], seeder.services[7]]
    bundle = add_bundle(seeder.psa.records, "Everything Desk", Decimal("31.50"), members)
    seeder.sell(row, bundle, units=12)
    seeder.sell(row, seeder.services[0], units=3)
    return row


def _changing(seeder: _Seeder) -> Row:
    """Units that grew inside a posted period, that will grow inside the next one, and a price that will rise."""
    row = seeder.contract(6, "Managed Services, Hawthorn", starts=seeder.ago(7))
    first = seeder.sell(row, seeder.services[0], units=14)
    second = seeder.sell(row, seeder.services[1], units=2)
    kind = seeder.psa.records.kinds["service"]
    seeder.psa.units.adjust(kind, first, seeder.ago(-1, 15), 5)
    seeder.psa.units.adjust(kind, second, seeder.ago(-2), 0, Decimal("159.00"))
    return row


def _ended(seeder: _Seeder) -> Row:
    """Ended a month ago; the next contract goes on from it."""
    row = seeder.contract(7, "Managed Services 2025, Inlet", starts=seeder.ago(13), ends=seeder.ago(1) - timedelta(days=1))
    seeder.usual(row, seeder.lines)
    return row


def _renewal(seeder: _Seeder) -> Row:
    row = seeder.contract(7, "Managed Services 2026, Inlet", starts=seeder.ago(1), renewedContractID=seeder.made[_ENDED]["id"])
    seeder.usual(row, seeder.lines)
    return row


def _quarterly(seeder: _Seeder) -> Row:
    """Its payer is exempt from tax."""
    row = seeder.contract(8, "Quarterly care", starts=seeder.ago(11), period_type=QUARTERLY)
    seeder.sell(row, seeder.others["review"])
    seeder.sell(row, seeder.others["firewall"])
    return row


def _mixed_periods(seeder: _Seeder) -> Row:
    """Monthly, half-yearly and yearly services, from the 31st on. Its payer has not agreed to automatic payment."""
    row = seeder.contract(9, "Care and domains", starts=seeder.ago(5, 31))
    seeder.usual(row, max(seeder.lines - 2, 1))
    seeder.sell(row, seeder.others["recovery"])
    seeder.sell(row, seeder.others["domain"])
    return row


def _future(seeder: _Seeder) -> Row:
    """Begins next month."""
    row = seeder.contract(10, "Managed Services, Kingfisher", starts=seeder.ago(-1))
    seeder.usual(row, seeder.lines)
    return row


def _bystanders(seeder: _Seeder) -> None:
    """What must not be collected: an inactive contract, a block of hours, and the MSP's own contract."""
    inactive = seeder.contract(0, "Camera surveillance (lost)", starts=seeder.ago(9), status=0)
    seeder.sell(inactive, seeder.services[4])
    seeder.contract(1, "Block of 40 hours", starts=seeder.ago(2), type=BLOCK_HOURS, contractCategory=15)
    own = add_contract(
        seeder.psa.records,
        seeder.psa.records.companies.rows[0],
        "Our own tools",
        starts=seeder.ago(9),
        ends=seeder.ago(-14) - timedelta(days=1),
    )
    seeder.sell(own, seeder.services[2], units=9, price="0")


_SPECIAL: tuple[Callable[[_Seeder], Row], ...] = (
    _many_services,
    _odd_services,
    _shared_first,
    _shared_second,
    _other_payer,
    _bundled,
    _changing,
    _ended,
    _renewal,
    _quarterly,
    _mixed_periods,
    _future,
)
_CHANGING, _ENDED = 6, 7  # places in it
_SPECIAL_COMPANIES = 11
_UNNUMBERED = 5
_NOT_OPTED_IN = {3, 9}
_EXEMPT = {8}
