"""Invoices of contracts. An invoice names no contract: what joins them are its billing items (psa.md 4.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from adapters.autotask import translate, wire
from adapters.autotask.client import Client, Record
from adapters.autotask.scan import ContractReader
from connector.errors import Rejected
from connector.model.invoice import PsaInvoice, PsaInvoiceKind, Received, UnreadableInvoice
from connector.model.money import Money

POSTED_BEFORE = timedelta(days=92)  # so long an item may have waited, posted, for its invoice
ON_AN_INVOICE = {"op": "exist", "field": "invoiceID"}


@dataclass(kw_only=True)
class InvoiceReader:
    client: Client
    contracts: ContractReader
    currency: str

    def of_contracts(self, contracts: Collection[int], since: date) -> list[PsaInvoice | UnreadableInvoice]:
        """Every invoice dated on or after `since` with an item of one of these contracts; complete or raises."""
        posted = {"op": "gte", "field": "postedDate", "value": f"{since - POSTED_BEFORE}T00:00:00Z"}
        rows = self.client.among("BillingItems", "contractID", contracts, ON_AN_INVOICE, posted)
        items = _by_invoice(map(translate.read_item, rows))
        dated = {"op": "gte", "field": "invoiceDateTime", "value": f"{since}T00:00:00Z"}
        found: list[wire.Invoice] = []
        unreadable: list[UnreadableInvoice] = []
        for row in self.client.among("Invoices", "id", items.keys(), dated):
            try:
                found.append(translate.read_invoice(row))
            except Rejected as error:
                unreadable.append(_unreadable(row, items, error))
        found = [invoice for invoice in found if invoice.dated >= since]
        return [*self._translated(found, {**items, **self._items_of(_unexplained(found, items))}), *unreadable]

    def open_others(self, companies: Collection[int], since: date) -> list[PsaInvoice]:
        """Not paid, not voided, and with nothing recurring on it."""
        dated = {"op": "gte", "field": "invoiceDateTime", "value": f"{since}T00:00:00Z"}
        unpaid = {"op": "notExist", "field": "paidDate"}
        rows = self.client.among("Invoices", "companyID", companies, dated, unpaid)
        found = [row for row in map(translate.read_invoice, rows) if row.dated >= since and not row.voided and row.total > 0]
        made = self._translated(found, self._items_of([invoice.id for invoice in found]))
        return [invoice for invoice in made if invoice.kind is PsaInvoiceKind.OTHER and invoice.balance.minor > 0]

    def one(self, id: str) -> PsaInvoice | None:
        """None also when it was voided: then its items wait for another invoice, which is the bill in its place."""
        record = self.client.get("Invoices", id) if id.isdigit() else None
        if record is None or (found := translate.read_invoice(record)).voided:
            return None
        (made,) = self._translated([found], self._items_of([found.id]))
        return made

    def received(self, id: str) -> list[Received]:
        record = self.client.get("Invoices", id) if id.isdigit() else None
        found = translate.read_invoice(record) if record is not None else None
        if found is None or found.paid is None or found.voided:
            return []
        currency = self.contracts.currencies.get(found.company, self.currency)
        return [Received(id=id, invoice=id, amount=Money.from_major(found.total, currency), dated=found.paid)]

    def _items_of(self, invoices: Collection[int]) -> dict[int, list[wire.Item]]:
        return _by_invoice(map(translate.read_item, self.client.among("BillingItems", "invoiceID", invoices)))

    def _translated(self, found: Iterable[wire.Invoice], items: Mapping[int, list[wire.Item]]) -> list[PsaInvoice]:
        found = list(found)
        unknown = {invoice.company for invoice in found} - self.contracts.currencies.keys()
        self.contracts.note_currencies(self.client.among("Companies", "id", unknown))
        codes = self.contracts.currencies
        return [
            translate.invoice(invoice, items.get(invoice.id, []), codes.get(invoice.company, self.currency)) for invoice in found
        ]


def _unreadable(row: Record, items: Mapping[int, Sequence[wire.Item]], why: Rejected) -> UnreadableInvoice:
    """Whose it is, its items say. Raises `why` when they do not."""
    id = row.get("id")
    named = {item.contract for item in items.get(id, ())} if isinstance(id, int) else set()
    contracts = sorted(contract for contract in named if contract is not None)
    if not contracts:
        raise why
    return UnreadableInvoice(id=str(id), agreements=tuple(map(translate.ref, contracts)), message=str(why))


def _by_invoice(items: Iterable[wire.Item]) -> dict[int, list[wire.Item]]:
    found: dict[int, list[wire.Item]] = {}
    for item in items:
        if item.invoice is not None:
            found.setdefault(item.invoice, []).append(item)
    return found


def _unexplained(found: Iterable[wire.Invoice], items: Mapping[int, list[wire.Item]]) -> list[int]:
    """Invoices that come to more (or less) than their items that were asked for: there are items of others on them."""
    return [
        invoice.id for invoice in found if sum((item.total for item in items.get(invoice.id, [])), Decimal(0)) != invoice.total
    ]
