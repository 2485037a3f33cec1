"""The PSA's contract on our ConnectWise adapter, over real HTTP against the sandbox; and what is ConnectWise's alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.connectwise import ADAPTER, ConnectWise, ConnectWiseSettings
from adapters.sandbox.connectwise import ConnectWise as Partner
from adapters.sandbox.faults import Fault
from adapters.sandbox.office import Office
from adapters.sandbox.server import Sandbox
from adapters.sandbox.world import World
from connector.config.secret import Secret
from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater, Unauthorized
from connector.mapping import load_mapping
from connector.model.agreement import Agreement, AgreementRef, LineBilling, Payer, Unchanged, Unusable
from connector.model.invoice import PaidState, PsaInvoiceKind
from connector.model.money import Money
from connector.model.period import Cycle
from connector.ports import Capability, Psa
from connector.testing.doubles import WorldClock, context
from connector.testing.psa import START, PsaContract, PsaRig

SHIPPED = Path(__file__).resolve().parents[2] / "mappings" / "connectwise.yaml"
GUID = "5d6b6a4e-58b7-4c3a-9e2f-0c1d2e3f4a5b"
MANY = 10_000
READS = ("GET",)

Build = Callable[..., ConnectWise]


class SandboxRig:
    """The rig on our sandbox."""

    currency = "USD"

    def __init__(self, world: World, partner: Partner, office: Office, build: Build) -> None:
        self.world = world
        self.partner = partner
        self.office = office
        self.build = build

    def today(self) -> date:
        return self.office.today()

    def advance(self, days: float) -> None:
        self.world.advance_days(days)

    def add_company(self, name: str, email: str, *, opted_in: bool) -> str:
        return str(self.office.add_company(name, email, Autopay="Yes" if opted_in else "No"))

    def add_agreement(self, company: str, name: str, *, starts: date, parent: str = "", **fields: Any) -> str:
        bundle = {"parent": int(parent)} if parent else {}
        return str(self.office.add_agreement(int(company), name, starts, tax_code="Exempt", **bundle, **fields))

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
        given = {"quantity": quantity, "unitPrice": unit_price, "lessIncluded": included, "starts": START, "ends": ends}
        return str(self.office.add_addition(int(agreement), product, **given, **fields))

    def change_quantity(self, line: str, quantity: Decimal) -> None:
        self.office.change_quantity(int(line), quantity)

    def break_agreement(self, agreement: str) -> None:
        self.office.add_billing_cycle("Every three years", "Triennial")
        cycle = self.partner.records.cycles.named("Every three years")
        self.set_field("agreements", agreement, "billingCycle", {"id": cycle["id"], "name": cycle["name"]})

    def set_field(self, record: str, id: str, field: str, value: object) -> None:
        self.office.set_field(record, int(id), field, value)

    def end_agreement(self, agreement: str, last_day: date) -> None:
        self.office.end_agreement(int(agreement), last_day)

    def delete_agreement(self, agreement: str) -> None:
        self.office.delete_agreement(int(agreement))

    def bill(self, agreement: str, dated: date) -> str:
        (made,) = self.office.create_invoices(self.today(), dated, agreements=[int(agreement)])
        return str(made["id"])

    def bill_other(self, agreement: str, amount: Money, dated: date) -> str:
        company = self.partner.records.agreements.rows[int(agreement)]["company"]["id"]
        return str(self.office.create_other_invoice(company, amount.major, dated=dated, agreement=int(agreement))["id"])

    def delete_invoice(self, invoice: str) -> None:
        self.office.delete_invoice(int(invoice))

    def enter_payment(self, invoice: str, amount: Money, dated: date) -> None:
        self.office.record_payment(int(invoice), amount.major, dated)

    def enter_credit(self, invoice: str, amount: Money) -> None:
        self.office.create_credit_memo(int(invoice), amount.major)

    def payments(self, invoice: str) -> Money:
        return Money.from_major(self.partner.records.invoices.rows[int(invoice)]["payments"], self.currency)

    def rows(self, invoice: str) -> list[tuple[Decimal, str, str]]:
        """Amount, date and member of every payment."""
        found = self.partner.records.payments.of(int(invoice)).values()
        return [(row["amount"], row["paymentDate"][:10], row["appliedBy"].strip()) for row in found]

    def noted(self, company: str) -> str:
        return str(self._custom(company).get("Autopay Link", ""))

    def others_notes(self, company: str) -> Mapping[str, str]:
        return {caption: value for caption, value in self._custom(company).items() if caption != "Autopay Link"}

    def _custom(self, company: str) -> dict[str, Any]:
        fields = self.partner.records.companies.rows[int(company)]["customFields"]
        return {field["caption"]: field.get("value", "") for field in fields}

    def requests(self) -> int:
        return len(self.world.requests)

    def writes(self) -> int:
        return sum(request["method"] not in READS for request in self.world.requests)

    def break_read(self, *, after: int) -> None:
        self.world.faults.add(Fault(kind="500", method="GET", skip=after, count=MANY))

    def lose_reply(self) -> None:
        for method in ("POST", "PATCH"):
            self.world.faults.add(Fault(kind="reply_lost", method=method))

    def throttle(self) -> None:
        self.world.faults.add(Fault(kind="429", count=MANY))

    def mend(self) -> None:
        self.world.faults.clear()

    def refused(self) -> Psa:
        return self.build(public_key="somebody-else")


@pytest.fixture
def world() -> World:
    world = World()
    world.add(Partner(world))
    office = Office(world)
    office.automatic = False
    world.add(office)
    return world


@pytest.fixture
def server(world: World) -> Iterator[Sandbox]:
    with Sandbox(world) as sandbox:
        yield sandbox


@pytest.fixture
def build(world: World, server: Sandbox, tmp_path: Path) -> Iterator[Build]:
    made: list[ConnectWise] = []

    def secret(name: str, text: str) -> Secret:
        file = tmp_path / name
        file.write_text(text)
        return Secret(file=file)

    def built(
        *, company_id: str = "sandbox", public_key: str = "sandbox-public", mapping: Path = SHIPPED, **settings: str
    ) -> ConnectWise:
        given = ConnectWiseSettings(
            base_url=f"{server.url}/connectwise",
            company_id=company_id,
            public_key=secret(f"public-{public_key}", public_key),
            private_key=secret("private", "sandbox-private"),
            client_id=GUID,
            **settings,
        )
        assert ADAPTER.mapping is not None
        rules = load_mapping(mapping, ADAPTER.mapping)
        made.append(ConnectWise(given, context(instance="msp", clock=WorldClock(world), mapping=rules)))
        return made[-1]

    yield built
    for adapter in made:
        adapter.close()


@pytest.fixture
def rig(world: World, build: Build) -> SandboxRig:
    partner, office = world.partners["connectwise"], world.partners["office"]
    assert isinstance(partner, Partner)
    assert isinstance(office, Office)
    return SandboxRig(world, partner, office, build)


@pytest.fixture
def psa(build: Build) -> ConnectWise:
    return build()


class TestWhereAnInvoiceHoldsManyPayments(PsaContract):
    @pytest.fixture
    def rig(self, rig: SandboxRig) -> PsaRig:
        return rig

    @pytest.fixture
    def psa(self, psa: ConnectWise) -> Psa:
        return psa


class TestWhereAnInvoiceHoldsOnePayment(PsaContract):
    @pytest.fixture
    def rig(self, rig: SandboxRig) -> PsaRig:
        rig.partner.payment_mode = "single"
        return rig

    @pytest.fixture
    def psa(self, psa: ConnectWise) -> Psa:
        return psa


# Agreements


def read(psa: ConnectWise, known: Mapping[str, str] | None = None) -> dict[str, Agreement | Unchanged | Unusable]:
    return {item.ref.id: item for item in psa.agreements(known or {})}


def snapshots(found: Mapping[str, object]) -> dict[str, str]:
    return {id: item.snapshot for id, item in found.items() if isinstance(item, Agreement)}


def one_agreement(rig: SandboxRig, **fields: Any) -> str:
    company = rig.add_company("Acme Dental", "ap@acme.example", opted_in=True)
    return rig.add_agreement(company, "Gold", starts=START, **fields)


def book(rig: SandboxRig, count: int) -> list[str]:
    return PsaContract().book(rig, count)


def test_only_the_billed_quantity_is_charged_whatever_its_form(psa: ConnectWise, rig: SandboxRig) -> None:
    id = one_agreement(rig, amount=Decimal("99.90"))
    rig.add_line(id, "backup", quantity=Decimal("1234.75"), unit_price=Decimal("0.045"), included=Decimal("200.5"))
    rig.add_line(id, "discount", quantity=Decimal(1), unit_price=Decimal("-75"))
    rig.add_line(id, "firewall", quantity=Decimal(1), unit_price=Decimal(89), billCustomer="NoCharge")
    rig.add_line(id, "training", quantity=Decimal(1), unit_price=Decimal(5), billCustomer="DoNotBill", taxableFlag=True)

    found = read(psa)[id]
    assert isinstance(found, Agreement)
    assert found.base == Money(9990, "USD")
    assert [(line.amount.minor, line.billing, line.tax_treatment) for line in found.lines] == [
        (4654, LineBilling.BILLABLE, "exempt"),
        (-7500, LineBilling.BILLABLE, "exempt"),
        (8900, LineBilling.NO_CHARGE, "exempt"),
        (500, LineBilling.DO_NOT_BILL, "taxable"),
    ]
    assert found.lines[0].quantity == Decimal("1034.25")


def test_what_is_billed_once_is_not_taken(psa: ConnectWise, rig: SandboxRig) -> None:
    one_agreement(rig, type="Block Time - One time", amount=Decimal(10000))

    assert read(psa) == {}


def test_an_amount_that_is_not_quantity_times_price_holds_the_agreement(psa: ConnectWise, rig: SandboxRig) -> None:
    id = one_agreement(rig)
    line = rig.add_line(id, "workstation", quantity=Decimal(10), unit_price=Decimal(25))
    rig.set_field("additions", line, "extPrice", Decimal("249.99"))

    found = read(psa)[id]
    assert isinstance(found, Unusable)
    assert found.reason == "amount_mismatch"
    assert "249.99 USD" in found.message
    assert f"addition {line} (workstation)" in found.message


def test_an_agreement_without_bill_to_company_is_named(psa: ConnectWise, rig: SandboxRig) -> None:
    id = one_agreement(rig)
    rig.set_field("agreements", id, "billToCompany", None)

    found = read(psa)[id]
    assert isinstance(found, Unusable)
    assert found.reason == "no_bill_to"
    assert found.message.startswith(f"Acme Dental: Gold (agreement {id}): it has no bill-to company.")


def test_a_deleted_payer_holds_its_agreement(psa: ConnectWise, rig: SandboxRig) -> None:
    id = one_agreement(rig)
    company = rig.partner.records.agreements.rows[int(id)]["billToCompany"]["id"]
    rig.set_field("companies", str(company), "deletedFlag", True)

    found = read(psa)[id]
    assert isinstance(found, Unusable)
    assert "Acme Dental" in found.message
    assert found.reason == "no_bill_to"


def test_an_agreement_in_another_currency_is_held(psa: ConnectWise, rig: SandboxRig) -> None:
    id = one_agreement(rig)
    rig.set_field("agreements", id, "currency", {"id": 2, "currencyCode": "EUR"})

    found = read(psa)[id]
    assert isinstance(found, Unusable)
    assert found.reason == "unsupported_currency"
    assert "EUR" in found.message


def test_a_custom_billing_cycle_is_named_with_the_place_in_the_mapping(psa: ConnectWise, rig: SandboxRig) -> None:
    id = one_agreement(rig)
    rig.break_agreement(id)

    found = read(psa)[id]
    assert isinstance(found, Unusable)
    assert "'Every three years' (Triennial)" in found.message
    assert "connectwise.yaml:" in found.message


def test_a_record_that_the_mapping_cannot_read_is_held(psa: ConnectWise, rig: SandboxRig) -> None:
    nameless, odd = one_agreement(rig), one_agreement(rig)
    rig.set_field("agreements", nameless, "name", "")
    line = rig.add_line(odd, "workstation", quantity=Decimal(1), unit_price=Decimal(25), billCustomer="Sometimes")

    found = read(psa)
    first, second = found[nameless], found[odd]
    assert isinstance(first, Unusable)
    assert isinstance(second, Unusable)
    assert (first.reason, second.reason) == ("mapping_failed", "mapping_failed")
    assert f"(agreement {nameless})" in first.message
    assert f"addition {line}: " in second.message
    assert "'Sometimes'" in second.message


def test_a_child_shares_the_fate_of_its_parent(psa: ConnectWise, rig: SandboxRig) -> None:
    """They are one bill: charged for the child alone, the payer would be charged for the parent's lines as well."""
    parent = one_agreement(rig)
    company = str(rig.partner.records.agreements.rows[int(parent)]["company"]["id"])
    child = rig.add_agreement(company, "Backup", starts=START, parent=parent)
    line = rig.add_line(parent, "workstation", quantity=Decimal(1), unit_price=Decimal(25))
    rig.set_field("additions", line, "extPrice", Decimal(1))

    found = read(psa)[child]
    assert isinstance(found, Unusable)
    assert found.reason == "parent_unusable"
    assert f"agreement {parent}" in found.message


