"""The agent as a process of its own: started, asked, stopped, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters.sandbox.faults import Fault
from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox
from adapters.sandbox.world import World
from tests.e2e.msp import settings, write_config
from tests.fault_proxy import fault_proxy

TIMEOUT_S = 40.0
FAST = {"mirror_s": 1, "release_s": 1, "collect_s": 1, "deliver_s": 1, "reconcile_s": 3600}


@pytest.fixture
def world() -> World:
    return build_world(agreements=8, lines=3)


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world) as served:
        yield served


@pytest.fixture
def config(sandbox: Sandbox, tmp_path: Path) -> Path:
    return write_config(tmp_path, sandbox.url, schedule=FAST, serve={"port": 0})


def connector(*arguments: object, config: Path | None = None) -> subprocess.CompletedProcess[str]:
    where = ["--config", str(config)] if config else []
    command = [sys.executable, "-m", "connector.cli", *map(str, arguments), *where]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


@contextmanager
def running(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        command = [sys.executable, "-m", "connector.cli", "run", "--config", str(config)]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def address(log: Path) -> str:
    """Where the agent serves its health: it says so in its log."""

    def said() -> str:
        lines = [line for line in log.read_text().splitlines() if '"status": "http' in line]
        return str(json.loads(lines[-1])["status"]) if lines else ""

    return wait_for(said, "the agent to say where it serves")


def wait_for(question: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + TIMEOUT_S
    while not (answer := question()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return answer


def rounds(url: str) -> int:
    return int(requests.get(f"{url}/readyz", timeout=5).json()["rounds"])


def test_it_answers_health_and_stops_when_told(config: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(config, log) as process:
        url = address(log)
        wait_for(lambda: rounds(url) >= 1, "the first round")
        live, health = requests.get(f"{url}/livez", timeout=5), requests.get(f"{url}/healthz", timeout=5).json()
        metrics = requests.get(f"{url}/metrics", timeout=5).text
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        code = process.wait(timeout=10)

    assert live.ok
    assert set(health["connections"]) >= {"connectwise", "stripe", "quickbooks", "mirror"}
    assert health["status"] == "ok"
    assert "psa_connector_last_success_timestamp_seconds" in metrics
    assert code == 0
    assert time.monotonic() - started < 5


def test_it_stops_within_the_time_of_one_request_while_a_partner_is_throttling(
    world: World, config: Path, tmp_path: Path
) -> None:
    world.faults.add(Fault(kind="429", partner="connectwise", count=10_000, retry_after_s=5))
    log = tmp_path / "log"
    with running(config, log) as process:
        address(log)
        wait_for(partial(_requests_reach, world, 1), "the agent to be told to wait")
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=20)

    assert code == 0
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("fault", ["black_hole", "drip"])
def test_it_answers_and_stops_while_a_partner_does_not_end_its_answer(sandbox: Sandbox, tmp_path: Path, fault: str) -> None:
    log = tmp_path / "log"
    with fault_proxy(sandbox.url) as proxy:
        proxy.always(fault)
        psa = settings(tmp_path, proxy.url)["psa"]
        config = write_config(tmp_path, sandbox.url, schedule=FAST, serve={"port": 0}, psa=psa)
        with running(config, log) as process:
            url = address(log)
            wait_for(lambda: proxy.met.get(fault), "the agent to wait for an answer")
            live, health = requests.get(f"{url}/livez", timeout=5), requests.get(f"{url}/healthz", timeout=5)
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=20)

    assert live.ok
    assert health.json()["status"] in ("ok", "degraded")
    assert code == 0
    assert time.monotonic() - started < 8


def test_killed_and_started_again_it_makes_nothing_twice(world: World, config: Path, tmp_path: Path) -> None:
    for number, requests_until_death in enumerate((25, 40, 60)):
        seen = len(world.requests)
        with running(config, tmp_path / f"log{number}") as process:
            wait_for(partial(_requests_reach, world, seen + requests_until_death), "the agent to be in the middle of its work")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    log = tmp_path / "log"
    with running(config, log):
        url = address(log)
        wait_for(lambda: requests.get(f"{url}/livez", timeout=5).ok and _has_rounds(url), "a round after the kills")
        state = world.partners["stripe"].state()

    owners = [s["metadata"]["unit"] for s in state["subscription"] if s["status"] != "canceled"]
    payers = [c["metadata"]["payer"] for c in state["customer"]]
    assert owners
    assert len(owners) == len(set(owners))
    assert len(payers) == len(set(payers))


def _requests_reach(world: World, number: int) -> bool:
    return len(world.requests) >= number


def _has_rounds(url: str) -> bool:
    return rounds(url) >= 2


def test_a_command_that_writes_gives_way_to_the_running_agent(config: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(config, log):
        url = address(log)
        wait_for(lambda: rounds(url) >= 1, "the first round")
        refused = connector("apply", config=config)
        shown = connector("status", config=config)

    assert refused.returncode == 4
    assert "works on this store" in refused.stderr or "is working on this store" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert shown.returncode == 0


def test_plan_apply_and_status_read_like_sentences(config: Path) -> None:
    planned = connector("plan", config=config)
    as_data = json.loads(connector("plan", "--json", config=config).stdout)
    other = connector("apply", "--digest", "000000000000", config=config)
    applied = connector("apply", "--digest", as_data["digest"], config=config)
    again = connector("plan", config=config)
    listed = connector("enrol", config=config)

    assert planned.returncode == 0
    assert f"connector apply --digest {as_data['digest']}" in planned.stdout
    assert other.returncode == 2
    assert "Nothing was changed" in other.stdout
    assert applied.returncode == 0, applied.stderr
    assert "Nothing to change" in again.stdout
    assert listed.returncode == 0


def test_a_wrong_key_is_told_without_a_traceback(config: Path, tmp_path: Path) -> None:
    (tmp_path / "secrets" / "stripe").write_text("sk_test_wrong")

    result = connector("check-config", config=config)
    run_once = connector("sync", "--once", config=config)

    assert result.returncode == 2
    assert "stripe:" in result.stdout
    assert "connectwise: answers" in result.stdout
    assert run_once.returncode == 2
    assert "Traceback" not in result.stderr + run_once.stderr + result.stdout + run_once.stdout
    assert "sk_test_wrong" not in result.stdout + result.stderr + run_once.stdout + run_once.stderr


def test_a_partner_that_cannot_be_reached_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    content = write_config(tmp_path, sandbox.url)
    content.write_text(content.read_text().replace(f"{sandbox.url}/quickbooks", "http://127.0.0.1:9/quickbooks"))

    result = connector("check-config", config=content)

    assert result.returncode == 2
    assert "quickbooks:" in result.stdout
    assert "Traceback" not in result.stderr


def test_every_problem_of_a_configuration_is_told_with_its_place(tmp_path: Path) -> None:
    wrong = tmp_path / "connector.yaml"
    wrong.write_text("instance: My MSP\ncompany: {name: A, time_zone: Mars/Base, currency: USD}\nchargin: {}\n")

    result = connector("check-config", config=wrong)

    assert result.returncode == 3
    assert f"{wrong}:1:11:" in result.stderr
    assert "unknown setting 'chargin' (did you mean 'charging'?)" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "command", ["run", "plan", "apply", "sync", "status", "reconcile", "enrol", "demo", "sandbox", "check-config"]
)
def test_every_command_explains_itself(command: str) -> None:
    result = connector(command, "--help")

    assert result.returncode == 0
    assert len(result.stdout) > 200
