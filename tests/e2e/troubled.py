"""A book in which every payer has another trouble, on either PSA: what the office does to each, in the PSA's own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connector.store import payers
from tests.e2e.charging import only
from tests.e2e.msp import Msp

PRICES = {"Small": "0.30"}  # of a month; everybody else's is 500.00


@dataclass(frozen=True, kw_only=True)
class Payer:
    name: str
    company: int
    agreement: int


class Office:
    """One agreement for each payer, billed on the first of the month."""

    def __init__(self, m: Msp, names: list[str]) -> None:
        self.m = m
        self.autotask = m.kind == "autotask"
        self.payers = {name: self._sign_up(name) for name in names}

    def _sign_up(self, name: str) -> Payer:
        price, email = PRICES.get(name, "500.00"), f"{name.lower()}@payer.example"
        plain: dict[str, Any] = {"name": "Managed Services", "starts": "2026-02-01"}
        if self.autotask:
            udfs = {"Autopay": "Yes"}
            company = self.m.act("office.add_company", name=name, email=email, terms="Due on receipt", udfs=udfs)
            id = self.m.act("office.add_contract", company=company, **plain)
            self._sell(id, f"Desk of {name}", price)
            return Payer(name=name, company=company, agreement=id)
        company = self.m.act("office.add_company", name=name, email=email, Autopay="Yes")
        own = {"terms": "Due on receipt", "amount": price, "tax_code": "Exempt"}
        id = self.m.act("office.add_agreement", company=company, **plain, **own)
        return Payer(name=name, company=company, agreement=id)

    def _sell(self, contract: int, service: str, price: str, **starts: str) -> None:
        product = self.m.act("office.add_service", name=service, price=price, taxed=False)
        self.m.act("office.sell", contract=contract, product=product, **starts)

    def bill(self, name: str) -> dict[str, Any]:
        """The payer's invoice that stands, whatever has become of its company since."""
        id = self.payers[name].agreement
        if not self.autotask:
            return dict(only([row for row in self.m.psa_invoices() if row["agreement"]["id"] == id]))
        items = self.m.world.partners["autotask"].state()["BillingItems"]
        on = {row["invoiceID"] for row in items if row["contractID"] == id}
        return dict(only([row for row in self.m.psa_invoices() if row["id"] in on and not row["isVoided"]]))

    def number(self, name: str) -> str:
        return str(self.bill(name)["invoiceNumber"])

    def customer(self, name: str) -> str:
        """At the gateway."""
        with self.m.agent.store.read() as tx:
            return only([row.customer for row in payers.every(tx) if row.name == name])

    def _set(self, entity: str, id: int, field: str, value: Any) -> None:
        place = {"entity": entity} if self.autotask else {"record": entity.lower()}
        self.m.act("office.set_field", **place, id=id, field=field, value=value)

    # Before the bills

    def never_bills(self, name: str) -> None:
        id = self.payers[name].agreement
        if self.autotask:
            self.m.act("office.approve_and_post", through="2026-02-01", contracts=[id])
            self.m.act("office.write_off_items", contract=id)
        else:
            self.m.act("office.cancel_period", agreement=id)

    def owes_them(self, name: str) -> None:
        """Autotask only: more credit than the month comes to, on the month's bill."""
        payer = self.payers[name]
        self.m.act("office.add_charge", company=payer.company, amount="-600", contract=payer.agreement, dated="2026-02-01")
        self.m.act("office.create_invoices", through="2026-02-01", dated="2026-02-01", contracts=[payer.agreement])

    # After the bills

    def deletes_the_bill(self, name: str) -> None:
        if self.autotask:
            self.m.act("office.void_invoice", invoice=self.bill(name)["id"])
            self.m.act("office.write_off_items", contract=self.payers[name].agreement)
        else:
            self.m.act("office.delete_invoice", invoice=self.number(name))
            self.m.act("office.cancel_period", agreement=self.payers[name].agreement)

    def opts(self, name: str, word: str) -> None:
        """In: Yes. Out: No."""
        company = self.payers[name].company
        if self.autotask:
            self.m.act("office.set_udf", entity="Companies", key=company, name="Autopay", value=word)
        else:
            self.m.act("office.set_custom_field", record="companies", id=company, caption="Autopay", value=word)

    def ends(self, name: str, on: str) -> None:
        if self.autotask:
            self.m.act("office.end_contract", contract=self.payers[name].agreement, on=on)
        else:
            self.m.act("office.end_agreement", agreement=self.payers[name].agreement, on=on)

    def bills_more(self, name: str) -> None:
        """Another invoice for the same month."""
        id = self.payers[name].agreement
        if self.autotask:
            self._sell(id, "Server care", "149.00", starts="2026-02-03")
            self.m.act("office.create_invoices", through="2026-02-03", contracts=[id])
        else:
            line = self.m.act("office.add_addition", agreement=id, product="Server care", unitPrice="149.00", starts="2026-02-03")
            self.m.act("office.bill_addition_now", addition=line)

    def changes_currency(self, name: str) -> None:
        if self.autotask:
            self._set("Companies", self.payers[name].company, "currencyID", 2)
        else:
            canadian = {"id": 2, "currencyCode": "CAD", "name": "CAD"}
            self._set("Invoices", self.bill(name)["id"], "currency", canadian)

    def bills_somebody_else(self, name: str, other: str) -> None:
        id, company = self.bill(name)["id"], self.payers[other].company
        if self.autotask:
            self._set("Invoices", id, "companyID", company)
        else:
            for field in ("company", "billToCompany"):
                self._set("Invoices", id, field, {"id": company, "name": other})

    def credits_too_much(self, name: str) -> None:
        """ConnectWise only: an invoice of Autotask is not changed any more."""
        id = self.bill(name)["id"]
        self._set("Invoices", id, "credits", 600)
        self._set("Invoices", id, "balance", -100)

    def raises_the_price(self, name: str) -> None:
        id = self.payers[name].agreement
        if self.autotask:
            self._sell(id, "Server care", "1000.00", starts="2026-03-01")
        else:
            self._set("Agreements", id, "billAmount", 1500)

    def is_paid_by_cheque(self, name: str) -> None:
        if self.autotask:
            self.m.act("office.set_paid", invoice=self.bill(name)["id"])
        else:
            self.m.act("office.record_payment", invoice=self.number(name), amount="500.00")

    # Elsewhere

    def books_have_a_payment(self, name: str, *, on: str | None) -> None:
        self.m.act("quickbooks.enter_payment", customer_name=name, amount="33.00", **({"number": on} if on else {}))

    def at_the_gateway(self, name: str) -> dict[str, Any]:
        account = self.m.world.partners["stripe"].account  # type: ignore[attr-defined]
        return account.get("customer", self.customer(name))  # type: ignore[no-any-return]

    def method(self, name: str) -> dict[str, Any]:
        account = self.m.world.partners["stripe"].account  # type: ignore[attr-defined]
        default = self.at_the_gateway(name)["invoice_settings"]["default_payment_method"]
        return account.get("payment_method", default)  # type: ignore[no-any-return]