def test_a_child_whose_parent_is_not_taken_stands_alone(psa: ConnectWise, rig: SandboxRig) -> None:
    parent = one_agreement(rig)
    company = str(rig.partner.records.agreements.rows[int(parent)]["company"]["id"])
    child = rig.add_agreement(company, "Backup", starts=START, parent=parent)
    rig.set_field("agreements", parent, "billOneTimeFlag", True)

    found = read(psa)
    assert found.keys() == {child}
    alone = found[child]
    assert isinstance(alone, Agreement)
    assert alone.group == child


def test_a_grandchild_is_billed_with_the_topmost_parent(psa: ConnectWise, rig: SandboxRig) -> None:
    top = one_agreement(rig)
    company = str(rig.partner.records.agreements.rows[int(top)]["company"]["id"])
    middle = rig.add_agreement(company, "Backup", starts=START, parent=top)
    bottom = rig.add_agreement(company, "Offsite", starts=START, parent=middle)

    groups = {id: item.group for id, item in read(psa).items() if isinstance(item, Agreement)}
    assert groups == {top: top, middle: top, bottom: top}


def test_a_cancelled_agreement_ends_after_its_last_day(psa: ConnectWise, rig: SandboxRig) -> None:
    id = one_agreement(rig)
    rig.office.cancel_agreement(int(id), "2026-03-31")

    found = read(psa)[id]
    assert isinstance(found, Agreement)
    assert (found.ends, found.cycle) == (date(2026, 4, 1), Cycle.MONTHLY)


