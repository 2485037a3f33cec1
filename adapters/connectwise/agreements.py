"""Reading every agreement at the cost of what changed: some lists, and the additions of those that moved or whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from adapters.connectwise import translate
from adapters.connectwise.client import Client, Record
from adapters.connectwise.snapshots import Snapshot, header_hash, hour_of, lines_hash, recap_hash, still_holds
from adapters.connectwise.translate import Problem, Related
from connector.errors import RetryLater
from connector.mapping.spec import FieldMapping
from connector.model.agreement import Agreement, Unchanged, Unusable

ENDED_KEPT = timedelta(days=90)  # so long after its end an agreement may still have a bill to come or to be paid
ASKED_ONE_BY_ONE = 3  # of the agreements that a list no longer shows

_Answer = Agreement | Unchanged | Unusable


@dataclass(frozen=True, kw_only=True, slots=True)
class _Heads:
    """Everything but the lines. `records` are the taken agreements as the mapping sees them."""

    agreements: Mapping[str, Agreement]
    records: Mapping[str, Record]
    unusable: list[Unusable]


@dataclass(kw_only=True)
class AgreementReader:
    """`cycles` are kept between reads; `_done` keeps the additions of a read that broke off, so that the next goes on there."""

    client: Client
    mapping: FieldMapping
    currency: str
    salt: str
    _cycles: dict[int, Record] = field(default_factory=dict)
    _done: dict[str, tuple[str, list[Record]]] = field(default_factory=dict)

    def read(self, known: Mapping[str, str], *, now: datetime, today: date) -> list[_Answer]:
        """Complete, or raises."""
        listed = self._listed(known)
        recaps = {int(recap["id"]): recap for recap in self.client.list("/finance/agreementrecap")}
        heads = self._heads(listed, today)
        results = [self._with_lines(id, heads, recaps, known.get(id), now=now, today=today) for id in heads.agreements]
        self._done.clear()
        return _bundles_hold_together([*results, *heads.unusable], heads)

    # The lists

    def _listed(self, known: Mapping[str, str]) -> dict[int, Record]:
        """Every agreement. A list that is shorter than it should be raises: it must not look like cancelled agreements."""
        listed = {int(row["id"]): row for row in self.client.list("/finance/agreements")}
        if len(listed) != (count := self.client.count("/finance/agreements")):
            raise RetryLater(f"ConnectWise has {count} agreements but listed {len(listed)}; they are read again.", after_s=30)
        missing = sorted(int(id) for id in known if id.isdigit() and int(id) not in listed)
        for id in missing[:ASKED_ONE_BY_ONE]:
            if self.client.get(f"/finance/agreements/{id}") is not None:
                raise RetryLater(
                    f"Agreement {id} exists in ConnectWise, but the list of agreements does not show it. Check whether the API"
                    " member's security role still allows Inquire (All) on Finance > Agreements. Nothing was changed."
                )
        return listed

    def _heads(self, listed: Mapping[int, Record], today: date) -> _Heads:
        related = Related(agreements=listed, companies=self._payers(listed.values()), cycles=self._cycles_of(listed.values()))
        agreements: dict[str, Agreement] = {}
        records: dict[str, Record] = {}
        unusable: list[Unusable] = []
        for id, row in listed.items():
            record = translate.full_record(row, related)
            try:
                if not translate.takes(record, self.mapping):
                    continue
                agreement = translate.header(record, self.mapping, self.currency)
            except Problem as problem:
                unusable.append(translate.unusable(record, problem))
                records[str(id)] = record
                continue
            if agreement.ends is None or agreement.ends > today - ENDED_KEPT:
                agreements[agreement.ref.id], records[agreement.ref.id] = agreement, record
        return _Heads(agreements=_grouped(agreements, records), records=records, unusable=unusable)

    def _payers(self, rows: Iterable[Record]) -> dict[int, Record]:
        wanted = {translate.reference_id(row, "billToCompany") for row in rows} - {0}
        return {int(row["id"]): row for row in self.client.among("/company/companies", "id", wanted)}

    def _cycles_of(self, rows: Iterable[Record]) -> Mapping[int, Record]:
        wanted = {translate.reference_id(row, "billingCycle") for row in rows} - {0}
        if wanted - self._cycles.keys():
            self._cycles = {int(row["id"]): row for row in self.client.list("/finance/billingCycles")}
        return self._cycles

    # The lines

    def _with_lines(
        self, id: str, heads: _Heads, recaps: Mapping[int, Record], known: str | None, *, now: datetime, today: date
    ) -> _Answer:
        agreement, record = heads.agreements[id], heads.records[id]
        header, recap, hour = header_hash(agreement, record, self.salt), recap_hash(recaps.get(int(id))), hour_of(now)
        before = Snapshot.parse(known) if known else None
        if still_holds(before, header=header, recap=recap, id=int(id), hour=hour):
            return Unchanged(ref=agreement.ref)
        additions = self._additions(id, f"{header}.{recap}")
        try:
            lines = translate.lines(agreement, record, additions, self.mapping, today)
        except Problem as problem:
            return translate.unusable(record, problem)
        snapshot = Snapshot(header=header, recap=recap, lines=lines_hash(lines), read_hour=hour)
        return replace(agreement, lines=lines, snapshot=str(snapshot))

    def _additions(self, id: str, mark: str) -> list[Record]:
        if self._done.get(id, ("", []))[0] != mark:
            self._done[id] = (mark, list(self.client.list(f"/finance/agreements/{id}/additions")))
        return self._done[id][1]


def _grouped(agreements: Mapping[str, Agreement], records: Mapping[str, Record]) -> dict[str, Agreement]:
    """A parent that is in the filter but cannot be used still holds its children: `records` has it too."""
    parents = {id: str(translate.reference_id(record, "parentAgreement")) for id, record in records.items()}
    return {id: translate.bundled(agreement, parents, records.keys()) for id, agreement in agreements.items()}


def _bundles_hold_together(results: Sequence[_Answer], heads: _Heads) -> list[_Answer]:
    """A bundle is one bill: where its parent cannot be used, neither can its children."""
    broken = {item.ref.id for item in results if isinstance(item, Unusable)}
    return [_with_bundles_fate(item, broken, heads) for item in results]


def _with_bundles_fate(item: _Answer, broken: set[str], heads: _Heads) -> _Answer:
    if isinstance(item, Unusable) or (root := heads.agreements[item.ref.id].group) not in broken:
        return item
    text = f"its parent, agreement {root}, cannot be mirrored, and they share one bill. Put the parent right first."
    return translate.unusable(heads.records[item.ref.id], Problem("parent_unusable", text))
