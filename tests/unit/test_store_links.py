"""Links: one per source while not retired."""

from __future__ import annotations

from typing import Any

import pytest

from connector.errors import OutcomeUnknown, Rejected, RetryLater
from connector.store import Store, links
from connector.store.links import Link, LinkState
from tests.unit.store_databases import NOW, later, processes

pytest_plugins = ("tests.unit.store_fixtures",)


def _intend(store: Store, source: str = "cw:1", **options: Any) -> Link:
    with store.begin() as tx:
        return links.intend(tx, "subscription", source, "stripe", now=NOW, **options)


def _linked(store: Store, source: str = "cw:1", target: str = "sub_1", **options: Any) -> Link:
    link = _intend(store, source, **options)
    with store.begin() as tx:
        return links.linked(tx, link, target=target, now=NOW)


def test_an_intended_link_has_no_target_yet(store: Store) -> None:
    link = _intend(store, detail={"ends": "2026-12-31"})

    assert (link.state, link.target, link.generation, link.attempt, link.sent_at) == (LinkState.INTENDED, "", 1, 0, None)
    assert (link.intended_at, link.detail) == (NOW, {"ends": "2026-12-31"})


def test_intending_twice_answers_the_first_intent(store: Store) -> None:
    first = _intend(store)

    assert _intend(store, generation=2, detail={"other": True}) == first


def test_a_link_is_found_by_source_and_by_target(store: Store) -> None:
    link = _linked(store)
    _linked(store, "cw:2", "sub_2")

    with store.read() as tx:
        assert links.find(tx, "subscription", "cw:1", "stripe") == link
        assert links.by_target(tx, "subscription", "stripe", "sub_1") == link
        assert links.find(tx, "customer", "cw:1", "stripe") is None
        assert sorted(links.every(tx, "subscription", "stripe")) == ["cw:1", "cw:2"]


def test_a_retired_link_makes_room_for_the_next_generation(store: Store) -> None:
    old = _linked(store)
    with store.begin() as tx:
        links.retire(tx, old, now=later(1))
    new = _linked(store, target="sub_2", generation=2)

    with store.read() as tx:
        assert links.find(tx, "subscription", "cw:1", "stripe") == new
        assert links.by_target(tx, "subscription", "stripe", "sub_1") is None
        assert links.latest_generation(tx, "subscription", "cw:1", "stripe") == 2


def test_the_latest_generation_counts_what_was_made_and_not_what_was_only_intended(store: Store) -> None:
    with store.read() as tx:
        assert links.latest_generation(tx, "subscription", "cw:1", "stripe") == 0
    link = _linked(store, generation=3)
    with store.begin() as tx:
        links.retire(tx, link, now=NOW)
    _intend(store, generation=4)

    with store.read() as tx:
        assert links.latest_generation(tx, "subscription", "cw:1", "stripe") == 3


def test_a_link_whose_outcome_is_unknown_cannot_be_retired(store: Store) -> None:
    link = _intend(store)
    with store.begin() as tx:
        sent = links.sending(tx, link, now=NOW, attempt=1)

    with pytest.raises(OutcomeUnknown, match="subscription of cw:1"), store.begin() as tx:
        links.retire(tx, sent, now=NOW)


def test_two_processes_cannot_both_note_the_first_send(store: Store) -> None:
    link = _intend(store)
    with store.begin() as tx:
        links.sending(tx, link, now=NOW, attempt=1)

    with pytest.raises(RetryLater, match="another process"), store.begin() as tx:
        links.sending(tx, link, now=NOW, attempt=1)


def test_a_second_target_never_overwrites_the_first(store: Store) -> None:
    link = _intend(store)
    for_one, for_other = (_sending(store, link, 1), link)
    with store.begin() as tx:
        links.linked(tx, for_other, target="sub_1", now=NOW)

    with pytest.raises(Rejected, match="two records of it, sub_1 and sub_2"), store.begin() as tx:
        links.linked(tx, for_one, target="sub_2", now=NOW)


def test_a_converging_write_may_be_sent_again_and_change_its_target(store: Store) -> None:
    link = _linked(store)
    sent = _sending(store, link, 7)
    with store.begin() as tx:
        again = links.linked(tx, sent, target="sub_1,sub_2", now=NOW)

    assert (sent.state, again.target, again.attempt) == (LinkState.LINKED, "sub_1,sub_2", 7)
    with pytest.raises(RetryLater), store.begin() as tx:
        links.sending(tx, link, now=later(1), attempt=8)


def _sending(store: Store, link: Link, attempt: int) -> Link:
    with store.begin() as tx:
        return links.sending(tx, link, now=NOW, attempt=attempt)


def test_linking_the_same_target_again_is_no_news(store: Store) -> None:
    link = _linked(store)

    with store.begin() as tx:
        assert links.linked(tx, link, target="sub_1", now=later(1)).target == "sub_1"


def test_what_was_applied_is_noted_and_the_rest_of_the_detail_stays(store: Store) -> None:
    link = _linked(store, detail={"ends": "", "slot": 2})

    with store.begin() as tx:
        applied = links.applied(tx, link, fingerprint="f1", detail={"ends": "2026-12-31"}, now=later(1))

    assert (applied.fingerprint, applied.detail) == ("f1", {"ends": "2026-12-31", "slot": 2})


def test_a_link_moves_to_a_source_that_has_none(store: Store) -> None:
    link = _linked(store)
    other = _linked(store, "cw:2", "sub_2")

    with store.begin() as tx:
        assert links.move(tx, link, source="cw:3", now=NOW).source == "cw:3"
    with pytest.raises(Rejected, match="linked in stripe already"), store.begin() as tx:
        links.move(tx, other, source="cw:3", now=NOW)


def test_processes_that_intend_at_once_share_one_link(address: str) -> None:
    outputs = processes(4, _INTEND, address)

    assert len(set(outputs)) == 1
    assert len(outputs[0].split()) == 20


_INTEND = """
    import sys
    from datetime import UTC, datetime
    from connector.store import Store, links
    store = Store(sys.argv[1])
    for number in range(20):
        with store.begin() as tx:
            now = datetime(2026, 3, 1, tzinfo=UTC)
            print(links.intend(tx, "customer", f"cw:{number}", "stripe", now=now).id, end=" ")
"""