def test_an_agreement_that_ended_long_ago_is_left_out(psa: ConnectWise, rig: SandboxRig) -> None:
    id = one_agreement(rig)
    rig.end_agreement(id, date(2026, 1, 31))
    kept = read(psa).keys()
    rig.advance(200)

    assert (kept, read(psa)) == ({id}, {})


def test_a_changed_payer_is_seen_at_once(psa: ConnectWise, rig: SandboxRig) -> None:
    id = one_agreement(rig)
    known = snapshots(read(psa))
    company = rig.partner.records.agreements.rows[int(id)]["company"]["id"]
    rig.office.set_custom_field("companies", company, "Autopay", "No")

    found = read(psa, known)[id]
    assert isinstance(found, Agreement)
    assert found.collect is False


def test_an_edited_mapping_is_applied_at_once(build: Build, rig: SandboxRig, tmp_path: Path) -> None:
    id = one_agreement(rig)
    rig.add_line(id, "workstation", quantity=Decimal(10), unit_price=Decimal(25), taxableFlag=True)
    known = snapshots(read(build()))
    same, edited = tmp_path / "same.yaml", tmp_path / "edited.yaml"
    rules = SHIPPED.read_text()
    same.write_text(f"# moved by a line\n{rules}")
    edited.write_text(rules.replace("from: taxableFlag, values: {true: taxable", "from: taxableFlag, values: {true: exempt"))

    found = read(build(mapping=edited), known)[id]
    assert isinstance(read(build(mapping=same), known)[id], Unchanged)
    assert isinstance(found, Agreement)
    assert found.lines[0].tax_treatment == "exempt"


