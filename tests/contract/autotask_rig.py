"""The PSA kit's rig on our sandbox Autotask: its people, its limits, a broken line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from adapters.autotask import Autotask
from adapters.sandbox.autotask import Autotask as Partner
from adapters.sandbox.autotask_office import AutotaskOffice
from adapters.sandbox.faults import Fault
from adapters.sandbox.world import World
from connector.model.money import Money
from connector.ports import Psa
from connector.testing.psa import START

MANY = 10_000
BEFORE_ALL = START - timedelta(days=31)

Build = Callable[..., Autotask]


def is_write(request: Mapping[str, Any]) -> bool:
    return request["method"] not in ("GET", "POST") or (request["method"] == "POST" and "/query" not in request["path"])


class SandboxRig:
    currency = "USD"

    def __init__(self, world: World, partner: Partner, office: AutotaskOffice, build: Build) -> None:
        self.world = world
        self.partner = partner
        self.office = office
        self.build = build
        self._made = 0

    def today(self) -> date:
        return self.office.today()

    def advance(self, days: float) -> None:
        self.world.advance_days(days)

    def add_company(self, name: str, email: str, *, opted_in: bool, **fields: Any) -> str:
        return str(self.office.add_company(name, email, udfs={"Autopay": "Yes" if opted_in else "No"}, **fields))

    def add_agreement(self, company: str, name: str, *, starts: date, parent: str = "", **fields: Any) -> str:
        if parent:
            self.office.set_udf("Contracts", int(parent), "Invoice Group", parent)
            fields["udfs"] = {"Invoice Group": parent}
        return str(self.office.add_contract(int(company), name, starts, **fields))

    def add_line(
        self,
        agreement: str,
        product: str,
        *,
        quantity: Decimal,
        unit_price: Decimal,
        included: Decimal = Decimal(0),
        ends: date | None = None,
        **fields: Any,
    ) -> str:
        self._made += 1
        service = self.office.add_service(f"{product} {self._made}", unit_price, taxed=False, **fields)
        units = int(quantity - included)
        sold = self.office.sell(int(agreement), service, units)
        if ends is not None:
            self.office.adjust(sold, -units, on=ends + timedelta(days=1))
        return str(sold)

    def change_quantity(self, line: str, quantity: Decimal) -> None:
        first = self.units(line)[0]
        self.office.adjust(int(line), int(quantity) - first["units"], on=START)

    def units(self, line: str) -> list[dict[str, Any]]:
        rows = self.partner.records.service_units.of("contractServiceID", int(line))
        return sorted(rows, key=lambda row: row["startDate"])

    def break_agreement(self, agreement: str) -> None:
        for row in self.partner.records.contract_services.of("contractID", int(agreement)):
            self.office.set_field("Services", row["serviceID"], "periodType", 9)

    def end_agreement(self, agreement: str, last_day: date) -> None:
        self.office.end_contract(int(agreement), last_day)

    def delete_agreement(self, agreement: str) -> None:
        """Contracts are not deleted in Autotask; they become inactive."""
        self.office.set_status(int(agreement), False)

    def bill(self, agreement: str, dated: date) -> str:
        (made,) = self.office.create_invoices(dated, dated, contracts=[int(agreement)])
        return str(made["id"])

    def bill_other(self, agreement: str, amount: Money, dated: date) -> str:
        company = self.partner.records.contracts.rows[int(agreement)]["companyID"]
        self.office.add_charge(company, amount.major, contract=int(agreement), dated=dated, taxed=False)
        (made,) = self.office.create_invoices(BEFORE_ALL, dated, contracts=[int(agreement)])
        return str(made["id"])

    def delete_invoice(self, invoice: str) -> None:
        for item in list(self.partner.records.items.of("invoiceID", int(invoice))):
            self.partner.records.items.update(item["id"], {"invoiceID": None})
        self.partner.records.invoices.delete(int(invoice))

    def enter_payment(self, invoice: str, amount: Money, dated: date) -> None:
        """Only of the whole: Autotask holds a date, no amount."""
        assert amount == self._total(invoice)
        self.office.set_paid(int(invoice), dated)

    def enter_credit(self, invoice: str, amount: Money) -> None:
        raise AssertionError(f"Autotask has no credit of {amount} to enter on {invoice}")

    def payments(self, invoice: str) -> Money:
        return self._total(invoice) if self.paid_date(invoice) else Money.zero(self.currency)

    def paid_date(self, invoice: str) -> str:
        return str(self._invoice(invoice).get("paidDate", ""))[:10]

    def _invoice(self, invoice: str) -> dict[str, Any]:
        return self.partner.records.invoices.rows[int(invoice)]

    def _total(self, invoice: str) -> Money:
        return Money.from_major(self._invoice(invoice)["invoiceTotal"], self.currency)

    def noted(self, company: str) -> str:
        return str(self._udfs(company).get("Autopay Link", ""))

    def others_notes(self, company: str) -> Mapping[str, str]:
        return {name: value for name, value in self._udfs(company).items() if name != "Autopay Link"}

    def _udfs(self, company: str) -> dict[str, str]:
        return dict(self.partner.records.companies.rows[int(company)]["_udfs"])

    def requests(self) -> int:
        return len(self.world.requests)

    def writes(self) -> int:
        return sum(is_write(request) for request in self.world.requests)

    def break_read(self, *, after: int) -> None:
        self.world.faults.add(Fault(kind="500", skip=after, count=MANY))

    def lose_reply(self) -> None:
        self.world.faults.add(Fault(kind="reply_lost", method="PATCH"))

    def throttle(self) -> None:
        self.world.faults.add(Fault(kind="429", count=MANY))

    def mend(self) -> None:
        self.world.faults.clear()

    def refused(self) -> Psa:
        return self.build(secret="somebody-else")
