"""What a gateway adapter must do. Inherit from `GatewayContract` in a test class and give it two fixtures:

    class TestMyGateway(GatewayContract):
        @pytest.fixture
        def gateway(self, ...) -> Gateway: ...
        @pytest.fixture
        def rig(self, ...) -> GatewayRig: ...

The rig is the world around the adapter: time, the payer, the bank, a person in the gateway's dashboard, a broken line.
Everything is asserted on state at the gateway, never on calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connector.errors import OutcomeUnknown, Rejected, RetryLater
from connector.model.agreement import Payer
from connector.model.invoice import Adjustment, GatewayInvoice, GatewayInvoiceState, MethodKind
from connector.model.period import Cycle, add_months
from connector.model.subscription import Arm, Cancel, Create, LiveSubscription, Update
from connector.ports import Gateway
from connector.testing.gateway_ground import GatewayGround, GatewayRig, Ground, key, midday
from connector.testing.gateway_money import MoneyBack, Payouts

__all__ = ["GatewayContract", "GatewayGround", "GatewayRig", "Ground", "key", "midday"]


class GatewayContract(MoneyBack, Payouts, GatewayGround):
    """The tests of every gateway."""

    # Health

    def test_ping_answers(self, gateway: Gateway) -> None:
        gateway.ping()

    def test_it_keeps_the_latest_moment_of_our_work_exactly(self, gateway: Gateway) -> None:
        assert gateway.high_water() is None
        early, late = datetime(2026, 3, 1, 9, 0, 0, 123456, UTC), datetime(2026, 3, 1, 9, 5, 0, 654321, UTC)

        gateway.note_high_water(early)
        assert gateway.high_water() == early
        gateway.note_high_water(late)

        assert gateway.high_water() == late

    def test_a_throttled_gateway_is_for_later(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        rig.throttle()

        with pytest.raises(RetryLater):
            gateway.subscriptions()
        with pytest.raises(RetryLater):
            self.create(gateway, rig, ground, self.wanted(rig, ground))

        rig.mend()
        assert list(gateway.subscriptions()) == []

    # Customers

    def test_a_customer_is_made_once_and_kept_up_to_date(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        renamed = replace(ground.payer, name="Acme Dental Group", email="billing@acme.example")

        again = gateway.ensure_customer(ground.payer, known="", key=key("payer/250", rig))
        updated = gateway.ensure_customer(renamed, known=again.id, key=key("payer/250", rig))

        assert again.id == ground.customer
        assert (updated.id, updated.name, updated.email) == (ground.customer, "Acme Dental Group", "billing@acme.example")
        assert gateway.customers([ground.customer])[ground.customer] == updated
        assert updated.payer == ground.payer.key
        assert updated.default_method is None

    def test_customers_read_many_or_few_are_the_same(self, gateway: Gateway, rig: GatewayRig) -> None:
        payers = [Payer(psa="psa", id=str(n), name=f"Payer {n}") for n in range(12)]
        ids = [gateway.ensure_customer(payer, known="", key=key(f"p/{payer.id}", rig)).id for payer in payers]

        many = gateway.customers([*ids, "cus_unknown"])

        assert set(many) == set(ids)
        assert many[ids[3]] == gateway.customers([ids[3]])[ids[3]]

    def unanswered(self, rig: GatewayRig, write: Callable[[], object], *, step: int = 0) -> None:
        """Carry out writes whose answers stop arriving; the gateway has forgotten its keys before anyone looks."""
        rig.lose_replies(after=step)
        with suppress(OutcomeUnknown):
            write()
        rig.mend()
        rig.forget_keys()

    def test_a_customer_whose_creation_got_no_answer_is_found(self, gateway: Gateway, rig: GatewayRig) -> None:
        payer = Payer(psa="psa", id="9", name="Silent Ltd")
        self.unanswered(rig, lambda: gateway.ensure_customer(payer, known="", key=key("payer/9", rig)))

        found = gateway.find_customer(key("payer/9", rig))

        assert found is not None
        assert gateway.customers([found])[found].name == "Silent Ltd"
        assert gateway.find_customer(key("payer/10", rig)) is None

    # Subscriptions

    def test_what_is_created_reads_back_as_it_was_wanted(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        new = gateway.canonical(self.wanted(rig, ground, ends=add_months(ground.first, 6)))

        id = self.create(gateway, rig, ground, new)
        unarmed = self.live(gateway)
        gateway.apply(Arm(id=id, new=new), key=key("arm", rig))
        armed = self.live(gateway)

        assert unarmed.subscription == replace(new, paused=False)
        assert armed.subscription == new
        assert (armed.id, armed.customer, armed.generation) == (id, ground.customer, 1)

    @pytest.mark.parametrize("cycle", list(Cycle))
    def test_every_cycle_reads_back_and_drafts_on_its_days(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground, cycle: Cycle
    ) -> None:
        first = rig.now().date() + timedelta(days=5)
        near = replace(ground, first=first)
        live = self.mirrored(gateway, rig, near, cycle=cycle, bills_on=first)
        second = first + timedelta(weeks=cycle.weeks) if cycle.weeks else add_months(first, cycle.months)

        rig.advance(midday(second) + timedelta(hours=2))

        assert live.subscription.cycle is cycle
        assert self.live(gateway).subscription == live.subscription
        assert sorted(draft.bills_on for draft in gateway.drafts()) == [first, second]

    def test_the_31st_comes_back_after_a_short_month(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        rig.advance(datetime(rig.now().year + 1, 2, 3, 9, tzinfo=UTC))
        year = rig.now().year
        end = replace(ground, first=add_months(date(year, 1, 31), 1))
        live = self.mirrored(gateway, rig, end, bills_on=date(year, 1, 31))

        rig.advance(datetime(year, 5, 1, tzinfo=UTC))

        days = sorted(draft.bills_on for draft in gateway.drafts())
        assert days == [end.first, date(year, 3, 31), date(year, 4, 30)]
        assert self.live(gateway).subscription == live.subscription

    def test_canonical_is_settled_after_once(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        untidy = replace(self.item(rig, "z"), name="  " + "long " * 200)
        once = gateway.canonical(self.wanted(rig, ground, description=" x " * 400, items=(untidy, self.item(rig, "a"))))

        assert gateway.canonical(once) == once
        self.create(gateway, rig, ground, once)
        assert self.live(gateway).subscription == replace(once, paused=False)

    def test_twenty_lines_are_mirrored_and_drafted_in_full(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        items = tuple(self.item(rig, f"{n:02}", minor=100 + n) for n in range(20))
        live = self.mirrored(gateway, rig, ground, items=items)

        draft = self.first_draft(gateway, rig, ground)

        assert live.subscription.items == items
        assert len(draft.lines) == 20
        assert draft.total == live.subscription.amount

    def test_more_than_twenty_lines_are_refused(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        items = tuple(self.item(rig, f"{n:02}") for n in range(21))

        with pytest.raises(Rejected):
            self.create(gateway, rig, ground, self.wanted(rig, ground, items=items))

        assert list(gateway.subscriptions()) == []

    def test_one_product_may_have_two_names(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        one = self.item(rig, "seat")
        other = replace(one, key="line:other", name="Seat at the second site")
        new = gateway.canonical(self.wanted(rig, ground, items=(one, other)))

        self.mirrored(gateway, rig, ground, items=new.items)

        assert self.live(gateway).subscription.items == new.items

    def test_the_same_creation_sent_twice_makes_one(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        one = self.create(gateway, rig, ground, self.wanted(rig, ground))
        two = self.create(gateway, rig, ground, self.wanted(rig, ground))

        assert one == two
        assert self.live(gateway).id == one

    @pytest.mark.parametrize("step", range(4))
    @pytest.mark.parametrize("trouble", ["silence", "breakdown"])
    def test_a_creation_that_breaks_at_any_step_makes_one(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground, step: int, trouble: str
    ) -> None:
        new = gateway.canonical(self.wanted(rig, ground))
        if trouble == "silence":
            self.unanswered(rig, lambda: self.create(gateway, rig, ground, new), step=step)
        else:
            rig.break_down(after=step)
            with suppress(OutcomeUnknown):
                self.create(gateway, rig, ground, new)
            rig.mend()

        if gateway.find_subscription(key("psa:4711/create", rig), customer=ground.customer) is None:
            again = Create(new=new, customer=ground.customer, generation=1, first_draft=ground.first)
            gateway.apply(again, key=key("psa:4711/create", rig, attempt=2))

        assert self.live(gateway).subscription == replace(new, paused=False)
        found = gateway.find_subscription(key("psa:4711/create", rig), customer=ground.customer)
        assert found == self.live(gateway).id
        assert gateway.find_subscription(key("psa:4711/other", rig), customer=ground.customer) is None

    def test_a_subscription_that_was_never_armed_charges_nobody(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        self.enrol(gateway, rig, ground, MethodKind.CARD)
        self.create(gateway, rig, ground, self.wanted(rig, ground, automatic=True))

        rig.advance(midday(ground.first) + timedelta(days=20))

        made = list(gateway.invoices_since(rig.now() - timedelta(days=60)))
        assert made
        assert [invoice.amount_paid.minor for invoice in made] == [0] * len(made)

    def test_an_armed_one_makes_drafts_that_stay_drafts(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        draft = self.enrolled_draft(gateway, rig, ground, MethodKind.CARD)

        rig.advance(rig.now() + timedelta(days=20))

        assert self.again(gateway, draft).state is GatewayInvoiceState.DRAFT
        assert draft.bills_on == ground.first
        assert (draft.unit, draft.customer) == ("psa:4711", ground.customer)
        assert draft.total == self.live(gateway).subscription.amount

    def change(self, gateway: Gateway, rig: GatewayRig, position: str, **changes: Any) -> LiveSubscription:
        old = self.live(gateway)
        new = gateway.canonical(replace(old.subscription, **changes))
        assert gateway.apply(Update(old=old, new=new), key=key(f"plan/{position}", rig)) == old.id
        assert self.live(gateway).subscription == new
        return self.live(gateway)

    def test_updates_read_back_and_take_nothing_by_themselves(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        self.enrol(gateway, rig, ground, MethodKind.CARD)
        self.mirrored(gateway, rig, ground)
        more = (self.item(rig, "backup", minor=13000), self.item(rig, "workstation", quantity=26))

        self.change(gateway, rig, "1", items=more)
        self.change(gateway, rig, "2", items=(more[1], self.item(rig, "firewall")))
        self.change(gateway, rig, "3", automatic=True, description="Managed services, new contract")
        self.change(gateway, rig, "4", ends=add_months(ground.first, 3))
        self.change(gateway, rig, "5", ends=None, automatic=False)

        assert list(gateway.invoices_since(rig.now() - timedelta(days=60))) == []

    def test_a_price_that_goes_back_and_forth_follows_every_time(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        self.mirrored(gateway, rig, ground)
        low, high = (self.item(rig, "backup", minor=100),), (self.item(rig, "backup", minor=200),)

        for position, items in enumerate([low, high, low, high]):
            self.change(gateway, rig, str(position), items=items)

    @pytest.mark.parametrize("step", range(2))
    def test_an_update_without_answer_can_be_sent_again(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground, step: int
    ) -> None:
        old = self.mirrored(gateway, rig, ground)
        items = (self.item(rig, "backup", minor=12050, quantity=9), self.item(rig, "firewall"))
        new = gateway.canonical(replace(old.subscription, items=items))
        update = Update(old=old, new=new)

        self.unanswered(rig, lambda: gateway.apply(update, key=key("plan/1", rig)), step=step)
        gateway.apply(update, key=key("plan/1", rig))

        assert self.live(gateway).subscription == new

    def test_what_a_person_changes_by_hand_shows_and_is_put_right(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        before = self.mirrored(gateway, rig, ground)
        for edit in (rig.double_quantity, rig.add_line_by_hand, rig.resume_by_hand):
            edit(before.id)
            changed = self.live(gateway)

            assert changed.subscription != before.subscription

            gateway.apply(Update(old=changed, new=before.subscription), key=key(f"repair/{edit.__name__}", rig))
            assert self.live(gateway).subscription == before.subscription

    def test_what_is_not_ours_is_neither_shown_nor_touched(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        rig.make_foreign(ground.customer)
        foreign = rig.foreign()

        invoice = gateway.release(self.enrolled_draft(gateway, rig, ground, MethodKind.CARD))
        rig.advance(rig.now() + timedelta(days=2))

        assert [one.id for one in gateway.subscriptions()] == [self.live(gateway).id]
        assert [one.id for one in gateway.invoices_since(rig.now() - timedelta(days=90))] == [invoice.id]
        assert list(gateway.drafts()) == []
        assert rig.foreign() == foreign

    def test_a_cancelled_one_makes_no_draft_on_or_after_the_day(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        live = self.mirrored(gateway, rig, ground)
        full = live.subscription.amount
        last = add_months(ground.first, 1)

        gateway.apply(Cancel(old=live, on=add_months(ground.first, 2), reason="the agreement ended"), key=key("end", rig))
        ending = self.live(gateway)
        rig.advance(midday(add_months(ground.first, 3)))

        assert ending.subscription.ends == add_months(ground.first, 2)
        assert {draft.bills_on: draft.total for draft in gateway.drafts()} == {ground.first: full, last: full}
        assert list(gateway.subscriptions()) == []

    def test_an_end_known_at_creation_makes_the_last_period_whole(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        live = self.mirrored(gateway, rig, ground, ends=add_months(ground.first, 2))

        rig.advance(midday(add_months(ground.first, 3)))

        drafts = list(gateway.drafts())
        assert sorted(draft.bills_on for draft in drafts) == [ground.first, add_months(ground.first, 1)]
        assert {draft.total for draft in drafts} == {live.subscription.amount}

    def test_a_day_that_has_come_ends_it_now_and_twice_is_once(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        live = self.mirrored(gateway, rig, ground)
        cancel = Cancel(old=live, on=rig.now().date(), reason="the agreement ended")

        gateway.apply(cancel, key=key("end", rig))
        gateway.apply(cancel, key=key("end", rig))
        gateway.apply(Update(old=live, new=replace(live.subscription, ends=cancel.on)), key=key("update", rig))
        rig.advance(midday(ground.first) + timedelta(days=1))

        assert list(gateway.subscriptions()) == []
        assert list(gateway.invoices_since(rig.now() - timedelta(days=60))) == []

    # Drafts

    def adjustments(self, rig: GatewayRig, amounts: Mapping[str, int]) -> Sequence[Adjustment]:
        return [
            Adjustment(slot=slot, description=f"{slot} line", amount=self.money(rig, minor)) for slot, minor in amounts.items()
        ]

    def slots(self, invoice: GatewayInvoice) -> dict[str, int]:
        return {line.slot: line.amount.minor for line in invoice.lines if line.slot}

    def test_a_draft_becomes_what_is_owed_and_stays_so(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        draft = self.drafted(gateway, rig, ground)

        for amounts in (
            {"tax": 800, "true_up": -300},
            {"tax": 800, "true_up": -300},
            {"tax": 900},
            {"tax": 900, "true_up": -300},
        ):
            adjusted = gateway.adjust(draft, self.adjustments(rig, amounts), charge="psa:4711/1")

            assert self.slots(adjusted) == amounts
            assert adjusted.total.minor == draft.total.minor + sum(amounts.values())
            assert adjusted.charge == "psa:4711/1"
            assert self.again(gateway, draft) == adjusted

    @pytest.mark.parametrize("step", range(3))
    def test_an_added_line_without_answer_is_not_added_twice(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground, step: int
    ) -> None:
        draft = self.drafted(gateway, rig, ground)
        lines = self.adjustments(rig, {"tax": 800, "true_up": -100})

        self.unanswered(rig, lambda: gateway.adjust(draft, lines, charge="c"), step=step)
        adjusted = gateway.adjust(draft, lines, charge="c")

        assert sorted(line.amount.minor for line in adjusted.lines if line.slot) == [-100, 800]

    def test_a_released_invoice_is_not_adjusted(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        released = gateway.release(self.drafted(gateway, rig, ground))

        with pytest.raises(Rejected):
            gateway.adjust(released, self.adjustments(rig, {"tax": 1}), charge="c")

    def by_hand(self, gateway: Gateway, rig: GatewayRig, ground: Ground, live: LiveSubscription) -> GatewayInvoice:
        lines = self.adjustments(rig, {"period": 5000, "tax": 400})
        return gateway.draft(live, bills_on=ground.first, charge="psa:4711/1", lines=lines, key=key("draft/1", rig))

    def test_a_draft_by_hand_is_made_once_and_waits(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        self.enrol(gateway, rig, ground, MethodKind.CARD)
        live = self.mirrored(gateway, rig, ground, automatic=True)

        intent, other = key("draft/1", rig), key("draft/2", rig)
        made = self.by_hand(gateway, rig, ground, live)
        rig.forget_keys()
        again = self.by_hand(gateway, rig, ground, live)
        rig.advance(rig.now() + timedelta(days=4))

        assert made == again
        assert (made.total.minor, made.bills_on, made.unit, made.subscription) == (5400, ground.first, "psa:4711", live.id)
        assert [draft.id for draft in gateway.drafts()] == [made.id]
        assert gateway.find_draft(intent, customer=ground.customer) == made
        assert gateway.find_draft(other, customer=ground.customer) is None

    def test_a_draft_by_hand_without_answer_is_found_and_completed(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        live = self.mirrored(gateway, rig, ground)
        self.unanswered(rig, lambda: self.by_hand(gateway, rig, ground, live))

        made = self.by_hand(gateway, rig, ground, live)

        assert [draft.id for draft in gateway.drafts()] == [made.id]
        assert made.total.minor == 5400

    def test_a_draft_by_hand_is_collected_like_the_others(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        self.enrol(gateway, rig, ground, MethodKind.CARD)
        made = self.by_hand(gateway, rig, ground, self.mirrored(gateway, rig, ground, automatic=True))

        gateway.release(made)
        rig.advance(rig.now() + timedelta(days=2))

        assert self.again(gateway, made).state is GatewayInvoiceState.PAID

    # Release

    def test_a_released_card_charge_is_paid_once(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        draft = self.enrolled_draft(gateway, rig, ground, MethodKind.CARD)

        gateway.release(draft)
        gateway.release(draft)
        rig.advance(rig.now() + timedelta(days=2))

        (payment,) = gateway.payments(draft.id)
        assert self.again(gateway, draft).state is GatewayInvoiceState.PAID
        assert gateway.release(draft).state is GatewayInvoiceState.PAID
        assert (payment.amount, payment.invoice, payment.method) == (draft.total, draft.id, MethodKind.CARD)
        assert payment.fee is not None
        assert 0 < payment.fee.minor < payment.amount.minor
        assert len(payment.method_last4) == 4
        assert payment.paid_at <= rig.now()
        assert list(gateway.reversals(payment.payment)) == []

    @pytest.mark.parametrize("step", range(2))
    def test_a_release_without_answer_can_be_repeated(self, gateway: Gateway, rig: GatewayRig, ground: Ground, step: int) -> None:
        draft = self.drafted(gateway, rig, ground)
        self.enrol(gateway, rig, ground, MethodKind.CARD)

        self.unanswered(rig, lambda: gateway.release(draft), step=step)
        gateway.release(draft)
        rig.advance(rig.now() + timedelta(days=2))

        assert sum(payment.amount.minor for payment in gateway.payments(draft.id)) == draft.total.minor

    def test_a_payer_who_enrolled_late_is_charged_at_release(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        draft = self.drafted(gateway, rig, ground)
        self.enrol(gateway, rig, ground, MethodKind.CARD)

        gateway.release(draft)
        rig.advance(rig.now() + timedelta(days=2))

        assert self.again(gateway, draft).state is GatewayInvoiceState.PAID

    def test_a_bank_debit_is_in_flight_until_the_bank_answers(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        draft = self.enrolled_draft(gateway, rig, ground, MethodKind.BANK_DEBIT)
        gateway.release(draft)
        rig.advance(rig.now() + timedelta(hours=20))

        under_way = self.again(gateway, draft)
        with pytest.raises(Rejected):
            gateway.write_off(under_way)
        with pytest.raises(Rejected):
            gateway.reduce(under_way, self.money(rig, 100), reason="paid elsewhere", key=key("reduce", rig))
        (listed,) = gateway.open_invoices()
        nothing_yet = list(gateway.payments(draft.id))
        rig.advance(rig.now() + timedelta(days=8))

        assert under_way.in_flight
        assert listed == under_way
        assert nothing_yet == []
        paid = self.again(gateway, draft)
        assert (paid.state, paid.in_flight) == (GatewayInvoiceState.PAID, False)
        (payment,) = gateway.payments(draft.id)
        assert (payment.method, payment.amount) == (MethodKind.BANK_DEBIT, draft.total)

    def test_a_declined_charge_says_why_and_when_it_is_tried_again(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        draft = self.enrolled_draft(gateway, rig, ground, MethodKind.CARD, outcome="declined")

        gateway.release(draft)
        rig.advance(rig.now() + timedelta(hours=3))

        failed = self.again(gateway, draft)
        assert failed.state is GatewayInvoiceState.OPEN
        assert failed.attempts >= 1
        assert failed.failure
        assert failed.next_attempt is None or failed.next_attempt > rig.now()
        assert list(gateway.payments(draft.id)) == []

    def test_a_stopped_invoice_is_left_in_peace_until_it_is_released_again(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        draft = self.enrolled_draft(gateway, rig, ground, MethodKind.CARD, outcome="declined")
        gateway.release(draft)
        rig.advance(rig.now() + timedelta(hours=3))

        stopped = gateway.stop(self.again(gateway, draft))
        rig.advance(rig.now() + timedelta(days=25))
        later = self.again(gateway, draft)
        going_on = gateway.release(later)

        assert not stopped.auto_advance
        assert gateway.stop(stopped).attempts == stopped.attempts == later.attempts
        assert going_on.state is GatewayInvoiceState.OPEN
        assert going_on.auto_advance

    # Less owed, nothing owed

    def test_a_draft_that_is_written_off_is_never_collected(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        draft = self.enrolled_draft(gateway, rig, ground, MethodKind.CARD)

        gateway.write_off(draft)
        gateway.write_off(draft)
        rig.advance(rig.now() + timedelta(days=20))

        gone = self.again(gateway, draft)
        assert gone.state in (GatewayInvoiceState.VOID, GatewayInvoiceState.UNCOLLECTIBLE)
        assert gone.amount_paid.minor == 0
        assert list(gateway.payments(draft.id)) == []

    def test_a_write_off_spends_no_credit_of_the_customer(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        draft = self.drafted(gateway, rig, ground)
        rig.give_credit(ground.customer, draft.total + draft.total)

        gone = gateway.write_off(draft)

        assert gone.state is not GatewayInvoiceState.DRAFT
        assert gone.amount_remaining.minor == 0 or gone.state is GatewayInvoiceState.VOID
        assert gateway.customers([ground.customer])[ground.customer].balance == -(draft.total + draft.total)

    @pytest.mark.parametrize("step", range(3))
    def test_a_write_off_that_breaks_on_the_way_can_be_repeated(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground, step: int
    ) -> None:
        draft = self.enrolled_draft(gateway, rig, ground, MethodKind.CARD)
        rig.break_down(after=step)
        with suppress(OutcomeUnknown):
            gateway.write_off(draft)
        rig.mend()

        gone = gateway.write_off(draft)

        assert gone.state is GatewayInvoiceState.VOID

    def test_a_paid_invoice_is_not_written_off(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)
        paid = gateway.invoice(payment.invoice)
        assert paid is not None

        with pytest.raises(Rejected):
            gateway.write_off(paid)

        assert gateway.invoice(paid.id) == paid

    def test_an_open_invoice_becomes_smaller_once_per_key(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        released = gateway.release(self.drafted(gateway, rig, ground))
        less = self.money(rig, 1000)

        reduced = gateway.reduce(released, less, reason="paid by cheque", key=key("reduce/1", rig))
        rig.forget_keys()
        same = gateway.reduce(released, less, reason="paid by cheque", key=key("reduce/1", rig))
        smaller = gateway.reduce(released, less, reason="paid by cheque", key=key("reduce/2", rig))

        assert reduced.amount_remaining == same.amount_remaining == released.amount_remaining - less
        assert smaller.amount_remaining == released.amount_remaining - less - less
        with pytest.raises(Rejected):
            gateway.reduce(released, released.total, reason="too much", key=key("reduce/3", rig))

    def test_a_reduction_without_answer_is_not_made_twice(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        released = gateway.release(self.drafted(gateway, rig, ground))
        less = self.money(rig, 1000)

        self.unanswered(rig, lambda: gateway.reduce(released, less, reason="cheque", key=key("reduce/1", rig)))
        reduced = gateway.reduce(released, less, reason="cheque", key=key("reduce/1", rig))

        assert reduced.amount_remaining == released.amount_remaining - less

    # Events

    def test_events_come_oldest_first_and_once(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        start = gateway.events(after="")
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)

        page = gateway.events(after=start.cursor)
        nothing = gateway.events(after=page.cursor)

        assert {"invoice.paid", "invoice_payment.paid"} <= {event.type for event in page.events}
        assert [event.created for event in page.events] == sorted(event.created for event in page.events)
        assert payment.invoice in {event.invoice for event in page.events}
        assert (nothing.events, nothing.cursor) == ((), page.cursor)
        assert not page.lost

    def test_many_events_are_all_read(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        for number in range(130):
            renamed = replace(ground.payer, name=f"Acme {number}")
            gateway.ensure_customer(renamed, known=ground.customer, key=key("payer/250", rig))
            if number == 4:
                cursor = gateway.events(after="").cursor

        everything = gateway.events(after="")
        later = gateway.events(after=cursor)

        assert len(everything.events) == 130
        assert later.events == everything.events[5:]
        assert later.cursor == everything.cursor

    def test_a_cursor_that_was_forgotten_is_lost_and_replaced(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        self.collected(gateway, rig, ground, MethodKind.CARD)
        old = gateway.events(after="").cursor
        rig.advance(rig.now() + timedelta(days=40))
        gateway.ensure_customer(replace(ground.payer, name="Acme"), known=ground.customer, key=key("payer/250", rig))

        page = gateway.events(after=old)

        assert page.lost
        assert [event.customer for event in page.events if event.type == "customer.updated"] == [ground.customer]
        assert not gateway.events(after=page.cursor).lost

    # Enrolment

    def test_an_enrolment_page_is_the_same_while_it_lives(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        def page(name: str) -> tuple[str, datetime]:
            return gateway.enrolment_link(
                ground.customer, enrolled=False, return_url="https://msp.example/done", key=key(name, rig)
            )

        link, ends = page("1")

        assert page("2") == (link, ends)
        assert rig.now() < ends
        rig.advance(ends + timedelta(minutes=1))
        fresh, later = page("3")
        assert fresh != link
        assert later > ends

    def test_a_payer_with_a_method_gets_a_page_to_change_it(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        self.enrol(gateway, rig, ground, MethodKind.CARD)

        link, ends = gateway.enrolment_link(
            ground.customer, enrolled=True, return_url="https://msp.example/done", key=key("change", rig)
        )

        assert link.startswith("http")
        assert ends > rig.now()

    def test_a_finished_enrolment_is_adopted_once(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        before = gateway.adopt_new_methods(ground.customer)

        first = self.enrol(gateway, rig, ground, MethodKind.CARD)
        rig.advance(rig.now() + timedelta(days=2))
        second = self.enrol(gateway, rig, ground, MethodKind.BANK_DEBIT)

        assert before.default_method is None
        assert first.default_method is not None
        assert first.default_method.kind is MethodKind.CARD
        assert first.default_method.expires is not None
        assert second.default_method is not None
        assert second.default_method.kind is MethodKind.BANK_DEBIT
        assert gateway.adopt_new_methods(ground.customer) == second
        assert gateway.customers([ground.customer])[ground.customer] == second