def test_a_cycle_without_changes_costs_a_handful_of_lists(psa: ConnectWise, rig: SandboxRig) -> None:
    book(rig, 120)
    known = snapshots(read(psa))
    before = rig.requests()
    found = read(psa, known)

    assert Counter(type(item) for item in found.values()) == {Unchanged: 120}
    assert rig.requests() - before == 4  # agreements, their count, companies, recaps


def test_every_agreement_has_its_additions_read_once_a_day_evenly_over_the_hours(psa: ConnectWise, rig: SandboxRig) -> None:
    book(rig, 48)
    known = snapshots(read(psa))
    read_again: Counter[str] = Counter()
    for _ in range(24):
        rig.advance(1 / 24)
        fresh = snapshots(read(psa, known))
        known |= fresh
        read_again.update(fresh.keys())

        assert len(fresh) == 2
    assert set(read_again.values()) == {1}
    assert len(read_again) == 48


def test_an_agent_that_slept_over_its_turns_reads_them_when_it_wakes(psa: ConnectWise, rig: SandboxRig) -> None:
    book(rig, 24)
    known = snapshots(read(psa))
    rig.advance(5 / 24)

    assert len(snapshots(read(psa, known))) == 5


def test_a_first_read_that_broke_off_goes_on_where_it_stopped(psa: ConnectWise, rig: SandboxRig) -> None:
    book(rig, 10)
    rig.break_read(after=10)
    with pytest.raises(RetryLater):
        read(psa)
    rig.mend()
    before = rig.requests()
    read(psa)

    assert rig.requests() - before == 4 + 5  # the lists, and the additions of those that were not reached


