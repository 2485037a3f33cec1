"""Objects of one kind, in the shape they are answered in, with what lists need to find them quickly."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.sandbox.stripe.errors import no_such

Body = dict[str, Any]


def _field(name: str) -> Callable[[Body], Hashable]:
    return lambda body: body.get(name)


def _invoice_subscription(body: Body) -> Hashable:
    parent = body["parent"]
    return parent["subscription_details"]["subscription"] if parent else None


def _paying_intent(body: Body) -> Hashable:
    return body["payment"].get("payment_intent")  # type: ignore[no-any-return]


INDEXES: Mapping[str, Mapping[str, Callable[[Body], Hashable]]] = {
    "customer": {"email": _field("email")},
    "subscription": {"customer": _field("customer"), "status": _field("status")},
    "subscription_item": {"subscription": _field("subscription")},
    "invoice": {"customer": _field("customer"), "status": _field("status"), "subscription": _invoice_subscription},
    "invoiceitem": {"customer": _field("customer"), "invoice": _field("invoice")},
    "invoice_payment": {"invoice": _field("invoice"), "payment_intent": _paying_intent},
    "payment_intent": {"customer": _field("customer")},
    "charge": {"customer": _field("customer"), "payment_intent": _field("payment_intent")},
    "payment_method": {"customer": _field("customer")},
    "setup_intent": {"customer": _field("customer"), "payment_method": _field("payment_method")},
    "checkout.session": {"customer": _field("customer"), "status": _field("status")},
    "refund": {"charge": _field("charge"), "payment_intent": _field("payment_intent")},
    "mandate": {"payment_method": _field("payment_method")},
    "dispute": {"charge": _field("charge"), "payment_intent": _field("payment_intent")},
    "credit_note": {"invoice": _field("invoice"), "customer": _field("customer")},
    "balance_transaction": {"source": _field("source"), "type": _field("type")},
    "payout": {"status": _field("status")},
    "price": {"product": _field("product")},
}


@dataclass(frozen=True, kw_only=True)
class Page:
    limit: int = 10
    created: Mapping[str, int] = field(default_factory=dict)
    after: str = ""
    before: str = ""


class Table:
    """Objects of one kind in the order they were made; lists walk it newest first."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._order: list[Body | None] = []
        self._created: list[int] = []
        self._seq: dict[str, int] = {}
        self._readers = INDEXES.get(kind, {})
        self._index: dict[tuple[str, Hashable], set[int]] = {}
        self._filed: dict[int, list[tuple[str, Hashable]]] = {}

    def __iter__(self) -> Iterator[Body]:
        return (body for body in self._order if body is not None)

    def __len__(self) -> int:
        return len(self._seq)

    def add(self, body: Body, created: int) -> None:
        self._seq[body["id"]] = len(self._order)
        self._order.append(body)
        self._created.append(created)
        self.file(body)

    def get(self, id: str) -> Body | None:
        seq = self._seq.get(id)
        return None if seq is None else self._order[seq]

    def remove(self, id: str) -> None:
        seq = self._seq.pop(id)
        self._order[seq] = None
        for key in self._filed.pop(seq, []):
            self._index[key].discard(seq)

    def file(self, body: Body) -> None:
        """Bring the indices up to date with what the object says now."""
        seq = self._seq[body["id"]]
        keys: list[tuple[str, Hashable]] = [(name, read(body)) for name, read in self._readers.items()]
        if keys == (filed := self._filed.get(seq)):
            return
        for key in filed or ():
            self._index[key].discard(seq)
        for key in keys:
            self._index.setdefault(key, set()).add(seq)
        self._filed[seq] = keys

    def where(self, **wanted: Hashable) -> list[Body]:
        """Those with all of these indexed values, oldest first."""
        return [body for seq in self._matching(wanted) if (body := self._order[seq]) is not None]

    def page(self, page: Page, wanted: Mapping[str, Hashable], keep: Callable[[Body], bool]) -> tuple[list[Body], bool]:
        """Newest first; with `before` the page that lies next to that object. And whether there are more beyond it."""
        low, high = self._window(page)
        inside = range(low, high)
        seqs: Sequence[int] = [seq for seq in self._matching(wanted) if seq in inside] if wanted else inside
        towards_newer = bool(page.before)
        found: list[Body] = []
        for seq in seqs if towards_newer else reversed(seqs):
            body = self._order[seq]
            if body is not None and keep(body):
                found.append(body)
                if len(found) > page.limit:
                    break
        chosen = found[: page.limit]
        return (chosen[::-1] if towards_newer else chosen), len(found) > page.limit

    def _matching(self, wanted: Mapping[str, Hashable]) -> list[int]:
        if not wanted:
            return list(range(len(self._order)))
        sets = sorted((self._index.get(key, set()) for key in wanted.items()), key=len)
        return sorted(sets[0].intersection(*sets[1:]))

    def _window(self, page: Page) -> tuple[int, int]:
        low, high = 0, len(self._order)
        for bound, at in page.created.items():
            if bound in ("gt", "gte"):
                low = max(low, bisect_left(self._created, at + (bound == "gt")))
            else:
                high = min(high, bisect_left(self._created, at + (bound == "lte")))
        if page.after:
            high = min(high, self._position(page.after, "starting_after"))
        if page.before:
            low = max(low, self._position(page.before, "ending_before") + 1)
        return low, max(low, high)

    def _position(self, id: str, param: str) -> int:
        if id not in self._seq:
            raise no_such(self.kind, id, param=param)
        return self._seq[id]
