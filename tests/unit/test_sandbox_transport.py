"""The sandbox without a network answers and fails as it does over real connections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from requests.adapters import BaseAdapter

from adapters.http import Http, Limits, LocalBudget
from adapters.sandbox.faults import Fault
from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox
from adapters.sandbox.transport import NOWHERE, InProcess
from adapters.sandbox.world import World
from connector.agent import opened, sync_once
from connector.config.load import load_config
from connector.errors import OutcomeUnknown, RetryLater
from connector.testing.doubles import WorldClock
from tests.e2e.msp import write_config

ADDRESS = "/v4_6_release/apis/3.0/system/info"


@pytest.fixture(params=["a network", "the same process"])
def ways(request: pytest.FixtureRequest) -> Iterator[tuple[World, str, BaseAdapter | None]]:
    world = build_world(seed=1, agreements=0, lines=1)
    if request.param == "the same process":
        yield world, NOWHERE, InProcess(world)
        return
    with Sandbox(world) as sandbox:
        yield world, sandbox.url, None


def partner(world: World, url: str, transport: BaseAdapter | None) -> Http:
    clock = WorldClock(world)
    return Http(
        "connectwise",
        f"{url}/connectwise",
        budget=LocalBudget({}, clock),
        clock=clock,
        read_timeout_s=0.2,
        limits=Limits(attempts=1),
        transport=transport,
    )


def test_an_answer_is_the_partners_own(ways: tuple[World, str, BaseAdapter | None]) -> None:
    world, url, transport = ways
    http = partner(world, url, transport)
    reply = http.send("GET", ADDRESS, idempotent=True)
    http.close()

    assert (reply.status, reply.headers["content-type"]) == (404, "application/json")
    assert [(row["partner"], row["path"]) for row in world.requests] == [("connectwise", ADDRESS)]


@pytest.mark.parametrize("kind", ["reset", "no_connection", "timeout", "reply_lost", "timeout_after_effect", "half_reply"])
def test_a_write_that_meets_silence_is_of_unknown_outcome(ways: tuple[World, str, BaseAdapter | None], kind: str) -> None:
    world, url, transport = ways
    world.faults.add(Fault(kind=kind, partner="connectwise"))
    http = partner(world, url, transport)

    with pytest.raises(RetryLater if (kind, url) == ("no_connection", NOWHERE) else OutcomeUnknown):
        http.send("POST", ADDRESS, json={}, idempotent=False)
    http.close()
    assert [row["fault"] for row in world.requests] == [kind]


def test_the_whole_agent_works_without_a_network(tmp_path: Path) -> None:
    world = build_world(seed=1, agreements=2, lines=2)
    config = load_config(write_config(tmp_path, NOWHERE))
    with opened(config, clock=WorldClock(world), transport=InProcess(world)) as agent:
        report = sync_once(agent)

    assert not [part for part in report.values() if isinstance(part, dict) and part.get("error")]
    assert {row["partner"] for row in world.requests} == {"connectwise", "stripe", "quickbooks"}
