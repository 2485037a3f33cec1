"""What the three-way check tells of money that went back, and is no difference of amounts: what is asked, and what is awaited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from connector.flows.books_invoices import known_payer, look_up
from connector.flows.deliver_reversals import is_missing, lost_key
from connector.flows.desk import Desk
from connector.flows.meanings import meanings_of
from connector.model.drift import SYNC, Told
from connector.model.invoice import PsaInvoice, PsaInvoiceKind
from connector.model.ledger import EntryKind, LedgerEntry, net, undone
from connector.model.money import Money, total
from connector.model.reversal import UNDECIDED, Meaning
from connector.store import settings, stages, touched
from connector.store.stages import Stage

MEMO_SEEN = "reversals.credit_memo_seen"  # keys of refunds whose credit memo was there at some time


def told(desk: Desk, payer: str, entries: Sequence[LedgerEntry], invoices: Iterable[PsaInvoice]) -> tuple[Told, ...]:
    """`entries` of one charge. `invoices`: what the PSA billed to its agreement, credit memos among them."""
    with desk.store.read() as tx:
        means = {k: m for k, m in meanings_of(tx, desk, entries).items() if not _is_undone(entries, k)}
        beside = _beside_a_dispute(tx, entries)
    found = [one for e in entries if (one := _of(e, means.get(e.key))) is not None]
    credited = [e for e in entries if means.get(e.key) is Meaning.CREDIT]
    return (*found, *beside, *_memo(desk, payer, credited, invoices), *_touched(desk, payer, entries))


def left_alone(desk: Desk, entries: Sequence[LedgerEntry], journals: Mapping[str, Money]) -> bool:
    """Somebody changed what we entered of it, and it stays as they left it. `journals`: those found in the books."""
    keys = {entry.key for entry in entries}
    with desk.store.read() as tx:
        changed = any(one.source in keys for one in touched.open_(tx))
    return changed or is_missing(desk, keys, journals)


def _touched(desk: Desk, payer: str, entries: Sequence[LedgerEntry]) -> list[Told]:
    """What people changed of ours in the books."""
    mine = {payer, *(e.key for e in entries), *(lost_key(e) for e in entries)}
    with desk.store.read() as tx:
        found = [one for one in touched.open_(tx) if one.source in mine]
    return [
        Told(kind="touched_in_books", message=one.said, repair=touched.todo(one), about=f"{one.record}:{one.what}")
        for one in found
    ]


def _is_undone(entries: Sequence[LedgerEntry], key: str) -> bool:
    return any(undone(entries, entry) for entry in entries if entry.key == key)


def _of(entry: LedgerEntry, means: Meaning | None) -> Told | None:
    id = entry.key.removeprefix("reversal:")
    if means is Meaning.UNSAID:
        said = f"{entry.amount} was refunded on {entry.on.isoformat()} and is entered nowhere: nobody has said what it is for"
        way = f"connector classify {id} credit, overpayment or cancel-payment"
        return Told(kind="refund_unclassified", message=said, repair=way, unsaid=entry.amount)
    if means is Meaning.DISPUTED:
        said = f"{entry.amount} is disputed ({entry.detail}); its invoice stays paid until the bank has decided"
        way = "answer the dispute in the gateway's dashboard; won or lost is entered by itself"
        return Told(kind="dispute_open", message=said, repair=way, waiting=True)
    return None


def _beside_a_dispute(tx: Connection, entries: Sequence[LedgerEntry]) -> list[Told]:
    """While the bank decides, and for good where more went back than was paid."""
    keys = [entry.key for entry in entries if entry.kind is EntryKind.REVERSAL]
    seen = stages.latest(tx, keys) if keys else {}
    refunds = {key: stage for key, stage in seen.items() if stage.on_open_dispute}
    return [_twice(e) for e in entries if e.key in refunds and _may_be_twice(refunds[e.key], seen.values(), entries)]


def _may_be_twice(refund: Stage, seen: Iterable[Stage], entries: Sequence[LedgerEntry]) -> bool:
    of_it = [entry for entry in entries if entry.payment == refund.payment]
    undecided = any(stage.payment == refund.payment and stage.stage in UNDECIDED for stage in seen)
    return undecided or net(of_it, refund.amount.currency).minor < 0


def _twice(entry: LedgerEntry) -> Told:
    return Told(
        kind="refund_beside_dispute",
        message=f"{entry.amount} was refunded, and the same payment is disputed: the payer may get this money twice",
        repair="answer the dispute in the gateway's dashboard with the refund as evidence",
    )


def _memo(desk: Desk, payer: str, credited: Sequence[LedgerEntry], invoices: Iterable[PsaInvoice]) -> list[Told]:
    """Asked for until it was seen once: applied to something it cannot be seen any more."""
    with desk.store.read() as tx:
        seen = set(settings.get(tx, MEMO_SEEN) or [])
    open_ = [entry for entry in credited if entry.key not in seen]
    if not open_:
        return []
    wanted = total((entry.amount for entry in open_), open_[0].amount.currency)
    there = max(_in_psa(open_, invoices), _in_books(desk, payer, wanted.currency), key=lambda money: money.minor)
    if there >= wanted:
        with desk.store.begin() as tx:
            settings.set(tx, MEMO_SEEN, sorted({*seen, *(entry.key for entry in open_)}), now=desk.now())
        return []
    return [
        Told(
            kind="credit_memo_missing",
            message=f"{wanted} was refunded as a credit, and no credit memo of it is there yet; the invoice stays paid",
            repair=f"create the credit memo in the PSA, or in the books, for the payer; then {SYNC}",
            waiting=True,
        )
    ]


def _in_psa(credited: Sequence[LedgerEntry], invoices: Iterable[PsaInvoice]) -> Money:
    since, currency = min(entry.on for entry in credited), credited[0].amount.currency
    memos = [i for i in invoices if i.kind is PsaInvoiceKind.CREDIT_MEMO and not i.voided and i.total.currency == currency]
    return total((Money(abs(i.total.minor), currency) for i in memos if i.dated >= since), currency)


def _in_books(desk: Desk, payer: str, currency: str) -> Money:
    """Credit of the payer that is applied to nothing yet."""
    customer = look_up(desk, known_payer(desk, payer)) if desk.books is not None else ""
    if desk.books is None or not customer:
        return Money.zero(currency)
    return desk.books.unapplied([customer]).get(customer, Money.zero(currency))
