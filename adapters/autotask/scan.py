"""Reading every contract. Nothing in Autotask tells when a contract or its units changed (psa.md 2B.6), so all of it is read,
by 500, and compared with what was known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from adapters.autotask import translate
from adapters.autotask.client import Client, Record
from adapters.autotask.lines import Problem
from adapters.autotask.translate import BUNDLE, SERVICE, Kind, OnContract, Related
from connector.errors import RetryLater
from connector.mapping.spec import FieldMapping
from connector.model.agreement import Agreement, Unchanged, Unusable

ENDED_KEPT = timedelta(days=90)  # so long after its end a contract may still have a bill to come or to be paid
ASKED_ONE_BY_ONE = 3  # of the contracts that the list no longer shows
TOLD_AGAIN = timedelta(hours=12)  # picklists and currencies hardly ever change
EVERY = {"op": "gte", "field": "id", "value": 0}

_Answer = Agreement | Unchanged | Unusable


@dataclass(kw_only=True, slots=True)
class _Items:
    """What is sold on one contract. `stray`: what it has units of, but does not list."""

    found: list[OnContract] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)

    def check(self) -> None:
        if self.stray:
            what = ", ".join(sorted(set(self.stray)))
            raise Problem("unreadable", f"Autotask shows units of {what} that is not listed on it. Look at its services there.")


@dataclass(kw_only=True)
class ContractReader:
    """`currencies`: company -> the code of the currency that it is billed in."""

    client: Client
    mapping: FieldMapping
    currency: str
    currencies: dict[int, str] = field(default_factory=dict)
    _labels: dict[str, dict[str, str]] = field(default_factory=dict)
    _codes: dict[int, str] = field(default_factory=dict)
    _told: datetime | None = None
    _cost: int = 0  # requests of the last complete read

    def read(self, known: Mapping[str, str], *, now: datetime, today: date) -> list[_Answer]:
        """Complete, or raises."""
        self.client.reserve(self._cost)
        before = self.client.taken
        answers = self._read(known, now=now, today=today)
        self._cost = self.client.taken - before
        return answers

    def _read(self, known: Mapping[str, str], *, now: datetime, today: date) -> list[_Answer]:
        self._ask_what_hardly_changes(now)
        kept = [row for row in self._listed(known).values() if not _is_past(row, today)]
        related = self._related(kept)
        taken: dict[int, Record] = {}
        answers: list[_Answer] = []
        for row in kept:
            record = translate.full_record(row, related)
            try:
                if translate.takes(record, self.mapping):
                    taken[row["id"]] = record
            except Problem as problem:
                answers.append(translate.unusable(record, problem))
        items = self._items(taken, today)
        answers += [self._answer(record, items.get(id, _Items()), related, known, today) for id, record in taken.items()]
        return answers

    def _answer(self, record: Record, items: _Items, related: Related, known: Mapping[str, str], today: date) -> _Answer:
        try:
            items.check()
            found = translate.agreement(record, items.found, related, self.mapping, currency=self.currency, today=today)
        except Problem as problem:
            return translate.unusable(record, problem)
        return Unchanged(ref=found.ref) if known.get(found.ref.id) == found.snapshot else found

    # The lists

    def _listed(self, known: Mapping[str, str]) -> dict[int, Record]:
        """Every contract. A list that is shorter than it should be raises: it must not look like cancelled contracts."""
        listed = {int(row["id"]): row for row in self.client.query("Contracts", EVERY)}
        if len(listed) != (count := self.client.count("Contracts", [EVERY])):
            raise RetryLater(f"Autotask has {count} contracts but listed {len(listed)}; they are read again.", after_s=30)
        missing = sorted(int(id) for id in known if id.isdigit() and int(id) not in listed)
        if len(missing) == len(known) > 1:
            raise RetryLater(
                f"Autotask no longer shows any of the {len(missing)} contracts that it showed before. Check the security level"
                " and the lines of business of the API user: what it may not see is left out without a word. Nothing was changed."
            )
        for id in missing[:ASKED_ONE_BY_ONE]:
            if self.client.get("Contracts", id) is not None:
                raise RetryLater(
                    f"Contract {id} exists in Autotask, but the list of contracts does not show it; it is read again."
                )
        return listed

    def _related(self, contracts: list[Record]) -> Related:
        payers = {translate.payer_id(row) for row in contracts}
        wanted = payers | {int(row["companyID"]) for row in contracts}
        companies = {int(row["id"]): row for row in self.client.among("Companies", "id", wanted)}
        contacts: dict[int, list[Record]] = {}
        for row in self.client.among("Contacts", "companyID", payers):
            contacts.setdefault(int(row["companyID"]), []).append(row)
        self.note_currencies(companies.values())
        return Related(
            companies=companies,
            contacts=contacts,
            currencies=self.currencies,
            labels=self._labels,
            renews=translate.renewals(contracts),
            bill_contacts=_bill_contacts(contracts),
        )

    # Services

    def _items(self, taken: Mapping[int, Record], today: date) -> dict[int, _Items]:
        """By contract, in the order of their ids: services, then bundles."""
        found = {id: _Items() for id in taken}
        bundles = self._items_of(BUNDLE, found, today, inside={})
        services = self._items_of(SERVICE, found, today, inside=self._inside(bundles))
        for item in (*services, *bundles):
            found[int(item.record["contractID"])].found.append(item)
        return found

    def _items_of(
        self, kind: Kind, contracts: Mapping[int, _Items], today: date, *, inside: Mapping[int, set[int]]
    ) -> list[OnContract]:
        sold = {int(row["id"]): row for row in self.client.among(kind.sold, "contractID", contracts.keys())}
        since = {"op": "gte", "field": "endDate", "value": f"{today - translate.LINE_KEPT}T00:00:00Z"}
        with_some = {int(row["contractID"]) for row in sold.values()}
        rows: dict[int, list[Record]] = {}
        for row in self.client.among(kind.units, "contractID", with_some, since):
            if row.get(kind.sold_key) in sold:
                rows.setdefault(row[kind.sold_key], []).append(row)
            elif row.get(kind.product_key) not in inside.get(row["contractID"], ()):
                contracts[row["contractID"]].stray.append(f"{kind.word} {row.get(kind.product_key)}")
        if sold and not rows and self.client.count(kind.units, [EVERY]) == 0:
            raise RetryLater(
                f"Autotask shows {len(sold)} {kind.word}s on contracts, but not a single unit of them. Check whether the security"
                f" level of the API user allows to view {kind.units}. Nothing was changed."
            )
        products = {int(row["id"]): row for row in self.client.among(kind.products, "id", _ids(sold.values(), kind.product_key))}
        return [
            OnContract(
                kind=kind, record=row, product=products.get(int(row.get(kind.product_key) or 0), {}), rows=tuple(rows.get(id, ()))
            )
            for id, row in sorted(sold.items())
        ]

    def _inside(self, bundles: list[OnContract]) -> dict[int, set[int]]:
        """Contract -> the services inside its bundles: those are priced by the bundle, and counted once."""
        ids = _ids((item.record for item in bundles), BUNDLE.product_key)
        members: dict[int, set[int]] = {}
        for row in self.client.among("ServiceBundleServices", "serviceBundleID", ids):
            members.setdefault(int(row["serviceBundleID"]), set()).add(int(row["serviceID"]))
        found: dict[int, set[int]] = {}
        for item in bundles:
            found.setdefault(int(item.record["contractID"]), set()).update(members.get(item.record[BUNDLE.product_key], ()))
        return found

    # What hardly changes

    def _ask_what_hardly_changes(self, now: datetime) -> None:
        if self._told is not None and now - self._told < TOLD_AGAIN:
            return
        contracts, services = self.client.fields("Contracts"), self.client.fields("Services")
        names = ("contractType", "contractCategory", "contractPeriodType", "status")
        self._labels = {name: _picklist(contracts.get(name)) for name in names}
        self._labels["periodType"] = _picklist(services.get("periodType"))
        self._told = now
        self._codes.clear()

    def note_currencies(self, companies: Iterable[Record]) -> None:
        """The currencies of these companies; asked for only where the tenant has more than one."""
        used = {int(row["id"]): row.get("currencyID") for row in companies}
        if any(id not in self._codes for id in used.values() if id is not None):
            self._codes = {int(row["id"]): self._code(row) for row in self.client.query("Currencies", EVERY)}
        for company, id in used.items():
            self.currencies[company] = self._codes.get(id, self.currency) if id is not None else self.currency

    def _code(self, currency: Record) -> str:
        """By its ISO code, where that is its name; the internal one is ours."""
        name = str(currency.get("name") or "").strip().upper()
        if len(name) == 3 and name.isalpha():
            return name
        return self.currency if currency.get("isInternalCurrency") else name or f"currency {currency['id']}"


def _is_past(contract: Record, today: date) -> bool:
    """Dates compare as text; what is no date is kept, and told."""
    return "2000" < str(contract.get("endDate"))[:10] <= (today - ENDED_KEPT).isoformat()


def _ids(rows: Iterable[Record], field: str) -> set[int]:
    return {int(row[field]) for row in rows if row.get(field) is not None}


def _picklist(told: Record | None) -> dict[str, str]:
    values = (told or {}).get("picklistValues") or []
    return {str(value.get("value")): str(value.get("label")) for value in values if isinstance(value, dict)}


def _bill_contacts(contracts: Iterable[Record]) -> dict[int, int]:
    """Of each payer, the contact for bills that its oldest contract names."""
    found: dict[int, int] = {}
    for row in sorted(contracts, key=lambda row: int(row["id"])):
        if row.get("billToCompanyContactID") is not None:
            found.setdefault(translate.payer_id(row), int(row["billToCompanyContactID"]))
    return found
