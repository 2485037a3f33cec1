"""The part of the gateway's contract that is about money that goes back, the balance, and payouts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from connector.errors import Rejected, RetryLater
from connector.model.invoice import GatewayInvoiceState, MethodKind
from connector.model.ledger import GatewayPayment, GatewayReversal, ReversalReason, ReversalStage
from connector.model.payout import BalanceKind, BalanceLine, Payout, PayoutState, sums, unexplained
from connector.ports import Gateway
from connector.testing.gateway_ground import GatewayGround, GatewayRig, Ground

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class MoneyBack(GatewayGround):
    def test_a_refund_is_a_reversal(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)

        rig.refund(payment.payment, self.money(rig, 2000))

        (reversal,) = gateway.reversals(payment.payment)
        assert (reversal.amount.minor, reversal.reason, reversal.payment) == (2000, ReversalReason.REFUND, payment.payment)

    def test_a_returned_bank_debit_is_a_reversal_of_all_of_it(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.BANK_DEBIT, outcome="returned")

        rig.advance(rig.now() + timedelta(days=20))

        (reversal,) = gateway.reversals(payment.payment)
        assert (reversal.amount, reversal.reason) == (payment.amount, ReversalReason.BANK_RETURN)
        assert reversal.reversed_at > payment.paid_at

    def test_several_payments_of_one_invoice_are_several_and_each_has_its_reversals(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        released = gateway.release(self.enrolled_draft(gateway, rig, ground, MethodKind.CARD))
        rig.pay_part(released.id, self.money(rig, 10_000))
        between = self.again(gateway, released)
        rig.advance(rig.now() + timedelta(days=2))

        payments = {payment.amount.minor: payment for payment in gateway.payments(released.id)}
        rig.refund(payments[10_000].payment, self.money(rig, 400))

        rest = released.total.minor - 10_000
        assert (between.state, between.amount_paid.minor, between.amount_remaining.minor) == (
            GatewayInvoiceState.OPEN,
            10_000,
            rest,
        )
        assert set(payments) == {10_000, rest}
        assert len({payment.id for payment in payments.values()}) == 2
        assert [one.amount.minor for one in gateway.reversals(payments[10_000].payment)] == [400]
        assert list(gateway.reversals(payments[rest].payment)) == []

    def test_what_the_customer_s_credit_pays_is_no_payment(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        draft = self.enrolled_draft(gateway, rig, ground, MethodKind.CARD)
        rig.give_credit(ground.customer, self.money(rig, 10_000))

        gateway.release(draft)
        rig.advance(rig.now() + timedelta(days=2))

        (payment,) = gateway.payments(draft.id)
        assert payment.amount == draft.total - self.money(rig, 10_000)
        assert self.again(gateway, draft).amount_paid == payment.amount

    def test_what_was_paid_outside_the_gateway_is_no_payment(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        released = gateway.release(self.drafted(gateway, rig, ground))

        rig.pay_elsewhere(released.id)

        assert self.again(gateway, released).state is GatewayInvoiceState.PAID
        assert list(gateway.payments(released.id)) == []

    def test_a_refund_that_fails_comes_back(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)
        rig.refund(payment.payment, self.money(rig, 2000))
        rig.fail_refund(payment.payment)

        (state,) = gateway.reversal_states(payment.payment)
        assert (state.stage, state.moved, state.amount.minor) == (ReversalStage.FAILED, False, 2000)
        assert list(gateway.reversals(payment.payment)) == []

    def test_several_refunds_of_one_payment_are_several(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)
        for minor in (2000, 300):
            rig.refund(payment.payment, self.money(rig, minor))

        found = gateway.reversals(payment.payment)

        assert sorted(one.amount.minor for one in found) == [300, 2000]
        assert len({one.id for one in found}) == 2
        assert {(one.intent, one.on_open_dispute) for one in found} == {("", False)}

    def test_a_dispute_moves_money_from_its_withdrawal_until_it_is_won(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)

        seen = [self.disputed(gateway, rig, payment, stage) for stage in ("inquiry", "opened", "withdrawn", "won")]

        assert [one.moved for one in seen] == [False, False, True, False]
        assert [one.fee is not None and one.fee.minor > 0 for one in seen[:3]] == [False, False, True]
        assert seen[0].stage is ReversalStage.INQUIRY
        assert seen[2].stage in (ReversalStage.OPENED, ReversalStage.UNDER_REVIEW)
        assert (seen[3].stage, seen[3].id, seen[3].reason) == (ReversalStage.WON, seen[0].id, ReversalReason.DISPUTE)
        assert list(gateway.reversals(payment.payment)) == []

    def disputed(self, gateway: Gateway, rig: GatewayRig, payment: GatewayPayment, stage: str) -> GatewayReversal:
        rig.dispute(payment.payment, stage=stage)
        (found,) = gateway.reversal_states(payment.payment)
        return found

    def test_a_dispute_that_is_lost_stays_a_reversal_with_its_fee(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)
        self.disputed(gateway, rig, payment, "withdrawn")

        lost = self.disputed(gateway, rig, payment, "lost")

        assert (lost.stage, lost.moved, lost.amount) == (ReversalStage.LOST, True, payment.amount)
        assert lost.fee is not None
        assert lost.fee.minor > 0
        assert list(gateway.reversals(payment.payment)) == [lost]

    def test_a_refund_of_a_payment_that_is_disputed_too_is_marked(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)
        rig.refund(payment.payment, self.money(rig, 2000))
        alone = gateway.reversals(payment.payment)
        rig.dispute(payment.payment, stage="withdrawn")

        both = {one.reason: one for one in gateway.reversals(payment.payment)}

        assert [one.on_open_dispute for one in alone] == [False]
        assert both[ReversalReason.REFUND].on_open_dispute
        assert not both[ReversalReason.DISPUTE].on_open_dispute

    def test_a_returned_bank_debit_is_final_at_once(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.BANK_DEBIT, outcome="returned")
        rig.advance(rig.now() + timedelta(days=20))

        (state,) = gateway.reversal_states(payment.payment)
        debited = gateway.customers([ground.customer])[ground.customer].default_method
        assert (state.stage, state.moved, state.reason) == (ReversalStage.LOST, True, ReversalReason.BANK_RETURN)
        assert debited is not None
        assert state.method == debited.id


class Payouts(GatewayGround):
    def settled(self, gateway: Gateway, rig: GatewayRig) -> list[Payout]:
        """Every payout, after enough time for each to have reached the bank and been reconciled."""
        rig.advance(rig.now() + timedelta(days=15))
        return list(gateway.payouts(LONG_AGO))

    def of_kind(self, lines: Sequence[BalanceLine], kind: BalanceKind) -> list[BalanceLine]:
        return [line for line in lines if line.kind is kind]

    def test_a_payout_is_explained_by_its_lines_to_the_cent(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)

        (payout,) = self.settled(gateway, rig)
        lines = gateway.payout_lines(payout.id)

        assert (payout.state, payout.automatic, payout.reconciled) == (PayoutState.PAID, True, True)
        assert payout.created.date() < payout.arrives
        assert unexplained(payout, lines) == self.money(rig, 0)
        assert payout == gateway.payout(payout.id)
        (charge,) = lines
        assert (charge.kind, charge.amount, charge.fee) == (BalanceKind.CHARGE, payment.amount, payment.fee)
        assert (charge.payment, charge.net) == (payment.payment, payout.amount)

    def test_what_is_not_ours_and_the_gateway_s_own_bills_are_lines_too(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        ours = self.collected(gateway, rig, ground, MethodKind.CARD)
        foreign = rig.sell_elsewhere(self.money(rig, 5000))
        rig.refund(ours.payment, self.money(rig, 700))
        rig.bill(self.money(rig, 90))
        rig.hold_back(self.money(rig, 1000))

        found = self.settled(gateway, rig)
        lines = [line for payout in found for line in gateway.payout_lines(payout.id)]

        assert [unexplained(payout, gateway.payout_lines(payout.id)).minor for payout in found] == [0] * len(found)
        assert {line.payment for line in self.of_kind(lines, BalanceKind.CHARGE)} == {ours.payment, foreign}
        (refund,) = self.of_kind(lines, BalanceKind.REFUND)
        assert (refund.net.minor, refund.payment) == (-700, ours.payment)
        assert [(line.net.minor, line.payment) for line in self.of_kind(lines, BalanceKind.FEE)] == [(-90, "")]
        assert [line.net.minor for line in self.of_kind(lines, BalanceKind.RESERVE)] == [-1000]

    def test_a_dispute_and_its_fee_are_lines_and_come_back_when_it_is_won(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)
        rig.dispute(payment.payment, stage="withdrawn")
        rig.dispute(payment.payment, stage="won")

        lines = list(gateway.balance_lines(LONG_AGO, rig.now() + timedelta(days=1)))

        (taken,) = self.of_kind(lines, BalanceKind.DISPUTE)
        (back,) = self.of_kind(lines, BalanceKind.DISPUTE_REVERSAL)
        assert taken.amount == -payment.amount
        assert taken.fee.minor > 0
        assert (back.amount, back.payment, taken.payment) == (payment.amount, payment.payment, payment.payment)

    def test_a_refund_that_fails_is_a_line_of_its_own(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)
        rig.refund(payment.payment, self.money(rig, 700))
        rig.fail_refund(payment.payment)

        lines = list(gateway.balance_lines(LONG_AGO, rig.now() + timedelta(days=1)))

        (back,) = self.of_kind(lines, BalanceKind.REFUND_FAILURE)
        assert (back.net.minor, back.payment) == (700, payment.payment)

    def test_money_that_is_owed_to_the_gateway_is_taken_from_the_bank(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)
        self.settled(gateway, rig)
        rig.refund(payment.payment, self.money(rig, 700))

        last = self.settled(gateway, rig)[-1]

        assert (last.amount.minor, last.state) == (-700, PayoutState.PAID)
        assert unexplained(last, gateway.payout_lines(last.id)).minor == 0

    def test_a_payout_that_fails_comes_back_and_goes_out_again(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> None:
        self.collected(gateway, rig, ground, MethodKind.CARD)
        (first,) = gateway.payouts(LONG_AGO)
        rig.fail_payout(first.id)

        failed, again = self.settled(gateway, rig)
        (back,) = gateway.payout_lines(again.id)

        assert (failed.id, failed.state, failed.stands) == (first.id, PayoutState.FAILED, False)
        assert failed.failure
        assert (back.kind, back.id, back.source) == (BalanceKind.PAYOUT_FAILURE, failed.returned_by, first.id)
        assert (again.amount, again.state) == (first.amount, PayoutState.PAID)
        assert unexplained(again, [back]).minor == 0

    def test_a_payout_asked_for_by_hand_cannot_be_explained(self, gateway: Gateway, rig: GatewayRig) -> None:
        rig.sell_elsewhere(self.money(rig, 5000))
        id = rig.pay_out_by_hand(self.money(rig, 1000))

        payout = gateway.payout(id)
        with pytest.raises(Rejected) as refusal:
            gateway.payout_lines(id)

        assert payout is not None
        assert not payout.automatic
        assert refusal.value.code == "not_automatic"
        assert id in str(refusal.value)

    def test_the_balance_is_the_sum_of_everything_that_ever_moved(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground
    ) -> None:
        payment = self.collected(gateway, rig, ground, MethodKind.CARD)
        rig.refund(payment.payment, self.money(rig, 700))
        rig.bill(self.money(rig, 90))
        lines = list(gateway.balance_lines(LONG_AGO, rig.now() + timedelta(days=1)))

        assert gateway.balance()[rig.currency] == sums(lines, rig.currency).net == self.money(rig, -790)
        assert [line.at for line in lines] == sorted(line.at for line in lines)

    def test_lines_of_the_balance_are_those_of_the_time_asked_for(self, gateway: Gateway, rig: GatewayRig) -> None:
        rig.sell_elsewhere(self.money(rig, 5000))
        first = rig.now()
        rig.advance(first + timedelta(hours=1))
        rig.bill(self.money(rig, 90))

        def found(since: datetime, until: datetime) -> list[BalanceKind]:
            return [line.kind for line in gateway.balance_lines(since, until)]

        assert found(first, rig.now()) == [BalanceKind.CHARGE]
        assert found(rig.now(), rig.now() + timedelta(hours=1)) == [BalanceKind.FEE]

    def test_many_lines_are_all_read(self, gateway: Gateway, rig: GatewayRig) -> None:
        payments = {rig.sell_elsewhere(self.money(rig, 1000 + n)) for n in range(130)}

        (payout,) = self.settled(gateway, rig)
        lines = gateway.payout_lines(payout.id)

        assert {line.payment for line in lines} == payments
        assert unexplained(payout, lines).minor == 0
        assert len(list(gateway.balance_lines(LONG_AGO, rig.now()))) == 131

    def test_a_throttled_gateway_gives_no_half_of_a_payout(self, gateway: Gateway, rig: GatewayRig) -> None:
        rig.sell_elsewhere(self.money(rig, 5000))
        (payout,) = self.settled(gateway, rig)
        rig.throttle()

        with pytest.raises(RetryLater):
            gateway.payout_lines(payout.id)
        with pytest.raises(RetryLater):
            gateway.payouts(LONG_AGO)

        rig.mend()
        assert [found.id for found in gateway.payouts(LONG_AGO)] == [payout.id]

    def test_an_unknown_payout_is_none(self, gateway: Gateway) -> None:
        assert gateway.payout("po_unknown") is None

    def test_the_account_is_looked_over(self, gateway: Gateway) -> None:
        checks = gateway.account_checks()

        assert False not in {check.right for check in checks}
        assert True in {check.right for check in checks}
        assert all(check.name and check.message.endswith(".") for check in checks)
