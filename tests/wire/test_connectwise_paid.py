"""What our payment rows on an invoice should be: the decisions, and their laws for any mix of rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.connectwise import paid, wire
from adapters.connectwise.asked import Asked
from adapters.connectwise.paid import Add, Change, Row, Token
from connector.errors import Rejected
from connector.model.agreement import AgreementRef
from connector.model.invoice import PsaInvoice, PsaInvoiceKind
from connector.model.money import Money

DAY = date(2026, 3, 31)
MEMBER = "AutopayAPI"


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def invoice(total: int = 25000, *, payments: int = 0, credits: int = 0, balance: int | None = None) -> PsaInvoice:
    return PsaInvoice(
        id="206",
        number="197",
        kind=PsaInvoiceKind.AGREEMENT,
        agreements=(AgreementRef(psa="connectwise", id="2"),),
        payer="connectwise:8",
        dated=date(2026, 3, 1),
        due_date=None,
        subtotal=usd(total),
        tax=usd(0),
        total=usd(total),
        payments=usd(payments),
        credits=usd(credits),
        balance=usd(total - payments - credits if balance is None else balance),
    )


def payment(id: int, minor: int, *, day: date = DAY, by: str = "Admin1", batch: str | None = None) -> wire.Payment:
    amount = Decimal(minor) / 100
    return wire.Payment(id=id, amount=amount, paymentDate=day, appliedBy=by, glBatchID=batch)


def known(*payments: wire.Payment, own: tuple[str, ...] = ()) -> list[Row]:
    return paid.rows(payments, own, "USD")


@pytest.mark.parametrize(
    "token",
    [
        Token(id=302),
        Token(id=302, carried=5000),
        Token(id=302, carried=1, stands=2),
        Token(id=302, stands=2),
        Token(id=301, adopted=True),
    ],
)
def test_a_token_reads_back_as_it_was_written(token: Token) -> None:
    assert Token.parse(str(token)) == token


def test_a_credit_memo_that_was_applied_is_no_payment() -> None:
    credit = wire.Payment(id=9, amount=Decimal(30), credit={"id": 300})

    assert known(credit) == []


def test_a_row_that_carries_somebody_elses_money_counts_for_both() -> None:
    (row,) = known(payment(302, 25000), own=("302+4000",))

    assert (row.ours, row.foreign, str(row.token)) == (usd(21000), usd(4000), "302+4000")


def test_a_row_of_the_missing_amount_by_our_member_on_that_day_is_ours() -> None:
    found = known(payment(302, 25000, by="autopayapi  "))
    (row,) = paid.claim(found, usd(25000), DAY, member=MEMBER, open_=usd(25000))

    assert (row.ours, row.adopted) == (usd(25000), usd(0))


@pytest.mark.parametrize("day", [date(2026, 3, 26), DAY, date(2026, 4, 5)])
def test_a_row_of_the_missing_amount_by_someone_else_around_that_day_is_adopted(day: date) -> None:
    (row,) = paid.claim(known(payment(302, 25000, day=day)), usd(25000), DAY, member=MEMBER, open_=usd(0))

    assert (row.ours, row.adopted, str(row.token)) == (usd(0), usd(25000), "adopted:302")


@pytest.mark.parametrize(("open_", "adopted"), [(25000, False), (25001, False), (24999, True)])
def test_a_cheque_beside_which_ours_fits_is_another_payment(open_: int, adopted: bool) -> None:
    (row,) = paid.claim(known(payment(302, 25000)), usd(25000), DAY, member=MEMBER, open_=usd(open_))

    assert bool(row.adopted) is adopted
    assert bool(row.foreign) is not adopted


@pytest.mark.parametrize(
    "other", [payment(302, 24999), payment(302, 25000, day=date(2026, 3, 1)), payment(302, 25000, day=date(2026, 4, 20))]
)
def test_any_other_row_is_someone_elses(other: wire.Payment) -> None:
    (row,) = paid.claim(known(other), usd(25000), DAY, member=MEMBER, open_=usd(0))

    assert (row.ours, row.foreign) == (usd(0), usd(int(other.amount * 100)))


def test_only_one_of_two_equal_rows_is_adopted() -> None:
    rows = paid.claim(known(payment(1, 5000), payment(2, 5000)), usd(5000), DAY, member="", open_=usd(0))

    assert [row.adopted for row in rows] == [usd(5000), usd(0)]


def test_what_was_replaced_is_remembered_with_its_shares() -> None:
    (row,) = known(payment(302, 25000), own=("302+4000~1000",))

    assert (row.ours, row.adopted, row.foreign, str(row.token)) == (usd(20000), usd(1000), usd(4000), "302+4000~1000")


def test_an_addition_reads_back_as_it_was_remembered() -> None:
    asked = Asked(amount=usd(21000), before=tuple(known(payment(301, 4000), payment(302, 5000), own=("302+1000~500",))))

    again = Asked.among(["302+1000~500", str(asked)], "USD")
    assert again is not None
    assert str(again) == str(asked) == "asked:21000:301=0/0/4000,302=3500/500/1000"
    assert Asked.among(["302"], "USD") is None


@pytest.mark.parametrize(
    ("there", "left"),
    [
        ([payment(301, 4000)], None),  # not there yet
        ([payment(301, 4000), payment(302, 21000)], 302),  # beside
        ([payment(302, 21000)], 302),  # in place of it
        ([payment(302, 25000)], 302),  # in place of it, which was put back already
        ([payment(301, 4000), payment(302, 25000)], None),  # somebody else's
        ([payment(301, 4000), payment(302, 21000), payment(303, 21000, by=MEMBER)], 303),  # ours of two
        ([payment(301, 4000), payment(302, 21000), payment(303, 21000)], None),  # of two nobody knows
    ],
)
def test_what_an_addition_left_is_found_again(there: list[wire.Payment], left: int | None) -> None:
    asked = Asked(amount=usd(21000), before=tuple(known(payment(301, 4000))))

    found = asked.left_behind(there, member=MEMBER)
    assert (found.id if found else None) == left


def test_more_is_written_into_the_row_that_is_there() -> None:
    rows = known(payment(302, 10000), own=("302",))

    assert paid.writes(rows, usd(25000), invoice()) == [Change(row=rows[0], to=usd(25000))]


def test_more_is_added_beside_a_row_in_a_batch() -> None:
    rows = known(payment(302, 10000, batch="GL-1"), own=("302",))

    assert paid.writes(rows, usd(25000), invoice()) == [Add(amount=usd(15000))]


def test_less_is_taken_from_the_latest_rows_first() -> None:
    rows = known(payment(1, 10000), payment(2, 15000), own=("1", "2"))

    assert paid.writes(rows, usd(4000), invoice()) == [
        Change(row=rows[1], to=usd(0)),
        Change(row=rows[0], to=usd(4000)),
    ]


def test_taking_back_leaves_what_the_row_carries_for_someone_else() -> None:
    rows = known(payment(302, 25000), own=("302+4000",))

    assert paid.writes(rows, usd(0), invoice()) == [Change(row=rows[0], to=usd(4000))]


def test_nothing_is_taken_back_from_a_batch() -> None:
    rows = known(payment(302, 25000, batch="GL-1"), own=("302",))

    with pytest.raises(Rejected, match=r"invoice 197 \(id 206\): 250\.00 USD must be taken back"):
        paid.writes(rows, usd(0), invoice())


def test_what_is_read_back_must_be_what_was_meant() -> None:
    expected = paid.sums(known(payment(302, 25000), own=("302",)), "USD")
    paid.check_shown(invoice(payments=25000), expected)

    with pytest.raises(Rejected, match=r"should show payments of 250\.00 USD .* ConnectWise shows payments of 150\.00 USD"):
        paid.check_shown(invoice(payments=15000), expected)
    with pytest.raises(Rejected, match=r"a\s+balance of 1\.00 USD"):
        paid.check_shown(invoice(payments=25000, balance=100), expected)


AMOUNTS = st.integers(min_value=1, max_value=30000)


@st.composite
def situations(draw: st.DrawFn) -> tuple[PsaInvoice, list[Row], Money]:
    payments = [payment(id, draw(AMOUNTS)) for id in range(1, draw(st.integers(1, 5)))]
    own = tuple(str(p.id) for p in payments if draw(st.booleans()))
    shown = sum(int(p.amount * 100) for p in payments)
    bill = invoice(draw(AMOUNTS), payments=shown, credits=draw(st.integers(0, 500)))
    return bill, known(*payments, own=own), usd(draw(st.integers(0, 40000)))


def carried_out(rows: list[Row], writes: list[paid.Write]) -> tuple[int, int]:
    """Ours and the whole, after the writes."""
    ours = sum(row.ours.minor for row in rows)
    whole = sum((row.ours + row.foreign).minor for row in rows)
    for write in writes:
        moved = write.amount.minor if isinstance(write, Add) else (write.to - write.row.ours - write.row.foreign).minor
        ours, whole = ours + moved, whole + moved
    return ours, whole


@given(situations())
def test_whatever_is_there_we_never_record_more_than_we_collected_or_than_the_invoice_leaves(
    situation: tuple[PsaInvoice, list[Row], Money],
) -> None:
    bill, rows, collected = situation
    now = paid.sums(rows, "USD")
    target = paid.wanted(bill, collected, now)
    ours, whole = carried_out(rows, paid.writes(rows, target, bill))

    assert ours == target.minor <= max(collected.minor, 0)
    assert ours <= now.ours.minor or whole <= (bill.total - bill.credits).minor


@given(situations())
def test_only_rows_of_ours_are_changed_and_a_second_look_changes_nothing(situation: tuple[PsaInvoice, list[Row], Money]) -> None:
    bill, rows, collected = situation
    target = paid.wanted(bill, collected, paid.sums(rows, "USD"))
    writes = paid.writes(rows, target, bill)
    after = paid.Sums(ours=target, adopted=usd(0), foreign=paid.sums(rows, "USD").foreign)

    assert all(isinstance(write, Add) or write.row.mine for write in writes)
    assert paid.wanted(bill, collected, after) == target
