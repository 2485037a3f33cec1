"""The PSA's contract on our Autotask adapter, over real HTTP against the sandbox; and what is Autotask's alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.autotask import ADAPTER, Autotask, AutotaskSettings
from adapters.sandbox.autotask import Autotask as Partner
from adapters.sandbox.autotask_office import AutotaskOffice
from adapters.sandbox.server import Sandbox
from adapters.sandbox.world import World
from connector.config.secret import Secret
from connector.errors import Rejected, RetryLater, Unauthorized
from connector.mapping import load_mapping
from connector.model.agreement import Agreement, AgreementRef, Payer, Unchanged, Unusable
from connector.model.invoice import PaidState, PsaInvoice, PsaInvoiceKind
from connector.model.money import Money
from connector.model.period import Cycle
from connector.ports import Capability, Psa
from connector.testing.doubles import WorldClock, context
from connector.testing.psa import START, PsaContract, PsaRig
from tests.contract.autotask_rig import Build, SandboxRig, is_write

SHIPPED = Path(__file__).resolve().parents[2] / "mappings" / "autotask.yaml"


class Sleeps:
    """Instead of sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def world() -> World:
    world = World()
    world.add(Partner(world))
    office = AutotaskOffice(world)
    office.automatic = False
    world.add(office)
    return world


@pytest.fixture
def server(world: World) -> Iterator[Sandbox]:
    with Sandbox(world) as sandbox:
        yield sandbox


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
def build(world: World, server: Sandbox, tmp_path: Path, sleeps: Sleeps) -> Iterator[Build]:
    made: list[Autotask] = []

    def written(name: str, text: str) -> Secret:
        file = tmp_path / name
        file.write_text(text)
        return Secret(file=file)

    def built(*, mapping: Path = SHIPPED, **settings: Any) -> Autotask:
        secret, code = settings.pop("secret", "sandbox-secret"), settings.pop("integration_code", "SANDBOXCODE")
        given = AutotaskSettings(
            **{
                "base_url": f"{server.url}/autotask",
                "user_name": "api@sandbox.example",
                "secret": written(f"secret-{secret}", secret),
                "integration_code": written(f"code-{code}", code),
                **settings,
            }
        )
        assert ADAPTER.mapping is not None
        rules = load_mapping(mapping, ADAPTER.mapping)
        made.append(Autotask(given, context(instance="msp", clock=WorldClock(world), mapping=rules, sleep=sleeps)))
        return made[-1]

    yield built
    for adapter in made:
        adapter.close()


@pytest.fixture
def rig(world: World, build: Build) -> SandboxRig:
    partner, office = world.partners["autotask"], world.partners["office"]
    assert isinstance(partner, Partner)
    assert isinstance(office, AutotaskOffice)
    return SandboxRig(world, partner, office, build)


@pytest.fixture
def psa(build: Build) -> Autotask:
    return build()


class TestAutotask(PsaContract):
    ALWAYS_ENDS = True
    READS_EVERYTHING = True

    @pytest.fixture
    def rig(self, rig: SandboxRig) -> PsaRig:
        return rig

    @pytest.fixture
    def psa(self, psa: Autotask) -> Psa:
        return psa


# Contracts


def read(psa: Autotask, known: Mapping[str, str] | None = None) -> dict[str, Agreement | Unchanged | Unusable]:
    return {item.ref.id: item for item in psa.agreements(known or {})}


def agreement(psa: Autotask, id: str) -> Agreement:
    found = read(psa)[id]
    assert isinstance(found, Agreement), found
    return found


def unusable(psa: Autotask, id: str) -> Unusable:
    found = read(psa)[id]
    assert isinstance(found, Unusable), found
    return found


def contract(rig: SandboxRig, name: str = "Gold", **fields: Any) -> str:
    company = rig.add_company(f"{name} Dental", "ap@acme.example", opted_in=True)
    return rig.add_agreement(company, name, starts=START, **fields)


def sold(rig: SandboxRig, id: str, units: int = 11, price: str = "23.10", **fields: Any) -> str:
    return rig.add_line(id, "workstation", quantity=Decimal(units), unit_price=Decimal(price), **fields)


def usd(amount: str) -> Money:
    return Money.from_major(Decimal(amount), "USD")


