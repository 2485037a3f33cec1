"""Journals, transfers and deposits in QuickBooks: entered once, found again, read, deleted; and what changed there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from adapters.quickbooks import entries, wire
from adapters.quickbooks.accounts import Accounts
from adapters.quickbooks.client import Client, quoted, until_fresh
from adapters.quickbooks.refused import Refusals
from adapters.quickbooks.translate import is_ours, marker, reference, request_id
from connector.errors import Rejected
from connector.model.bookings import (
    Booked,
    Booking,
    BookingKind,
    BooksChanges,
    DepositBooking,
    kind_of,
)
from connector.model.invoice import Posted
from connector.ports import Context, WriteKey

SKEW = timedelta(hours=1)  # between our clock, which says when a key was made, and QuickBooks'
OVERLAP = timedelta(minutes=5)
CDC_REACH = timedelta(days=30) - SKEW
CDC_MOST = 1000
Payments = Callable[[Collection[str]], Mapping[str, Posted]]


class Bookings:
    """`payments` reads posted payments again, for what goes into a deposit."""

    def __init__(self, client: Client, context: Context, accounts: Accounts, refusals: Refusals, payments: Payments) -> None:
        self._client = client
        self._context = context
        self._accounts = accounts
        self._refusals = refusals
        self._payments = payments

    def book(self, booking: Booking, key: WriteKey) -> Booked:
        """One request; a deposit one more for every 100 payments. Accounts by kind are asked for once."""
        kind = kind_of(booking)
        what = f"{kind.value.capitalize()} of {booking.amount} dated {booking.dated.isoformat()}"
        customers = {line.customer for line in entries.lines_of(booking) if line.customer}
        with self._refusals.about(what, accounts=entries.accounts_of(booking), customers=customers):
            self._same_currency(booking)
            return self._write(booking, kind, key)

    def find(self, key: WriteKey) -> Booked | None:
        """Up to three requests: by the journal's number, then by the notes of what was entered since the key was made."""
        mark = entries.mark(key, self._context.instance)
        found = [
            (entry, kind)
            for kind in (BookingKind.JOURNAL, BookingKind.DEPOSIT, BookingKind.TRANSFER)
            for entry in self._candidates(kind, key)
            if entry.private_note.startswith(mark)
        ]
        if len(found) > 1:
            ids = " and ".join(f"{entries.ENTITY[kind]} {entry.id}" for entry, kind in found)
            raise Rejected(
                f"QuickBooks has this booking {len(found)} times ({ids}). Delete all but one.", code="duplicate_booking"
            )
        return self._booked(*found[0]) if found else None

    def booked(self, ids: Collection[str]) -> dict[str, Booked]:
        """One request for every 100 ids of a kind."""
        wanted: dict[BookingKind, list[str]] = {}
        for kind, number in filter(None, map(entries.parsed, ids)):
            wanted.setdefault(kind, []).append(number)
        found = [(entry, kind) for kind, numbers in wanted.items() for entry in self._read(kind, numbers)]
        return {booked.id: booked for booked in (self._booked(entry, kind) for entry, kind in found if not entry.voided)}

    def unbook(self, id: str) -> None:
        """Two requests."""
        with self._refusals.about(f"Deleting {id}"):
            known = entries.parsed(id)
            if known is None:
                raise Rejected(f"{id!r} is not the id of a booking in QuickBooks", code="missing")
            until_fresh(lambda: self._delete(*known))

    def changes(self, since: datetime) -> BooksChanges:
        """One request; none when QuickBooks does not remember that long."""
        now = self._context.clock.now()
        if now - since > CDC_REACH:
            return BooksChanges(changes=(), until=now - OVERLAP, lost=True)
        groups, _ = self._client.changed(tuple(entries.CHANGED), since)
        told = tuple(entries.changes(groups))
        return BooksChanges(changes=told, until=now - OVERLAP, lost=len(told) >= CDC_MOST)

    def _write(self, booking: Booking, kind: BookingKind, key: WriteKey) -> Booked:
        receivable = self._accounts.receivable() if any(not line.account for line in entries.lines_of(booking)) else ""
        amounts = self._taken(booking) if isinstance(booking, DepositBooking) else {}
        body = entries.body(booking, key=key, instance=self._context.instance, receivable=receivable, amounts=amounts)
        content, reply = self._client.write(entries.ENTITY[kind], body, request_id=request_id(key))
        written = wire.read_written(entries.RECORD[kind], content, reply)
        if not written.private_note.startswith(entries.mark(key, self._context.instance)):
            raise reply.unreadable(f"{entries.ENTITY[kind]} {written.id}, which is another one")
        return self._booked(written, kind)

    def _taken(self, booking: DepositBooking) -> dict[str, Decimal]:
        posted = self._payments(booking.payments) if booking.payments else {}
        entries.check_deposit(booking, posted, self._accounts.undeposited() if posted else "")
        return {id: payment.amount.major for id, payment in posted.items()}

    def _same_currency(self, booking: Booking) -> None:
        if booking.amount.currency != self._context.currency:
            raise Rejected(f"the connector works in {self._context.currency}", code="wrong_currency")

    def _candidates(self, kind: BookingKind, key: WriteKey) -> Iterator[wire.Entry]:
        entity = entries.ENTITY[kind]
        since = (key.since - SKEW).isoformat(timespec="seconds")
        by_number = kind is BookingKind.JOURNAL
        where = f"DocNumber = {quoted(reference(key))}" if by_number else f"MetaData.CreateTime >= {quoted(since)}"
        for row in self._client.query(entity, where):
            yield wire.read(entries.RECORD[kind], row)

    def _read(self, kind: BookingKind, ids: Collection[str]) -> Iterator[wire.Entry]:
        for row in self._client.query_in(entries.ENTITY[kind], "Id", ids):
            yield wire.read(entries.RECORD[kind], row)

    def _delete(self, kind: BookingKind, id: str) -> None:
        entry = next(self._read(kind, [id]), None)
        if entry is None:
            return
        if not is_ours(entry.private_note, self._context.instance):
            mark = marker(self._context.instance)
            raise Rejected(f"it does not carry our mark {mark} in its memo, so it is left alone", code="not_ours")
        try:
            self._client.write(entries.ENTITY[kind], {"Id": entry.id, "SyncToken": entry.sync_token}, operation="delete")
        except Rejected as error:
            if error.code != "missing":  # somebody was quicker
                raise

    def _booked(self, entry: wire.Entry, kind: BookingKind) -> Booked:
        return entries.booked(entry, kind, self._context.currency)
