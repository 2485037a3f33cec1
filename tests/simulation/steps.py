"""The steps of a life, each with its weight. A step says what it did, None when there was nothing to do it to."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from adapters.sandbox.stripe.eventlog import ASTRAY
from connector.errors import Rejected
from connector.flows import billing_run, decide, overrule, switch
from connector.flows.attention import dismiss, retry_all
from connector.model.decision import ChargeDecision, is_refund
from connector.model.ledger import EntryKind, RefundIntent
from tests.simulation import autotask_people, connectwise_people
from tests.simulation.life import Life, Step, pick
from tests.simulation.partners import ours

PARTNERS = ("stripe", "quickbooks", "connectwise", "autotask")
WHERE = {
    "stripe": ("", "finalize", "/invoices", "/subscriptions", "/invoiceitems", "/credit_notes", "/pay"),
    "quickbooks": ("", "/payment$", "/tokens/", "/query"),
    "connectwise": ("", r"/payments$", "/agreements", "/invoices"),
    "autotask": ("", "Invoices", "Contract"),
}
NO_EFFECT = ("429", "500", "reset", "timeout", "no_connection")
EFFECT = ("500_after_effect", "reply_lost", "half_reply", "timeout_after_effect")
BEHAVIOURS = ("ok", "ok", "ok", "decline", "decline_once", "decline_hard", "ach_fails", "ach_returns")


def table(kind: str) -> list[tuple[int, Step]]:
    """The first is done twice before anything else: somebody new signs up."""
    people = connectwise_people.TABLE if kind == "connectwise" else autotask_people.TABLE
    return [*people, *_TABLE]


# Time


def time_passes(life: Life) -> str:
    hours = life.chance.choice((2, 6, 14, 24, 24, 30, 48, 70))
    life.later(hours)
    life.round()
    return f"{hours} h"


def weeks_pass_without_the_agent(life: Life) -> str:
    """At times for longer than the gateway lists its events."""
    days = life.chance.choice((4, 7, 11, 16, 35))
    life.later(days * 24)
    return f"{days} days"


def clock_is_wrong(life: Life) -> str:
    life.mortal.off = timedelta(minutes=life.chance.choice((0, 0, -10, 10, -3)))
    return str(life.mortal.off)


# Payers and banks


def payers_open_their_links(life: Life) -> str | None:
    method, behaviour = life.chance.choice(
        (("card", BEHAVIOURS[:6]), ("us_bank_account", ("ok", "ok", "ach_fails", "ach_returns")))
    )
    done = life.msp.enrol(method=method, behaviour=life.chance.choice(behaviour))
    return f"{method} {done}" if done else None


def payer_changes_method(life: Life) -> str | None:
    customer = pick(life, [row["id"] for row in life.msp.stripe("customer") if row["metadata"].get("psa_connector")])
    if customer is None:
        return None
    behaviour = life.chance.choice(("ok", "ok", "decline", "decline_once"))
    life.msp.act("stripe.portal_change_method", customer=customer, method="card", behaviour=behaviour)
    return f"{customer} {behaviour}"


def bank_changes_its_mind(life: Life) -> str | None:
    method = pick(life, [row for row in life.msp.stripe("payment_method") if row.get("customer")])
    if method is None or method["id"] == life.record.foreign.get("made", {}).get("payment_method"):
        return None
    of_type = BEHAVIOURS[:6] if method["type"] == "card" else ("ok", "ok", "ach_fails", "ach_returns")
    behaviour = life.chance.choice(of_type)
    life.msp.act("stripe.set_behaviour", method=method["id"], behaviour=behaviour)
    return f"{method['id']} {behaviour}"


def _paid(life: Life) -> tuple[str, int, str] | None:
    """A payment of ours: intent, what is left of it in cents, method."""
    mine = {row["id"] for row in ours(life.msp)}
    of = {row["payment"]["payment_intent"]: row["invoice"] for row in life.msp.stripe("invoice_payment")}
    rows = [row for row in life.msp.stripe("charge") if row["status"] == "succeeded" and of.get(row["payment_intent"]) in mine]
    row = pick(life, [row for row in rows if not row["disputed"] and row["amount"] > row["amount_refunded"]])
    return (
        None
        if row is None
        else (row["payment_intent"], row["amount"] - row["amount_refunded"], row["payment_method_details"]["type"])
    )


def owner_refunds(life: Life) -> str | None:
    found = _paid(life)
    if found is None:
        return None
    intent, left, _ = found
    amount = life.chance.choice((left, max(left // 3, 1)))
    meant = life.chance.choice(("cancel_payment", "cancel_payment", "credit", ""))
    life.msp.act("stripe.refund", payment_intent=intent, amount=amount, **({"intent": meant} if meant else {}))
    return f"{intent} {amount} {meant or 'without a word'}"


def refund_comes_back(life: Life) -> str | None:
    refund = pick(life, [row["id"] for row in life.msp.stripe("refund") if row["status"] in ("pending", "succeeded")])
    if refund is None:
        return None
    life.msp.act("stripe.fail_refund", refund=refund)
    return str(refund)


def payer_disputes(life: Life) -> str | None:
    found = _paid(life)
    if found is None:
        return None
    intent, left, method = found
    if method == "us_bank_account":
        life.msp.act("stripe.ach_return", payment_intent=intent)
        return f"bank return of {intent} {left}"
    life.msp.act("stripe.dispute", payment_intent=intent, inquiry=life.chance.random() < 0.2)
    return f"{intent} {left}"


def dispute_is_decided(life: Life) -> str | None:
    open_ = [row["id"] for row in life.msp.stripe("dispute") if row["status"] in ("needs_response", "under_review")]
    dispute = pick(life, open_)
    if dispute is None:
        return None
    won = life.chance.random() < 0.5
    life.msp.act("stripe.close_dispute", dispute=dispute, won=won)
    return f"{dispute} {'won' if won else 'lost'}"


# People in the dashboard


def owner_voids_or_gives_up(life: Life) -> str | None:
    invoice = pick(life, [row["id"] for row in ours(life.msp) if row["status"] == "open"])
    if invoice is None:
        return None
    action = life.chance.choice(("void_invoice", "mark_uncollectible", "mark_paid"))
    life.msp.act(f"stripe.{action}", invoice=invoice)
    return f"{action} {invoice}"


def owner_lets_subscription_collect(life: Life) -> str | None:
    mine = [
        row["id"] for row in life.msp.stripe("subscription") if row["metadata"].get("psa_connector") and row["status"] == "active"
    ]
    id = pick(life, mine)
    if id is None:
        return None
    life.msp.act("stripe.edit_subscription", id=id, pause_collection="")
    return str(id)


def owner_cancels_subscription(life: Life) -> str | None:
    mine = [
        row["id"] for row in life.msp.stripe("subscription") if row["metadata"].get("psa_connector") and row["status"] == "active"
    ]
    id = pick(life, mine)
    if id is None:
        return None
    life.msp.act("stripe.cancel_subscription", id=id)
    return str(id)


# The books


def books_get_a_cheque(life: Life) -> str | None:
    """Entered in QuickBooks first; the PSA hears of it later, or never."""
    open_ = [row for row in life.msp.books("Invoice") if row["Balance"] > 1 and row["DocNumber"] != "W-1"]
    row = pick(life, open_)
    if row is None:
        return None
    amount = min(row["Balance"], Decimal(life.chance.choice(("33.33", "77.77", "100000"))))
    life.msp.act(
        "quickbooks.enter_payment", customer_name=row["CustomerRef"]["name"], amount=str(amount), number=row["DocNumber"]
    )
    return f"{row['DocNumber']} {amount}"


def books_are_down(life: Life) -> str:
    hours = life.chance.randint(5, 100)
    life.outage(hours, kind="500", partner="quickbooks")
    return f"{hours} h"


def books_forget_request_ids(life: Life) -> str:
    life.msp.world.partners["quickbooks"].forget_request_ids()  # type: ignore[attr-defined]
    return "forgotten"


def books_are_disconnected(life: Life) -> str:
    """A person finds out a while later, and enters the new refresh token."""
    life.msp.act("quickbooks.disconnect")
    life.later(life.chance.randint(1, 60))
    life.round()
    life.reconnect_books()
    return "and connected again"


def token_renewal_is_lost(life: Life) -> str:
    """The partner rotated, and the agent dies before it has the new one."""
    tokens = life.msp.world.partners["quickbooks"].tokens  # type: ignore[attr-defined]
    tokens.expire_access_tokens()
    life.msp.fault("reply_lost", "quickbooks", path="/tokens/")
    life.mortal.dies_at_next_fault()
    life.round()
    return "died at it"


# Partners misbehave


def _partner(life: Life) -> str:
    return life.chance.choice([name for name in PARTNERS if name in life.msp.world.partners])


def request_fails(life: Life) -> str:
    partner = _partner(life)
    kind = life.chance.choice((*NO_EFFECT, *EFFECT))
    where = life.chance.choice(WHERE[partner])
    method = life.chance.choice(("", "POST", "POST"))
    skip, count = life.chance.randint(0, 4), life.chance.choice((1, 1, 2, 5))
    life.msp.fault(kind, partner, method=method, path=where, skip=skip, count=count)
    return f"{kind} {partner} {method} {where} skip {skip} count {count}"


def partner_is_out(life: Life) -> str:
    partner, hours = _partner(life), life.chance.randint(1, 30)
    kind = life.chance.choice(NO_EFFECT)
    life.outage(hours, kind=kind, partner=partner)
    return f"{partner} {kind} {hours} h"


def partner_is_slow(life: Life) -> str:
    """For hours: every other answer takes longer than the agent waits, whether the partner did something or not."""
    partner, hours = _partner(life), life.chance.randint(2, 12)
    life.outage(hours, kind="timeout_after_effect", partner=partner, probability=0.5)
    return f"{partner} {hours} h"


def writes_lose_their_answers(life: Life) -> str:
    partner, hours = _partner(life), life.chance.randint(1, 12)
    kind = life.chance.choice(EFFECT)
    life.outage(hours, kind=kind, partner=partner, method="POST", probability=0.5)
    return f"{partner} {kind} {hours} h"


def events_go_astray(life: Life) -> str:
    kinds = life.chance.choices(ASTRAY, k=life.chance.choice((1, 1, 2, 5, 12)))
    life.msp.act("stripe.events_go_astray", kinds=kinds)
    return ", ".join(kinds)


# The agent and its operator


def agent_dies(life: Life) -> str:
    looks = life.chance.choice((3, 10, 25, 50, 90, 150))
    life.mortal.dies_after(looks)
    life.round()
    return f"at look {looks}"


def agent_dies_at_a_request(life: Life) -> str:
    partner = _partner(life)
    kind = life.chance.choice(("reset", *EFFECT))
    skip = life.chance.randint(0, 4)
    method = life.chance.choice(("POST", "POST", ""))
    life.msp.fault(kind, partner, skip=skip, method=method)
    life.mortal.dies_at_next_fault()
    life.round()
    return f"{partner} {kind} {method} skip {skip}"


def agent_restarts(life: Life) -> str:
    life.restart()
    return "restarted"


def operator_pauses_or_resumes(life: Life) -> str:
    desk = life.msp.agent.desk
    try:
        switch.resume(desk, who="ann", why="simulation")
    except Rejected:
        if life.chance.random() < 0.7:
            return "was not paused"
        switch.pause(desk, who="ann", why="simulation")
        return "paused"
    return "resumed"


def operator_overrules(life: Life) -> str | None:
    desk = life.msp.agent.desk
    one = pick(life, [row for row in overrule.held(desk) if row.overrulable])
    if one is None:
        return None
    overrule.overrule(desk, one.charge, who="ann", why="simulation")
    return f"{one.charge} {[hold.name for hold in one.overrulable]}"


def operator_approves(life: Life) -> str | None:
    desk = life.msp.agent.desk
    run = billing_run.billing_run(desk)
    if not run.waiting:
        return None
    some = [billing_run.id_of(row) for row in run.waiting if life.chance.random() < 0.8]
    done = billing_run.approve(desk, run, charges=some, who=life.chance.choice(("ann", "bob")), why="simulation")
    return f"{[f'{row.name} {row.amount}' for row in done]}"


def operator_classifies(life: Life) -> str | None:
    said = pick(life, [entry for entry in life.msp.ledger() if is_refund(entry)])
    if said is None:
        return None
    intent = life.chance.choice((RefundIntent.CREDIT, RefundIntent.CANCEL_PAYMENT, RefundIntent.OVERPAYMENT))
    decide.classify(life.msp.agent.desk, said.key, intent, who="ann", why="simulation")
    return f"{said.key} {said.amount} {intent}"


def operator_decides(life: Life) -> str | None:
    back = pick(life, sorted({entry.charge for entry in life.msp.ledger() if entry.kind is EntryKind.REVERSAL}))
    if back is None:
        return None
    decision = life.chance.choice(list(ChargeDecision))
    decide.decide(life.msp.agent.desk, back, decision, who="ann", why="simulation")
    return f"{back} {decision}"


def operator_retries_parked(life: Life) -> str | None:
    done = retry_all(life.msp.agent.desk, who="ann")
    return f"{len(done)}" if done else None


def operator_dismisses_parked(life: Life) -> str | None:
    parked = [d for d in life.msp.undelivered() if d.state == "parked"]
    one = pick(life, parked)
    return dismiss(life.msp.agent.desk, str(one.id), who="ann", why="entered by me").what if one else None


_TABLE: list[tuple[int, Step]] = [
    (60, time_passes),
    (1, weeks_pass_without_the_agent),
    (2, clock_is_wrong),
    (9, payers_open_their_links),
    (3, payer_changes_method),
    (3, bank_changes_its_mind),
    (3, owner_refunds),
    (1, refund_comes_back),
    (3, payer_disputes),
    (3, dispute_is_decided),
    (2, owner_voids_or_gives_up),
    (1, owner_lets_subscription_collect),
    (1, owner_cancels_subscription),
    (3, books_get_a_cheque),
    (1, books_are_down),
    (1, books_forget_request_ids),
    (1, books_are_disconnected),
    (1, token_renewal_is_lost),
    (8, request_fails),
    (2, partner_is_out),
    (2, partner_is_slow),
    (2, writes_lose_their_answers),
    (4, events_go_astray),
    (4, agent_dies),
    (5, agent_dies_at_a_request),
    (2, agent_restarts),
    (3, operator_pauses_or_resumes),
    (6, operator_approves),
    (3, operator_classifies),
    (3, operator_decides),
    (3, operator_overrules),
    (2, operator_retries_parked),
    (1, operator_dismisses_parked),
]
