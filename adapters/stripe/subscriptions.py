"""Subscriptions and the products they name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from adapters.stripe import forms, translate, wire
from adapters.stripe.account import Account
from adapters.stripe.client import PAGE_SIZE, Body
from adapters.stripe.translate import OWNER
from connector.errors import Rejected
from connector.model.subscription import Arm, Cancel, Change, Create, Item, LiveSubscription, TakeOver, Update
from connector.ports import WriteKey

ENDED = frozenset({"canceled", "incomplete_expired"})


class Subscriptions:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._api = account.api
        self._products = Products(account)

    def all(self) -> Iterator[LiveSubscription]:
        """Read to the end before the first is given, so that no half of the book looks like all of it."""
        ours = [found for found in self._list({}) if found.status not in ENDED]
        products = {item.price.product for found in ours for item in found.items.data}
        names = {id: product.name for id, product in self._products.read(products).items()}
        return iter([translate.live(found, names) for found in ours])

    def find(self, key: WriteKey, *, customer: str) -> str | None:
        """Of every status: one that was made and has ended since was made nevertheless."""
        found = self._list({"customer": customer, "status": "all"})
        return next((one.id for one in found if one.metadata.get("write_key") == key.value), None)

    def apply(self, change: Change, key: WriteKey) -> str:
        match change:
            case Create():
                return self._create(change, key)
            case Arm():
                return self._write(change.id, forms.arm(change), key, "arm")
            case Update():
                return self._update(change, key)
            case Cancel():
                return self._cancel(change, key)
            case TakeOver():
                return self._take_over(change, key)

    def _create(self, change: Create, key: WriteKey) -> str:
        form = forms.create(
            change,
            instance=self._account.instance,
            key=key,
            now=self._account.now,
            days_until_due=self._account.settings.days_until_due,
        )
        self._products.ensure(translate.canonical(change.new).items)
        what = f"create the subscription of {change.new.description or change.new.unit}"
        # The parameters are not in the key: whatever has changed meanwhile, this fact is made true once.
        body = self._api.write(what, self._api.v1.subscriptions.create, form, key=forms.idempotency_key(key))
        return str(body["id"])

    def _update(self, change: Update, key: WriteKey) -> str:
        if change.new.ends is not None and change.new.ends <= self._account.now.date():
            return self._cancel(Cancel(old=change.old, on=change.new.ends, reason="the agreement has ended"), key)
        found = self._current(change.old.id)
        days = self._account.settings.days_until_due
        form = forms.update(found, change.new, instance=self._account.instance, days_until_due=days)
        self._products.ensure(translate.canonical(change.new).items)
        return self._write(found.id, form, key, "update")

    def _take_over(self, change: TakeOver, key: WriteKey) -> str:
        """One write, so that at no moment it is ours and still charges by itself. Ours already: as it is."""
        body = self._api.read(f"read subscription {change.id}", self._api.v1.subscriptions.retrieve, change.id)
        found = self._complete(body)
        if self._account.owns(found.metadata) and found.metadata.get("unit") == change.new.unit:
            return found.id
        if OWNER in found.metadata or found.status in ENDED or found.customer != change.customer:
            raise Rejected(
                f"Subscription {change.id} can no longer be taken over: it has ended, or belongs to somebody else.",
                code="not_ours",
            )
        days = self._account.settings.days_until_due
        form = forms.take_over(found, change, instance=self._account.instance, key=key, days_until_due=days)
        self._products.ensure(translate.canonical(change.new).items)
        return self._write(found.id, form, key, "take over")

    def _cancel(self, change: Cancel, key: WriteKey) -> str:
        found = self._current(change.old.id, ended_too=True)
        if found.status in ENDED:
            return found.id
        if change.on <= self._account.now.date():
            return self._cancel_now(found.id, change.reason)
        return self._write(found.id, forms.cancel_later(found, change.on, change.reason), key, "end")

    def _cancel_now(self, id: str, reason: str) -> str:
        try:
            self._api.write(f"end subscription {id}", self._api.v1.subscriptions.cancel, id, forms.cancel_now(reason))
        except Rejected:
            if self._current(id, ended_too=True).status not in ENDED:
                raise
        return id

    def _write(self, id: str, form: forms.Form, key: WriteKey, verb: str) -> str:
        if form:
            once = forms.idempotency_key(key, id, form)
            self._api.write(f"{verb} subscription {id}", self._api.v1.subscriptions.update, id, form, key=once)
        return id

    def _current(self, id: str, *, ended_too: bool = False) -> wire.Subscription:
        body = self._api.read(f"read subscription {id}", self._api.v1.subscriptions.retrieve, id)
        found = self._complete(body)
        if not self._account.owns(found.metadata):
            raise Rejected(f"Subscription {id} does not carry our marker, so it is not changed.", code="not_ours")
        if found.status in ENDED and not ended_too:
            raise Rejected(f"Subscription {id} has ended in Stripe and cannot be changed any more.", code="ended")
        return found

    def _list(self, params: Body) -> list[wire.Subscription]:
        bodies = self._api.pages("list subscriptions", self._api.v1.subscriptions.list, params)
        return [self._complete(body) for body in bodies if self._account.owns(body.get("metadata") or {})]

    def _complete(self, body: Body) -> wire.Subscription:
        """With every item: Stripe embeds the first few only."""
        if body["items"]["has_more"]:
            what = f"list the items of subscription {body['id']}"
            items = self._api.pages(what, self._api.v1.subscription_items.list, {"subscription": body["id"]})
            body = {**body, "items": {"data": list(items)}}
        return wire.Subscription.model_validate(body)


class Products:
    """Products have ids that we choose, so making one twice is refused. What was seen as wanted is not asked for again."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._api = account.api
        self._right: set[str] = set()

    def read(self, ids: Collection[str]) -> dict[str, wire.Product]:
        """By id, fresh; deleted ones are missing."""
        found: dict[str, wire.Product] = {}
        ordered = sorted(ids)
        for start in range(0, len(ordered), PAGE_SIZE):
            params = {"ids": ordered[start : start + PAGE_SIZE]}
            for body in self._api.pages("list products", self._api.v1.products.list, params):
                found[body["id"]] = wire.Product.model_validate(body)
        self._right -= {id for id in ids if id in self._right}
        return found

    def ensure(self, items: Sequence[Item]) -> None:
        wanted = {translate.product_id(self._account.instance, item): item for item in items}
        unsure = wanted.keys() - self._right
        if not unsure:
            return
        found = self.read(unsure)
        for id in sorted(unsure):
            self._converge(id, wanted[id], found.get(id))
        self._right |= unsure

    def _converge(self, id: str, item: Item, found: wire.Product | None) -> None:
        if found is None:
            self._create(id, item)
        elif found.name != item.name or not found.active:
            form = {"name": item.name, "active": True}
            self._api.write(f"rename product {id}", self._api.v1.products.update, id, form)

    def _create(self, id: str, item: Item) -> None:
        form = {"id": id, "name": item.name, "metadata": {OWNER: self._account.instance, "product": item.product}}
        try:
            self._api.write(f"create product {item.name}", self._api.v1.products.create, form)
        except Rejected as error:
            if error.code != "resource_already_exists":
                raise