def lines(psa: Autotask, id: str) -> list[tuple[Decimal, Decimal, Money, date | None, date | None]]:
    return [(line.quantity, line.unit_price, line.amount, line.starts, line.ends) for line in agreement(psa, id).lines]


def test_a_price_that_is_extended_already_is_never_multiplied_again(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    sold(rig, id)

    assert lines(psa, id) == [(Decimal(11), Decimal("23.1"), usd("254.10"), None, None)]


def test_a_tenant_whose_rows_show_the_price_of_one_unit_is_read_to_the_same_amount(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    sold(rig, id)
    rig.partner.set_price_is_extended(False)

    assert lines(psa, id) == [(Decimal(11), Decimal("23.1"), usd("254.10"), None, None)]


def test_an_amount_that_fits_neither_way_stops_its_contract_alone_and_shows_the_figures(psa: Autotask, rig: SandboxRig) -> None:
    odd, even = contract(rig, "Gold"), contract(rig, "Silver")
    line = sold(rig, odd)
    sold(rig, even)
    rig.office.set_field("ContractServiceUnits", rig.units(line)[1]["id"], "price", Decimal("180.00"))

    found = unusable(psa, odd)
    assert found.reason == "amount_mismatch"
    for figure in ("Gold Dental: Gold", odd, "180.00", "11 x 23.10 = 254.10", "2026-02-01"):
        assert figure in found.message
    assert agreement(psa, even).lines


def test_listed_prices_that_no_row_agrees_with_stop_the_contract(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    line = sold(rig, id)
    rig.office.set_field("ContractServices", int(line), "unitPrice", Decimal("999.00"))
    rig.office.set_field("ContractServices", int(line), "internalCurrencyAdjustedPrice", Decimal("999.00"))

    assert unusable(psa, id).reason == "amount_mismatch"


def test_a_price_that_is_raised_from_a_day_on_is_a_second_price_of_the_line(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    line = sold(rig, id)
    rig.office.adjust(int(line), price=Decimal("25.00"), on="2026-07-01")

    assert lines(psa, id) == [
        (Decimal(11), Decimal("23.1"), usd("254.10"), None, date(2026, 7, 1)),
        (Decimal(11), Decimal("25"), usd("275.00"), date(2026, 7, 1), None),
    ]


def test_the_slices_of_a_period_in_which_units_changed_are_summed(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    line = sold(rig, id, units=10, price="31.00")
    rig.office.adjust(int(line), 5, on="2026-03-16")

    # 15 of 31 days at 10, 16 at 15: 150.00 + 240.00
    assert lines(psa, id) == [
        (Decimal(10), Decimal(31), usd("310.00"), None, date(2026, 3, 1)),
        (Decimal(1), Decimal(390), usd("390.00"), date(2026, 3, 1), date(2026, 4, 1)),
        (Decimal(15), Decimal(31), usd("465.00"), date(2026, 4, 1), None),
    ]


def test_units_added_after_a_period_was_posted_are_summed_with_what_was_posted(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    line = sold(rig, id, units=10, price="31.00")
    rig.bill(id, START)
    rig.office.adjust(int(line), 5, on="2026-01-17")

    assert lines(psa, id)[0] == (Decimal(1), Decimal(385), usd("385.00"), None, date(2026, 2, 1))
    assert lines(psa, id)[1][:3] == (Decimal(15), Decimal(31), usd("465.00"))


def test_a_bundle_is_counted_once_and_not_with_its_services(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    inside = [rig.office.add_service(name, 50) for name in ("Desk", "Backup")]
    bundle = rig.office.add_bundle("All in one", 80, inside, taxed=False)
    rig.office.sell(int(id), bundle, 3, bundle=True)
    sold(rig, id)

    found = agreement(psa, id)
    assert {(line.product.partition("-")[0], line.amount) for line in found.lines} == {
        ("service", usd("254.10")),
        ("bundle", usd("240.00")),
    }


@pytest.mark.parametrize(
    ("period_type", "cycle"), [(2, Cycle.MONTHLY), (3, Cycle.QUARTERLY), (4, Cycle.SEMIANNUAL), (5, Cycle.YEARLY)]
)
def test_a_contract_is_billed_by_the_period_of_its_services(
    psa: Autotask, rig: SandboxRig, period_type: int, cycle: Cycle
) -> None:
    id = contract(rig)
    sold(rig, id, period_type=period_type)

    found = agreement(psa, id)
    assert (found.cycle, found.anchor, found.lines[0].amount) == (cycle, START, usd("254.10"))


def test_services_of_different_periods_on_one_contract_are_told_with_their_names(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    sold(rig, id)
    sold(rig, id, period_type=3)

    found = unusable(psa, id)
    assert found.reason == "mixed_cycle"
    assert "(Monthly)" in found.message
    assert "(Quarterly)" in found.message


def test_the_bill_to_company_pays_for_the_company_served(psa: Autotask, rig: SandboxRig) -> None:
    parent = rig.add_company("Holding Inc", "ap@holding.example", opted_in=True)
    id = contract(rig, bill_to=int(parent))

    found = agreement(psa, id)
    assert (found.payer.id, found.payer.email, found.company_name) == (parent, "ap@holding.example", "Gold Dental")


def test_inactive_other_ended_and_own_contracts_are_left_out_and_future_ones_are_read(psa: Autotask, rig: SandboxRig) -> None:
    inactive, block, long_ago = contract(rig, status=0), contract(rig, type=4), contract(rig)
    rig.office.set_field("Contracts", int(long_ago), "endDate", "2025-09-30T00:00:00Z")
    own = str(rig.office.add_contract(0, "Internal", START))
    ended = str(rig.office.add_contract(int(rig.add_company("Late Ltd", "", opted_in=True)), "Old", "2025-01-01", "2025-12-31"))
    coming = str(rig.office.add_contract(int(rig.add_company("Soon Ltd", "", opted_in=True)), "New", "2026-06-15"))
    sold(rig, coming)

    found = read(psa)
    assert found.keys() == {ended, coming}
    assert not {inactive, block, long_ago, own} & found.keys()
    assert (agreement(psa, ended).ends, agreement(psa, coming).starts) == (START, date(2026, 6, 15))
    assert (agreement(psa, coming).anchor, agreement(psa, coming).lines[0].amount) == (date(2026, 6, 15), usd("254.10"))


@pytest.mark.parametrize("points_back", [True, False])
def test_a_renewal_names_what_it_continues_whichever_of_the_two_holds_the_id(
    psa: Autotask, rig: SandboxRig, points_back: bool
) -> None:
    old = contract(rig)
    sold(rig, old)
    new = str(rig.office.renew_contract(int(old), "2026-02-01", points_back=points_back))

    assert (agreement(psa, new).renews, agreement(psa, old).renews) == (old, "")
    assert agreement(psa, old).ends == agreement(psa, new).starts == date(2026, 2, 1)


def test_contracts_of_one_invoice_group_are_one_billing_unit(psa: Autotask, rig: SandboxRig) -> None:
    company = rig.add_company("Acme Dental", "ap@acme.example", opted_in=True)
    first, second, alone = (rig.add_agreement(company, name, starts=START) for name in ("A", "B", "C"))
    for id in (first, second):
        rig.office.set_udf("Contracts", int(id), "Invoice Group", "together")

    groups = {id: agreement(psa, id).group for id in (first, second, alone)}
    assert groups == {first: "together", second: "together", alone: alone}


def test_a_book_of_more_than_a_page_is_read_to_its_end(psa: Autotask, rig: SandboxRig) -> None:
    company = rig.add_company("Acme Dental", "ap@acme.example", opted_in=True)
    for number in range(503):
        rig.add_agreement(company, f"Contract {number}", starts=START)
    first = next(iter(rig.partner.records.contracts.rows))
    for _ in range(44):
        sold(rig, str(first))  # 528 unit rows

    assert len(read(psa)) == 503
    assert len(agreement(psa, str(first)).lines) == 44


def test_a_security_level_that_hides_everything_does_not_look_like_ended_contracts(psa: Autotask, rig: SandboxRig) -> None:
    known = {item.ref.id: item.snapshot for item in read_book(psa, rig).values() if isinstance(item, Agreement)}
    rig.partner.set_permission("Contracts", False, silently=True)

    with pytest.raises(RetryLater, match="security level"):
        read(psa, known)


def test_hidden_units_do_not_look_like_a_contract_that_costs_nothing(psa: Autotask, rig: SandboxRig) -> None:
    read_book(psa, rig)
    rig.partner.set_permission("ContractServiceUnits", False, silently=True)

    with pytest.raises(RetryLater, match="ContractServiceUnits"):
        read(psa)


def read_book(psa: Autotask, rig: SandboxRig) -> dict[str, Agreement | Unchanged | Unusable]:
    PsaContract().book(rig, 3)
    return read(psa)


def test_a_payer_in_another_currency_is_not_collected_in_ours(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    other = next(row for row in rig.partner.records.currencies.rows.values() if row["name"] != "USD")
    company = rig.partner.records.contracts.rows[int(id)]["companyID"]
    rig.office.set_field("Companies", company, "currencyID", other["id"])
    invoice = rig.office.add_charge(company, 100, contract=int(id), dated=START)
    assert invoice

    assert unusable(psa, id).reason == "unsupported_currency"


# Invoices


def invoices(psa: Autotask, *ids: str) -> list[PsaInvoice]:
    return list(psa.invoices([AgreementRef(psa="autotask", id=id) for id in ids], since=START))


def test_one_invoice_of_several_contracts_names_them_all_also_when_one_was_asked_for(psa: Autotask, rig: SandboxRig) -> None:
    company = rig.add_company("Acme Dental", "ap@acme.example", opted_in=True)
    first, second = (rig.add_agreement(company, name, starts=START) for name in ("A", "B"))
    for id in (first, second):
        sold(rig, id)
    (made,) = rig.office.create_invoices(START, START, contracts=[int(first), int(second)], together=True)

    (found,) = invoices(psa, first)
    assert (found.id, found.total) == (str(made["id"]), usd("508.20"))
    assert {ref.id for ref in found.agreements} == {first, second}
    assert psa.invoice(found.id) == found


def test_one_contract_on_several_invoices_is_on_each_of_them(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    line = sold(rig, id, units=10, price="31.00")
    rig.bill(id, START)
    rig.office.adjust(int(line), 5, on="2026-01-17")
    rig.bill(id, date(2026, 1, 17))

    assert [(found.total, found.kind) for found in invoices(psa, id)] == [
        (usd("310.00"), PsaInvoiceKind.AGREEMENT),
        (usd("75.00"), PsaInvoiceKind.AGREEMENT),
    ]


def test_other_work_on_the_periods_invoice_is_part_of_the_bill(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    sold(rig, id)
    company = rig.partner.records.contracts.rows[int(id)]["companyID"]
    rig.office.add_charge(company, 995, "Set-up fee", contract=int(id), dated=START, taxed=False)
    rig.bill(id, START)

    (found,) = invoices(psa, id)
    assert (found.kind, found.total) == (PsaInvoiceKind.AGREEMENT, usd("1249.10"))


def test_tax_due_date_and_number_are_read_and_an_invoice_without_a_number_goes_by_its_id(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    service = rig.office.add_service("Desk", 100)
    rig.office.sell(int(id), service, 1)
    (made,) = rig.office.create_invoices(START, START, due_days=15, contracts=[int(id)], numbered=False)

    (found,) = invoices(psa, id)
    assert (found.number, found.due_date) == (str(made["id"]), date(2026, 1, 16))
    assert (found.subtotal, found.tax, found.total) == (usd("100"), found.total - usd("100"), found.balance)
    assert found.tax.minor > 0


def test_a_voided_invoice_is_gone_and_the_one_in_its_place_is_found(psa: Autotask, rig: SandboxRig) -> None:
    id = contract(rig)
    sold(rig, id)
    first = rig.bill(id, START)
    rig.office.void_invoice(int(first))
    second = rig.bill(id, START)

    assert psa.invoice(first) is None
    assert [found.id for found in invoices(psa, id)] == [second]


# Recording payments


def pay(psa: Autotask, rig: SandboxRig, invoice: str, amount: str, **given: Any) -> Any:
    return psa.record_paid(invoice, PaidState(collected=usd(amount), dated=rig.today(), **given))


@pytest.fixture
def invoice(rig: SandboxRig) -> str:
    """Of 254.10."""
    id = contract(rig)
    sold(rig, id)
    return rig.bill(id, START)


def test_a_part_is_not_written_and_is_told_as_open(psa: Autotask, rig: SandboxRig, invoice: str) -> None:
    record = pay(psa, rig, invoice, "100")

    assert (record.recorded, record.balance, record.wrote) == (usd("0"), usd("254.10"), False)
    assert rig.writes() == 0
    assert Capability.PARTIAL_SETTLEMENT not in psa.can


def test_a_part_becomes_a_paid_date_when_the_rest_arrives_here_or_elsewhere(psa: Autotask, rig: SandboxRig, invoice: str) -> None:
    pay(psa, rig, invoice, "100")
    record = pay(psa, rig, invoice, "100", elsewhere=usd("154.10"))

    assert (record.recorded, record.balance) == (usd("100"), usd("0"))
    assert rig.paid_date(invoice) == "2026-01-05"


def test_the_paid_date_is_the_companys_date_and_nothing_else_is_touched(psa: Autotask, rig: SandboxRig, invoice: str) -> None:
    before = dict(rig.partner.records.invoices.rows[int(invoice)])
    psa.record_paid(invoice, PaidState(collected=usd("254.10"), dated=date(2026, 1, 4)))

    after = rig.partner.records.invoices.rows[int(invoice)]
    assert {name for name in after if after.get(name) != before.get(name)} == {"paidDate"}
    assert after["paidDate"] == "2026-01-04T00:00:00Z"


def test_a_part_that_went_back_clears_the_paid_date(psa: Autotask, rig: SandboxRig, invoice: str) -> None:
    paid = pay(psa, rig, invoice, "254.10")
    back = pay(psa, rig, invoice, "200.00", own=paid.own)

    assert (back.wrote, back.recorded, back.balance, back.own) == (True, usd("0"), usd("254.10"), ())
    assert rig.paid_date(invoice) == ""


def test_a_paid_date_that_somebody_changed_is_not_taken_back(psa: Autotask, rig: SandboxRig, invoice: str) -> None:
    paid = pay(psa, rig, invoice, "254.10")
    rig.office.set_paid(int(invoice), "2026-01-03")

    with pytest.raises(Rejected, match="2026-01-03"):
        pay(psa, rig, invoice, "0", own=paid.own)
    assert rig.paid_date(invoice) == "2026-01-03"


def test_nothing_is_written_to_a_voided_invoice(psa: Autotask, rig: SandboxRig, invoice: str) -> None:
    rig.office.void_invoice(int(invoice))

    with pytest.raises(Rejected, match="voided"):
        pay(psa, rig, invoice, "254.10")
    assert rig.writes() == 0


def test_a_paid_date_that_may_not_be_written_is_told_at_the_start_with_what_to_change(rig: SandboxRig, invoice: str) -> None:
    rig.partner.set_read_only("Invoices", "paidDate")

    with pytest.raises(Unauthorized, match="paidDate is read-only"):
        rig.build().ping()
    with pytest.raises(Unauthorized, match="security level"):
        pay(rig.build(), rig, invoice, "254.10")
    rig.build(records_payments=False).ping()
    assert rig.writes() == 0


# Who may not come in: each told apart


def test_an_unknown_user_is_told_as_such(rig: SandboxRig) -> None:
    with pytest.raises(Unauthorized, match=r"knows no API user 'nobody@sandbox\.example'.*user_name"):
        rig.build(user_name="nobody@sandbox.example").ping()


@pytest.mark.parametrize("wrong", [{"secret": "other"}, {"integration_code": "OTHER"}])
def test_a_wrong_secret_or_code_is_told_as_such_and_neither_is_shown(rig: SandboxRig, wrong: dict[str, str]) -> None:
    with pytest.raises(Unauthorized, match=r"knows the user .* but does not accept the secret or the integration code") as caught:
        rig.build(**wrong).ping()
    assert "other" not in str(caught.value).lower().split()


def test_a_user_without_the_licence_is_told_what_to_check(rig: SandboxRig) -> None:
    rig.partner.set_user("api@sandbox.example", "sandbox-secret", api=False)

    with pytest.raises(Unauthorized, match=r"API User \(system\)"):
        rig.build().ping()


def test_a_missing_permission_names_the_right(psa: Autotask, rig: SandboxRig) -> None:
    rig.partner.set_permission("Contracts", False)

    with pytest.raises(Unauthorized, match=r"does not let the API user read Contracts.*right to view contracts"):
        read(psa)


def test_an_invoice_that_may_not_be_changed_names_the_right(psa: Autotask, rig: SandboxRig, invoice: str) -> None:
    rig.partner.set_permission("Invoices", False, doing="update")

    with pytest.raises(Unauthorized, match=r"change Invoices.*right to edit invoices"):
        pay(psa, rig, invoice, "254.10")


@pytest.mark.parametrize("status", [401, 500])
def test_a_database_that_moved_to_another_zone_is_found_again_at_once(psa: Autotask, rig: SandboxRig, status: int) -> None:
    book = read_book(psa, rig)
    rig.partner.move_zone("zone29", wrong_zone_status=status)

    assert read(psa) == book


def test_the_zone_is_asked_for_once(psa: Autotask, rig: SandboxRig) -> None:
    read(psa)
    read(psa)

    assert sum("zoneinformation" in request["path"].lower() for request in rig.world.requests) == 1
    assert all("/v1.0/" in request["path"].lower() for request in rig.world.requests)


# Limits


def ours(rig: SandboxRig) -> int:
    return sum(request["partner"] == "autotask" for request in rig.world.requests)


def test_never_more_than_our_share_of_the_tenants_requests(rig: SandboxRig) -> None:
    psa = rig.build(budget_share_percent=10)
    rig.partner.set_threshold(200)

    with pytest.raises(RetryLater, match="budget_share_percent") as caught:
        read_on(psa)
    assert ours(rig) <= 20 + 1  # the zone is asked for outside the limits
    assert 0 < caught.value.after_s <= 3600
    rig.world.advance(rig.world.now + timedelta(hours=1, seconds=1))
    assert read(psa) == {}


def read_on(psa: Autotask) -> None:
    for _ in range(10):
        read(psa)


def test_a_read_that_would_break_off_is_not_begun_so_that_bills_can_still_be_read(rig: SandboxRig) -> None:
    psa = rig.build(budget_share_percent=20)
    rig.partner.set_threshold(200)
    read_book(psa, rig)
    with pytest.raises(RetryLater):
        read_on(psa)
    before = ours(rig)

    with pytest.raises(RetryLater):
        read(psa)
    assert ours(rig) == before
    assert list(psa.invoices([AgreementRef(psa="autotask", id="1")], since=START)) == []


def test_it_slows_down_from_half_of_what_the_tenant_has_and_stops_at_three_quarters(
    psa: Autotask, rig: SandboxRig, sleeps: Sleeps
) -> None:
    read(psa)
    assert sleeps.slept == []

    rig.world.advance_days(1)
    rig.partner.spend_requests(5_100)
    read(psa)
    assert sleeps.slept
    assert max(sleeps.slept) < 2

    rig.world.advance(rig.world.now + timedelta(minutes=5))
    rig.partner.spend_requests(2_500)
    before = ours(rig)
    with pytest.raises(RetryLater, match="the tenant's tools have used") as caught:
        read(psa)
    assert ours(rig) == before + 1
    assert caught.value.after_s >= 300


def test_too_many_threads_are_waited_for(psa: Autotask, rig: SandboxRig) -> None:
    rig.partner.hang_threads("Contracts", 3)

    with pytest.raises(RetryLater, match="too many calls") as caught:
        read(psa)
    assert caught.value.after_s >= 30


# Enrolment


def test_a_company_without_the_field_is_told_by_name(psa: Autotask, rig: SandboxRig, tmp_path: Path) -> None:
    company = rig.add_company("Acme Dental", "ap@acme.example", opted_in=True)
    other = tmp_path / "autotask.yaml"
    other.write_text(SHIPPED.read_text().replace("link: {value: Autopay Link}", "link: {value: Nowhere}"))
    psa = rig.build(mapping=other)

    with pytest.raises(Rejected, match=r"Acme Dental .*'Nowhere'"):
        psa.publish_enrolment(Payer(psa="autotask", id=company, name="Acme Dental"), link="https://pay.example", state="")
    assert rig.writes() == 0


def test_only_two_kinds_of_record_are_ever_written(psa: Autotask, rig: SandboxRig, invoice: str) -> None:
    company = rig.add_company("Acme Dental", "ap@acme.example", opted_in=True)
    psa.publish_enrolment(Payer(psa="autotask", id=company, name="Acme Dental"), link="https://pay.example", state="")
    paid = pay(psa, rig, invoice, "254.10")
    pay(psa, rig, invoice, "0", own=paid.own)

    written = [request for request in rig.world.requests if is_write(request)]
    assert [(request["method"], request["path"].rpartition("/")[2]) for request in written] == [
        ("PATCH", "Companies"),
        ("PATCH", "Invoices"),
        ("PATCH", "Invoices"),
    ]
