"""The crash matrix kills at whatever its stories write: together they have to have every write that there is."""

from __future__ import annotations

import inspect
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests

from adapters.sandbox.seed import build_world
from adapters.sandbox.transport import NOWHERE, InProcess
from adapters.sandbox.world import World
from connector import flows, ports
from connector.agent import opened, sync_once, writing
from connector.config.load import load_config
from connector.ports import READS
from connector.testing.doubles import WorldClock
from tests.crash.matrix import People, Story
from tests.crash.points import call
from tests.crash.stories import STORIES
from tests.e2e.msp import write_config

PARTNERS = {"connectwise": ports.Psa, "autotask": ports.Psa, "stripe": ports.Gateway, "quickbooks": ports.Books}
WRITTEN_BY_NOBODY = {"quickbooks unbook"}  # offered by the port, and used by no flow


class Heard(InProcess):
    """Notes which method of a port makes each request that is no read."""

    def __init__(self, world: World, calls: set[str]) -> None:
        super().__init__(world)
        self._calls = calls

    def send(self, request: requests.PreparedRequest, *given: Any, **how: Any) -> requests.Response:
        path = request.path_url.partition("?")[0]
        if request.method != "GET" and "/query" not in path:
            self._calls.add(call(path))
        return super().send(request, *given, **how)


def lived(story: Story, folder: Path) -> set[str]:
    """Which methods of the ports wrote in it."""
    folder.mkdir()
    world, calls = build_world(agreements=0, psa=story.kind), set[str]()
    config = write_config(folder, NOWHERE, kind=story.kind, **story.config)
    people, heard, agent = People(world=world, folder=folder), Heard(world, calls), None
    with ExitStack() as running:
        for stage in story.stages:
            if story.replaces_store:
                running.close()
            stage.people(people)
            if agent is None or story.replaces_store:
                agent = running.enter_context(opened(load_config(config), clock=WorldClock(world), transport=heard))
                running.enter_context(writing(agent, who="stories"))
            stage.agent(agent)
            report = sync_once(agent)

            assert not [part for part in report.values() if isinstance(part, dict) and part.get("error")], stage.name
    return calls


def test_every_write_of_the_ports_is_in_a_story_of_the_crash_matrix(tmp_path: Path) -> None:
    """Ends as soon as all were heard, which spares the longest story."""
    missing = {
        f"{partner} {name}"
        for partner, port in PARTNERS.items()
        for name, _ in inspect.getmembers(port)
        if not name.startswith("_") and name not in READS
    }
    for story in reversed(STORIES):
        if missing - WRITTEN_BY_NOBODY:
            missing -= lived(story, tmp_path / story.name)

    assert missing == WRITTEN_BY_NOBODY


def test_what_no_story_writes_is_used_by_no_flow() -> None:
    text = "".join(path.read_text() for path in Path(flows.__file__).parent.glob("*.py"))

    assert [name for name in WRITTEN_BY_NOBODY if f".{name.partition(' ')[2]}(" in text] == []
