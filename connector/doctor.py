"""`connector doctor`: everything that has to be right around the agent, one line each. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from connector.errors import ConfigError, ConnectorError
from connector.flows.decisions import questions
from connector.flows.desk import Desk
from connector.overview import ping_all
from connector.store import freshness, holds, marks, settings

STALE = timedelta(hours=1)


class State(StrEnum):
    OK = "ok"
    PROBLEM = "problem"  # exit code 2
    LOOK = "look here"  # no interface tells it: a person has to look


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    name: str
    state: State
    message: str


def doctor(desk: Desk) -> list[Line]:
    """A partner that does not answer is a problem and ends no other check."""
    return [line for check in CHECKS for line in _guarded(desk, check)]


def _guarded(desk: Desk, check: Callable[[Desk], Iterator[Line]]) -> list[Line]:
    try:
        return list(check(desk))
    except ConnectorError as error:
        return [Line(name=check.__name__.strip("_"), state=State.PROBLEM, message=str(error))]


def _keys(desk: Desk) -> Iterator[Line]:
    for name, problem in ping_all_or_say(desk):
        state = State.PROBLEM if problem else State.OK
        yield Line(name=f"{name} keys", state=state, message=problem or "answers, and accepts the keys")


def ping_all_or_say(desk: Desk) -> list[tuple[str, str]]:
    """What the books refuse of the field mapping is a problem of theirs, not of the whole check."""
    try:
        return ping_all(desk)
    except ConfigError as error:
        return [("books", str(error))]


def _gateway(desk: Desk) -> Iterator[Line]:
    states = {True: State.OK, False: State.PROBLEM, None: State.LOOK}
    for check in desk.gateway.account_checks():
        yield Line(name=f"{desk.gateway.name} {check.name}", state=states[check.right], message=check.message)


def _mails(desk: Desk) -> Iterator[Line]:
    yield Line(
        name=f"{desk.gateway.name} mails",
        state=State.LOOK,
        message="What customers are told of a failed payment is the gateway's own setting, which no interface shows:"
        " its dashboard, Settings, Billing, Subscriptions and emails.",
    )


def _accounts(desk: Desk) -> Iterator[Line]:
    if desk.books is None:
        return
    accounts = desk.settings.accounts
    wanted = {
        name: id
        for name in ("clearing", "bank", "fees", "disputed", "reserves", "foreign")
        if (id := str(getattr(accounts, name)))
    }
    found = desk.books.accounts(list(wanted.values())) if wanted else {}
    for name, id in wanted.items():
        account = found.get(id)
        if account is None:
            yield Line(name=f"books.accounts.{name}", state=State.PROBLEM, message=f"the books have no account with the id {id}")
        elif not account.active:
            message = f"account {account.name} ({id}) is inactive: make it active, or name another one"
            yield Line(name=f"books.accounts.{name}", state=State.PROBLEM, message=message)
        else:
            yield Line(name=f"books.accounts.{name}", state=State.OK, message=f"{account.name} ({id})")


def _owners(desk: Desk) -> Iterator[Line]:
    if desk.settings.psa_payments is None:
        message = "not chosen, so no payment is written to the PSA: connector, or accounting_sync where another tool does"
        yield Line(name="write_back.psa_payments", state=State.PROBLEM, message=message)
    else:
        yield Line(name="write_back.psa_payments", state=State.OK, message=desk.settings.psa_payments)
    if desk.books is not None and not desk.settings.books_payments:
        nobody = "off: the agent writes no payment to the books, and does not look whether anybody does"
        sync = "psa_sync: the agent writes no payment to the books, and tells when one does not arrive there"
        yield Line(name="write_back.books", state=State.OK, message=sync if desk.settings.books_sync else nobody)


def _clock(desk: Desk) -> Iterator[Line]:
    now = desk.now().astimezone(desk.settings.time_zone)
    yield Line(
        name="clock",
        state=State.LOOK,
        message=f"it is {now:%Y-%m-%d %H:%M} in {desk.settings.time_zone} for the agent: charge dates and bookings follow it",
    )


def _running(desk: Desk) -> Iterator[Line]:
    with desk.store.read() as tx:
        known = {one.name: one for one in freshness.every(tx)}
        stuck = [*(settings.get(tx, "needs_attention") or []), *(settings.get(tx, "refused") or [])]
    for name in ("mirror", "collect", "release", "deliver"):
        last = known[name].last_success if name in known else None
        late = last is None or desk.now() - last > STALE
        said = f"last worked {last:%Y-%m-%d %H:%M} UTC" if last else "never worked on this store"
        hint = ": start it (connector run), `connector status` says what fails" if late else ""
        yield Line(name=f"flow {name}", state=State.PROBLEM if late else State.OK, message=said + hint)
    for sentence in stuck:
        yield Line(name="agreements", state=State.PROBLEM, message=sentence)


def _people(desk: Desk) -> Iterator[Line]:
    """What waits for a word."""
    for question in questions(desk):
        yield Line(name="decision", state=State.PROBLEM, message=question.sentence)
    with desk.store.read() as tx:
        barred = len({mark.payer for mark in marks.active(tx)})
        held = len({hold.charge for hold in holds.active(tx)})
    if barred:
        yield Line(name="methods", state=State.LOOK, message=f"payers with a method that came back: {barred}; connector enrol")
    yield Line(name="holds", state=State.LOOK if held else State.OK, message=f"charges that are held: {held}; connector holds")


def _webhooks(desk: Desk) -> Iterator[Line]:
    del desk
    yield Line(name="webhooks", state=State.OK, message="none are needed: the agent asks for events itself")


CHECKS: tuple[Callable[[Desk], Iterator[Line]], ...] = (
    *(_keys, _gateway, _mails, _accounts, _owners),
    *(_clock, _running, _people, _webhooks),
)