def test_a_list_that_became_empty_by_a_lost_right_does_not_cancel_the_book(psa: ConnectWise, rig: SandboxRig) -> None:
    book(rig, 3)
    known = snapshots(read(psa))
    rig.partner.set_permission("agreements", allowed=False, silently=True)

    with pytest.raises(RetryLater, match=r"Finance > Agreements"):
        read(psa, known)


# Keys and rights


def test_a_wrong_company_id_and_wrong_keys_are_told_apart(build: Build) -> None:
    with pytest.raises(Unauthorized, match="knows no company id 'nobody'"):
        build(company_id="nobody").ping()
    with pytest.raises(Unauthorized, match="does not accept the keys of company 'sandbox'") as caught:
        build(public_key="other-key").ping()
    assert "other-key" not in str(caught.value)


def test_a_role_without_the_right_to_system_info_is_no_fault(psa: ConnectWise, rig: SandboxRig) -> None:
    rig.partner.set_permission("system", allowed=False)
    psa.ping()

    assert psa.invoice("1") is None


@pytest.mark.parametrize(
    ("area", "said"),
    [
        ("agreements", "Inquire (All) on Finance > Agreements"),
        ("companies", "Inquire (All) on Companies > Company Maintenance"),
        ("setup", "Inquire (All) on System > Table Setup > Billing Cycle"),
    ],
)
def test_a_missing_right_is_named(psa: ConnectWise, rig: SandboxRig, area: str, said: str) -> None:
    one_agreement(rig)
    rig.partner.set_permission(area, allowed=False)

    with pytest.raises(Unauthorized) as caught:
        read(psa)
    assert said in str(caught.value)


def test_the_right_to_add_payments_is_named(psa: ConnectWise, rig: SandboxRig) -> None:
    invoice = billed(rig)
    rig.partner.set_permission("payments.write", allowed=False)

    with pytest.raises(Unauthorized, match=r"Add \(All\) on Finance > Invoicing and Finance > Accounting Interface"):
        pay(psa, rig, invoice, 25000)


def test_throttling_says_when_to_come_back(psa: ConnectWise, rig: SandboxRig) -> None:
    rig.world.faults.add(Fault(kind="429", retry_after_s=77))

    with pytest.raises(RetryLater) as caught:
        psa.ping()
    assert caught.value.after_s == 77


# Invoices


def billed(rig: SandboxRig) -> str:
    id = one_agreement(rig)
    rig.add_line(id, "workstation", quantity=Decimal(10), unit_price=Decimal(25))
    return rig.bill(id, START)


def test_a_credit_memo_is_told_from_a_bill(psa: ConnectWise, rig: SandboxRig) -> None:
    invoice = billed(rig)
    rig.enter_credit(invoice, Money(3000, "USD"))
    memo = max(rig.partner.records.invoices.rows)

    found = psa.invoice(str(memo))
    assert found is not None
    assert (found.kind, found.total) == (PsaInvoiceKind.CREDIT_MEMO, Money(-3000, "USD"))


