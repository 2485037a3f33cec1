"""The PSA's contract on our Autotask adapter, over real HTTP against the sandbox; and what is Autotask's alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.autotask import ADAPTER, Autotask, AutotaskSettings
from adapters.sandbox.autotask import Autotask as Partner
from adapters.sandbox.autotask_office import AutotaskOffice
from adapters.sandbox.server import Sandbox
from adapters.sandbox.world import World
from connector.config.secret import Secret
from connector.errors import Rejected, RetryLater, Unauthorized
from connector.mapping import load_mapping
from connector.model.agreement import Agreement, AgreementRef, Payer, Unchanged, Unusable
from connector.model.invoice import PaidState, PsaInvoice, PsaInvoiceKind
from connector.model.money import Money
from connector.model.period import Cycle
from connector.ports import Capability, Psa
from connector.testing.doubles import WorldClock, context
from connector.testing.psa import START, PsaContract, PsaRig
from tests.contract.autotask_rig import Build, SandboxRig, is_write

SHIPPED = Path(__file__).resolve().parents[2] / "mappings" / "autotask.yaml"


class Sleeps:
    """Instead of sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def world() -> World:
    world = World()
    world.add(Partner(world))
    office = AutotaskOffice(world)
    office.automatic = False
    world.add(office)
    return world


@pytest.fixture
def server(world: World) -> Iterator[Sandbox]:
    with Sandbox(world) as sandbox:
        yield sandbox


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
def build(world: World, server: Sandbox, tmp_path: Path, sleeps: Sleeps) -> Iterator[Build]:
    made: list[Autotask] = []

    def written(name: str, text: str) -> Secret:
        file = tmp_path / name
        file.write_text(text)
        return Secret(file=file)

    def built(*, secret: str = "sandbox-secret", mapping: Path = SHIPPED, **settings: Any) -> Autotask:
        code = settings.pop("integration_code", "SANDBOXCODE")
        given = AutotaskSettings(
            **{
                "base_url": f"{server.url}/autotask",
                "user_name": "api@sandbox.example",
                "secret": written(f"secret-{secret}", secret),
                "integration_code": written(f"code-{code}", code),
                **settings,
            }
        )
        assert ADAPTER.mapping is not None
        rules = load_mapping(mapping, ADAPTER.mapping)
        made.append(Autotask(given, context(instance="msp", clock=WorldClock(world), mapping=rules, sleep=sleeps)))
        return made[-1]

    yield built
    for adapter in made:
        adapter.close()


@pytest.fixture
def rig(world: World, build: Build) -> SandboxRig:
    partner, office = world.partners["autotask"], world.partners["office"]
    assert isinstance(partner, Partner)
    assert isinstance(office, AutotaskOffice)
    return SandboxRig(world, partner, office, build)


@pytest.fixture
def psa(build: Build) -> Autotask:
    return build()


class TestAutotask(PsaContract):
    ALWAYS_ENDS = True
    READS_EVERYTHING = True

    @pytest.fixture
    def rig(self, rig: SandboxRig) -> PsaRig:
        return rig

    @pytest.fixture
    def psa(self, psa: Autotask) -> Psa:
        return psa
