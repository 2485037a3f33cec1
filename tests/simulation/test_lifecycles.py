"""Every way in which money comes and goes, in any order: once all is delivered, the gateway, the PSA, the books and the payment
journal say the same. hypothesis chooses the order.

LIFECYCLES=200 tries as many lives, each of STEPS=30 steps; without that a few short ones, always the same.
"""

from __future__ import annotations

import os
import random
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from adapters.sandbox.seed import build_world
from adapters.sandbox.transport import NOWHERE
from connector.errors import ConnectorError
from connector.model.ledger import EntryKind
from tests.e2e.back import WITH_DISPUTED
from tests.e2e.msp import Msp, write_config
from tests.simulation import at_the_bank, connectwise_people, steps
from tests.simulation.life import Bent, Life, Step, start
from tests.simulation.mortal import Mortal
from tests.simulation.partners import collected, ledger_net
from tests.simulation.setting import Setting

LIVES, STEPS = int(os.environ.get("LIFECYCLES", "3")), int(os.environ.get("STEPS", "10"))
chances = st.integers(0, 10_000)  # whom, how much, what for: drawn by the step


class Lifecycles(RuleBasedStateMachine):
    @initialize(mode=st.sampled_from(["many", "single"]), cheque=chances)
    def two_payers_sign_up(self, mode: str, cheque: int) -> None:
        self.last, self.mode = ExitStack(), mode
        self.life = self._life(Path(self.last.enter_context(tempfile.TemporaryDirectory())))
        self.life.chance = random.Random(cheque)
        m = self.life.msp
        m.act("connectwise.set_payment_mode", mode=mode)
        m.sign_up("Contoso Dental")
        m.sign_up("Fabrikam Law", method="us_bank_account")
        self.life.round(whole=True)
        self.life.record.begin(m)
        self.life.in_the_bank = at_the_bank.balance(m)
        self._to("02")

    def _life(self, folder: Path) -> Life:
        config = {"charging": {"approve": "never", "supplementary": "release"}, "books": WITH_DISPUTED}
        write_config(folder, NOWHERE, **config)
        world = build_world(seed=1, agreements=0)
        mortal, stack = Mortal(world), ExitStack()
        agent = stack.enter_context(start(folder, world, mortal, Bent()))
        m = Msp(world=world, agent=agent, folder=folder, url=NOWHERE, stack=stack)
        self.last.callback(lambda: m.stack.close())
        setting = Setting(psa="connectwise", customers=2, config=config)
        life = Life(seed=1, msp=m, mortal=mortal, chance=random.Random(1), setting=setting)
        self.last.enter_context(life.record.listening())
        return life

    def _to(self, day: str) -> None:
        """The next time that it is this day of a month, late enough for a card to be charged."""
        while True:
            self.life.later(24)
            if f"{self.life.now:%d}" == day:
                break
        self.life.round(whole=True)
        self.life.later(2)
        self.life.round(whole=True)

    def _do(self, step: Step, chance: int) -> None:
        """A person may not do that just now: nothing happens."""
        self.life.chance = random.Random(chance)
        try:
            said = step(self.life)
        except (ValueError, KeyError, ConnectorError) as refused:
            said = f"refused: {refused}"
        self.life.note(f"{step.__name__}: {said}")

    @rule()
    def a_day_passes(self) -> None:
        self.life.later(26)
        self.life.round(whole=True)

    @rule()
    def a_bank_debit_has_its_days(self) -> None:
        for _ in range(2):
            self.life.later(72)
            self.life.round(whole=True)

    @rule()
    def the_next_month_is_charged(self) -> None:
        self._to("02")

    @rule(chance=chances)
    def the_bank_will_decline_fail_or_return(self, chance: int) -> None:
        self._do(steps.bank_changes_its_mind, chance)

    @rule(chance=chances)
    def the_owner_refunds(self, chance: int) -> None:
        self._do(steps.owner_refunds, chance)

    @rule(chance=chances)
    def a_refund_fails(self, chance: int) -> None:
        self._do(steps.refund_comes_back, chance)

    @rule(chance=chances)
    def a_payment_is_disputed_or_returned(self, chance: int) -> None:
        self._do(steps.payer_disputes, chance)

    @rule(chance=chances)
    def a_dispute_is_won_or_lost(self, chance: int) -> None:
        self._do(steps.dispute_is_decided, chance)

    @rule(chance=chances)
    def a_cheque_comes(self, chance: int) -> None:
        """Where an invoice has one payment only, nobody could say afterwards what of it is the cheque's."""
        in_books = chance % 2 or self.mode == "single"
        self._do(steps.books_get_a_cheque if in_books else connectwise_people.cheque_is_entered, chance)

    @rule(chance=chances)
    def an_invoice_is_credited(self, chance: int) -> None:
        self._do(connectwise_people.invoice_is_credited, chance)

    @rule(chance=chances)
    def an_invoice_is_paid_outside_voided_or_given_up(self, chance: int) -> None:
        self._do(steps.owner_voids_or_gives_up, chance)

    @rule(chance=chances)
    def a_payer_changes_method(self, chance: int) -> None:
        self._do(steps.payer_changes_method, chance)

    @rule(chance=chances)
    def a_refund_is_classified(self, chance: int) -> None:
        self._do(steps.operator_classifies, chance)

    @rule(chance=chances)
    def what_went_back_is_decided(self, chance: int) -> None:
        self._do(steps.operator_decides, chance)

    def teardown(self) -> None:
        if not hasattr(self, "life"):
            return
        with self.last:
            try:
                self.life.quiet()
                self._one_sum()
            except Exception as error:
                raise AssertionError("\n  ".join([str(error), *self.life.trace])) from error

    def _one_sum(self) -> None:
        """`quiet` compared each charge, where nothing waits for a person; this is all of them together."""
        m = self.life.msp
        gateway, journal = sum(collected(m).values()), sum(ledger_net(m, charge) for charge in m.charges())
        signs = {EntryKind.PAYMENT: 1, EntryKind.REVERSAL: -1}
        entries = sum(signs[entry.kind] * entry.amount.minor for entry in m.ledger())

        assert gateway == journal == entries


def test_all_say_the_same_whatever_happens() -> None:
    chosen = settings(
        max_examples=LIVES,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),  # to find the shortest takes many minutes
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(Lifecycles, settings=chosen)