def test_invoices_of_many_agreements_are_asked_for_in_addresses_that_are_not_too_long(psa: ConnectWise, rig: SandboxRig) -> None:
    invoice = billed(rig)
    (mine,) = read(psa)
    before = rig.requests()
    refs = [AgreementRef(psa="connectwise", id=str(id)) for id in range(10_000, 11_000)]
    found = list(psa.invoices([*refs, AgreementRef(psa="connectwise", id=mine)], since=START))

    asked = list(rig.world.requests)[before:]
    assert [item.id for item in found] == [invoice]
    assert len(asked) > 1
    assert max(len(request["query"]) for request in asked) < 2000


# Payments


def pay(psa: ConnectWise, rig: SandboxRig, invoice: str, minor: int, own: tuple[str, ...] = (), **more: Any) -> Any:
    return psa.record_paid(invoice, PaidState(collected=Money(minor, "USD"), dated=rig.today(), own=own, **more))


def test_a_payment_is_dated_as_told_and_recorded_by_our_member(psa: ConnectWise, rig: SandboxRig) -> None:
    invoice = billed(rig)
    pay(psa, rig, invoice, 25000)

    assert rig.rows(invoice) == [(Decimal(250), "2026-01-05", "AutopayAPI")]


def test_two_payments_stand_in_one_row_that_is_right_in_both_kinds_of_connectwise(psa: ConnectWise, rig: SandboxRig) -> None:
    invoice = billed(rig)
    first = pay(psa, rig, invoice, 10000)
    rig.advance(3)
    pay(psa, rig, invoice, 25000, own=first.own)

    assert rig.rows(invoice) == [(Decimal(250), "2026-01-08", "AutopayAPI")]


def test_a_row_in_a_ledger_batch_is_left_and_the_difference_added_beside_it(psa: ConnectWise, rig: SandboxRig) -> None:
    invoice = billed(rig)
    first = pay(psa, rig, invoice, 10000)
    rig.office.post_payments("GL-1")
    second = pay(psa, rig, invoice, 25000, own=first.own)

    assert [amount for amount, _, _ in rig.rows(invoice)] == [Decimal(100), Decimal(150)]
    assert len(second.own) == 2


def test_money_in_a_ledger_batch_cannot_be_taken_back_and_that_is_said_with_figures(psa: ConnectWise, rig: SandboxRig) -> None:
    invoice = billed(rig)
    first = pay(psa, rig, invoice, 25000)
    rig.office.post_payments("GL-1")

    with pytest.raises(Rejected, match=r"250\.00 USD must be taken back") as caught:
        pay(psa, rig, invoice, 0, own=first.own)
    assert caught.value.code == "payment_batched"


def test_a_cheque_that_our_payment_replaced_is_put_back_and_survives_a_reversal(psa: ConnectWise, rig: SandboxRig) -> None:
    rig.partner.payment_mode = "single"
    invoice = billed(rig)
    rig.enter_payment(invoice, Money(4000, "USD"), rig.today())
    paid = pay(psa, rig, invoice, 21000)
    assert rig.rows(invoice) == [(Decimal(250), "2026-01-05", "AutopayAPI")]

    pay(psa, rig, invoice, 0, own=paid.own)
    assert rig.payments(invoice) == Money(4000, "USD")


def test_the_replaced_cheque_is_put_back_even_when_the_answer_and_the_next_look_were_lost(
    psa: ConnectWise, rig: SandboxRig
) -> None:
    rig.partner.payment_mode = "single"
    invoice = billed(rig)
    rig.enter_payment(invoice, Money(4000, "USD"), rig.today())
    rig.world.faults.add(Fault(kind="reply_lost", method="POST"))
    rig.world.faults.add(Fault(kind="500", method="GET", skip=2, count=1))
    with pytest.raises(OutcomeUnknown):
        pay(psa, rig, invoice, 21000)
    paid = pay(psa, rig, invoice, 21000)

    assert rig.rows(invoice) == [(Decimal(250), "2026-01-05", "AutopayAPI")]
    assert (paid.recorded, paid.balance) == (Money(21000, "USD"), Money(0, "USD"))


