"""Confirming a review file: the whole of it is checked against what is there now, then noted in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from connector.errors import ConfigError, Problem, Rejected
from connector.flows import adopt_file, enrol
from connector.flows.adopt import Book, obstacle, read_book
from connector.flows.adopt_file import COLUMNS, DECISIONS, Row
from connector.flows.adopt_marks import MARK
from connector.flows.desk import Desk
from connector.flows.others import NOT_THE_SAME
from connector.flows.takeover import ADOPTED
from connector.model.adopt import fingerprint
from connector.store import audit, links, payers
from connector.store.links import LinkState


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmed:
    """What was new. All empty when the file had been confirmed before."""

    customers: tuple[str, ...]
    subscriptions: tuple[str, ...]
    unrelated: tuple[str, ...]


def confirm(desk: Desk, path: Path, *, who: str, why: str) -> Confirmed:
    """ConfigError with every problem of the file: then nothing was changed. Writes to our store alone."""
    rows = adopt_file.read(path)
    book = read_book(desk)
    problems = [*_problems(desk, book, rows), *_conflicts(book, rows)]
    if problems:
        found = sorted(problems, key=lambda problem: (problem[0], COLUMNS.index(problem[1])))
        raise ConfigError(
            *(
                Problem(file=str(path), line=line, column=COLUMNS.index(column) + 1, message=f"{column}: {message}")
                for line, column, message in found
            )
        )
    with desk.store.begin() as tx:
        done = Confirmed(
            customers=tuple(_customers(tx, desk, book, rows)),
            subscriptions=tuple(_subscriptions(tx, desk, rows)),
            unrelated=tuple(_unrelated(tx, desk, rows)),
        )
        if done.customers or done.subscriptions or done.unrelated:
            audit.write(tx, who=who, what="adopted an existing book", why=why, after=_said(done), now=desk.now())
    return done


def _said(done: Confirmed) -> dict[str, list[str]]:
    return {name: list(getattr(done, name)) for name in ("customers", "subscriptions", "unrelated")}


def _target(row: Row) -> str:
    """The customer that is adopted by this row; "" for one that is about a subscription only."""
    if row.decision == "unrelated":
        return ""
    return row.customer if row.decision in DECISIONS else row.decision


def _taken_over(row: Row) -> str:
    return row.subscription if row.decision == "yes" else ""


Found = tuple[int, str, str]  # line, column, message


def _problems(desk: Desk, book: Book, rows: Sequence[Row]) -> Iterator[Found]:
    for row in rows:
        if row.payer not in book.payers():
            yield row.line, "payer", f"no agreement is billed to {row.payer!r} any more"
        elif not _is_done(book, row):
            yield from _of_customer(book, row)
            yield from _of_subscription(desk, book, row)


def _is_done(book: Book, row: Row) -> bool:
    if row.decision == "unrelated":
        return row.subscription in book.unrelated
    same = book.linked.get(row.payer) == _target(row)
    return same and (not _taken_over(row) or book.adopted.get(row.unit) == row.subscription)


def _of_customer(book: Book, row: Row) -> Iterator[Found]:
    target, known = _target(row), book.linked.get(row.payer, "")
    if row.decision == "unrelated":
        return
    if not target:
        yield row.line, "decision", f"there is no customer to adopt; write a customer's id, or leave it empty ({_words()})"
    elif known and known != target:
        yield row.line, "decision", f"this payer has the customer {known} already"
    elif target not in book.customers and known != target:
        yield row.line, "decision", f"the gateway has no customer {target!r} that could be adopted ({_words()})"


def _words() -> str:
    return f"a decision is {', '.join(DECISIONS)}, or the id of another customer"


def _of_subscription(desk: Desk, book: Book, row: Row) -> Iterator[Found]:
    subscription = book.subscriptions.get(row.subscription)
    if row.decision in DECISIONS and _changed(book, row):
        yield row.line, "fingerprint", "something changed since this file was made; make a new one with: connector adopt"
        return
    if row.decision == "unrelated" and subscription is None:
        yield row.line, "subscription", "there is no such subscription any more"
    if row.decision != "yes" or not row.subscription or subscription is None:
        return
    unit = book.units.get(row.unit)
    if unit is None or unit.payer.key != row.payer:
        yield row.line, "decision", "it belongs to no agreement: write 'unrelated' if it is for something else, or end it first"
    elif found := obstacle(desk, unit, subscription):
        yield row.line, "subscription", f"{found}. Write 'customer' to adopt the customer alone, and end the subscription there"


def _changed(book: Book, row: Row) -> bool:
    customer = book.customers.get(row.customer)
    if customer is None and book.linked.get(row.payer) == row.customer:
        return False
    return row.fingerprint != fingerprint(book.payers()[row.payer], customer, book.subscriptions.get(row.subscription))


def _conflicts(book: Book, rows: Sequence[Row]) -> Iterator[Found]:
    """One payer, one customer; one agreement, one subscription; and the other way round."""
    of_payer: dict[str, str] = {}
    of_customer = {customer: payer for payer, customer in book.linked.items()}
    of_subscription = {subscription: unit for unit, subscription in book.adopted.items()}
    of_unit = dict(book.adopted)
    for row in rows:
        target, subscription = _target(row), _taken_over(row)
        if target and of_payer.setdefault(row.payer, target) != target:
            yield row.line, "decision", f"the payer {row.payer} is given two customers: {of_payer[row.payer]} and {target}"
        if target and of_customer.setdefault(target, row.payer) != row.payer:
            yield row.line, "decision", f"the customer {target} is given to two payers: {of_customer[target]} and {row.payer}"
        if subscription and of_subscription.setdefault(subscription, row.unit) != row.unit:
            yield row.line, "subscription", f"it is given to two agreements: {of_subscription[subscription]} and {row.unit}"
        if subscription and of_unit.setdefault(row.unit, subscription) != subscription:
            yield row.line, "unit", f"it is given two subscriptions: {of_unit[row.unit]} and {subscription}"


# Noting it


def _customers(tx: Connection, desk: Desk, book: Book, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        target = _target(row)
        if not target or book.linked.get(row.payer) == target:
            continue
        link = links.intend(tx, "customer", row.payer, desk.gateway.name, now=desk.now())
        if link.state is LinkState.LINKED and link.target == target:
            continue
        if link.state is LinkState.LINKED or link.sent_at is not None:
            raise Rejected(f"the running agent is making a customer for {row.payer} just now; nothing was changed. Try again.")
        links.linked(tx, link, target=target, now=desk.now(), detail={MARK: "pending"})
        payer, customer = book.payers()[row.payer], book.customers[target]
        known = payers.get(tx, row.payer) or enrol.new_row(payer)
        adopted = enrol.with_method(replace(known, customer=target, detail={**known.detail, "told": enrol.told(payer)}), customer)
        if row.books_customer and not adopted.books_customer:
            adopted = replace(adopted, books_customer=row.books_customer)
        payers.save(tx, adopted, now=desk.now())
        yield f"{row.payer}: {target}"


def _subscriptions(tx: Connection, desk: Desk, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        subscription = _taken_over(row)
        if subscription and _note(tx, desk, ADOPTED, row.unit, subscription):
            yield f"{row.unit}: {subscription}"


def _unrelated(tx: Connection, desk: Desk, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.decision == "unrelated" and _note(tx, desk, NOT_THE_SAME, row.subscription, row.payer):
            yield row.subscription


def _note(tx: Connection, desk: Desk, kind: str, source: str, target: str) -> bool:
    link = links.intend(tx, kind, source, desk.gateway.name, now=desk.now())
    if link.state is LinkState.LINKED:
        return False
    links.linked(tx, link, target=target, now=desk.now())
    return True