def test_a_payment_whose_answer_was_lost_in_a_crash_is_ours_when_the_member_is_known(build: Build, rig: SandboxRig) -> None:
    invoice = billed(rig)
    crash_after_writing(build(), rig, invoice)
    again = build(api_member="autopayapi")
    found = pay(again, rig, invoice, 25000)
    pay(again, rig, invoice, 0, own=found.own)

    assert (found.wrote, found.adopted.minor) == (False, 0)
    assert rig.rows(invoice) == []


def test_without_the_member_such_a_payment_is_adopted_and_never_doubled(build: Build, rig: SandboxRig) -> None:
    invoice = billed(rig)
    crash_after_writing(build(), rig, invoice)
    found = pay(build(), rig, invoice, 25000)

    assert (found.wrote, found.adopted) == (False, Money(25000, "USD"))
    assert rig.payments(invoice) == Money(25000, "USD")


def crash_after_writing(psa: ConnectWise, rig: SandboxRig, invoice: str) -> None:
    rig.world.faults.add(Fault(kind="reply_lost", method="POST"))
    rig.world.faults.add(Fault(kind="500", method="GET", skip=2, count=1))
    with pytest.raises(OutcomeUnknown):
        pay(psa, rig, invoice, 25000)


def test_a_server_error_after_the_write_leaves_one_payment(psa: ConnectWise, rig: SandboxRig) -> None:
    invoice = billed(rig)
    rig.world.faults.add(Fault(kind="500_after_effect", method="POST"))

    assert pay(psa, rig, invoice, 25000).balance == Money(0, "USD")
    assert len(rig.rows(invoice)) == 1


def test_a_cheque_for_the_other_half_is_not_taken_for_ours(psa: ConnectWise, rig: SandboxRig) -> None:
    """We collect one half, and in the same week a person enters a cheque for the other one."""
    invoice = billed(rig)
    rig.enter_payment(invoice, Money(12500, "USD"), rig.today())
    paid = pay(psa, rig, invoice, 12500)

    assert (paid.adopted.minor, paid.balance.minor) == (0, 0)
    assert rig.payments(invoice) == Money(25000, "USD")


@pytest.mark.parametrize("mode", ["many", "single"])
def test_an_adopted_payment_stays_adopted_when_the_bill_grows_and_more_is_collected(
    psa: ConnectWise, rig: SandboxRig, mode: str
) -> None:
    rig.partner.payment_mode = mode
    invoice = billed(rig)
    rig.enter_payment(invoice, Money(25000, "USD"), rig.today())
    first = pay(psa, rig, invoice, 25000)
    raise_bill(rig, invoice, "350.00")
    second = pay(psa, rig, invoice, 35000, own=first.own)

    assert (first.adopted, second.adopted) == (Money(25000, "USD"), Money(25000, "USD"))
    assert (second.recorded, rig.payments(invoice)) == (Money(35000, "USD"), Money(35000, "USD"))

    third = pay(psa, rig, invoice, 25000, own=second.own)
    assert (third.recorded, rig.payments(invoice)) == (Money(25000, "USD"), Money(25000, "USD"))


def raise_bill(rig: SandboxRig, invoice: str, total: str) -> None:
    """A person adds a line to the invoice."""
    for field in ("subtotal", "total"):
        rig.set_field("invoices", invoice, field, Decimal(total))
    row = rig.partner.records.invoices.rows[int(invoice)]
    rig.partner.payments.settle(row)


class Memory:
    """What stands in our links when the process is gone."""

    def __init__(self) -> None:
        self.own: tuple[str, ...] = ()

    def __call__(self, own: tuple[str, ...]) -> None:
        self.own = own


DEATHS = {
    "before the payment was added": [Fault(kind="500", method="POST")],
    "after it was added": [Fault(kind="reply_lost", method="POST"), Fault(kind="500", method="GET", skip=2, count=MANY)],
    "before the cheque was put back": [Fault(kind="500", method="PATCH", count=MANY)],
    "after it was put back": [Fault(kind="500_after_effect", method="PATCH", count=MANY)],
}


@pytest.mark.parametrize("mode", ["many", "single"])
@pytest.mark.parametrize("death", DEATHS)
def test_no_cheque_is_lost_and_nothing_recorded_twice_wherever_we_die(
    build: Build, rig: SandboxRig, mode: str, death: str
) -> None:
    """Ours is a part of the bill and nobody told us who we are: only what was remembered before the write says what is ours."""
    rig.partner.payment_mode = mode
    invoice = billed(rig)
    rig.enter_payment(invoice, Money(4000, "USD"), rig.today())
    memory = Memory()
    for fault in DEATHS[death]:
        rig.world.faults.add(replace(fault))
    with suppress(ConnectorError):
        pay(build(), rig, invoice, 10000, remember=memory)
    rig.world.faults.clear()
    again = pay(build(), rig, invoice, 10000, own=memory.own)

    assert (again.recorded, again.balance) == (Money(10000, "USD"), Money(11000, "USD"))
    assert rig.payments(invoice) == Money(14000, "USD")

    pay(build(), rig, invoice, 0, own=again.own)
    assert rig.payments(invoice) == Money(4000, "USD")


def test_what_was_refused_is_not_looked_for(build: Build, rig: SandboxRig) -> None:
    """A person enters the payment instead, weeks later."""
    invoice = billed(rig)
    rig.world.faults.add(Fault(kind="429", method="POST", count=9))
    memory = Memory()
    with pytest.raises(RetryLater):
        pay(build(), rig, invoice, 10000, remember=memory)
    rig.world.faults.clear()

    assert memory.own == ()


def test_an_old_cheque_of_the_same_amount_is_not_taken_for_our_payment(psa: ConnectWise, rig: SandboxRig) -> None:
    invoice = billed(rig)
    rig.enter_payment(invoice, Money(12500, "USD"), date(2025, 12, 20))
    paid = pay(psa, rig, invoice, 12500)

    assert (paid.adopted.minor, paid.balance.minor) == (0, 0)
    assert rig.payments(invoice) == Money(25000, "USD")


def test_a_cheque_entered_on_top_of_our_payment_does_not_take_ours_back(psa: ConnectWise, rig: SandboxRig) -> None:
    invoice = billed(rig)
    first = pay(psa, rig, invoice, 25000)
    rig.enter_payment(invoice, Money(25000, "USD"), rig.today())
    again = pay(psa, rig, invoice, 25000, own=first.own)

    assert (again.wrote, again.balance) == (False, Money(-25000, "USD"))
    assert rig.payments(invoice) == Money(50000, "USD")


def test_an_invoice_that_does_not_add_up_is_not_written_to(psa: ConnectWise, rig: SandboxRig) -> None:
    invoice = billed(rig)
    rig.set_field("invoices", invoice, "payments", Decimal(100))

    with pytest.raises(Rejected, match=r"should show payments of 0\.00 USD .* shows payments of 100\.00 USD") as caught:
        pay(psa, rig, invoice, 25000)
    assert caught.value.code == "balance_mismatch"
    assert (rig.rows(invoice), rig.writes()) == ([], 0)


# Enrolment


def test_only_one_custom_field_changes_and_the_whole_array_is_sent(psa: ConnectWise, rig: SandboxRig) -> None:
    company = rig.add_company("Acme Dental", "ap@acme.example", opted_in=True)
    psa.publish_enrolment(Payer(psa="connectwise", id=company, name="Acme Dental"), link="https://x.example/1", state="invited")

    assert rig.others_notes(company) == {"Autopay": "Yes"}
    assert Capability.PUBLISH_ENROLMENT in psa.can


def test_a_custom_field_that_is_not_there_is_named(psa: ConnectWise, rig: SandboxRig) -> None:
    company = rig.add_company("Acme Dental", "ap@acme.example", opted_in=True)
    rig.set_field("companies", company, "customFields", [])
    payer = Payer(psa="connectwise", id=company, name="Acme Dental")

    with pytest.raises(Rejected, match=r"Acme Dental \(company \d+\) has no custom field 'Autopay Link'"):
        psa.publish_enrolment(payer, link="https://x.example/1", state="invited")


def test_the_secret_of_the_keys_is_in_no_error(build: Build, rig: SandboxRig) -> None:
    psa = build()
    rig.throttle()

    with pytest.raises(RetryLater) as caught:
        read(psa)
    assert "sandbox-private" not in repr(caught.value) + repr(psa.__dict__)
