"""The demo: the real agent (a process of its own) against the sandbox (another), through two billing periods."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from cryptography.fernet import Fernet
from rich.console import Console
from rich.text import Text

CONFIG = """\
# Written by `connector demo`: the agent against the sandbox. Nothing here is real, and no money moves.
instance: demo-msp
company: {{name: Demo MSP, time_zone: America/New_York, currency: USD}}
database: sqlite:///{folder}/connector.db
secrets: {{key: {{file: {folder}/secrets/key}}}}
collect_from: 2026-01-15

{psa}
gateway:
  adapter: stripe
  settings:
    base_url: {sandbox}/stripe
    secret_key: {{file: {folder}/secrets/stripe}}
    return_url: https://demo-msp.example/thanks

books:
  adapter: quickbooks
  mapping: shipped:quickbooks
  settings:
    base_url: {sandbox}/quickbooks
    discovery_url: {sandbox}/quickbooks/.well-known/openid_configuration
    realm_id: "9130350000000001"
    client_id: sandbox-client
    client_secret: {{file: {folder}/secrets/quickbooks_client}}
    refresh_token: {{file: {folder}/secrets/quickbooks_refresh}}

charging: {{approve: never}}  # by default a person approves what goes out in the first two periods
write_back: {{psa_payments: connector, books: connector, wait_days: 5}}
schedule: {{mirror_s: 1, release_s: 1, collect_s: 1, deliver_s: 1, payouts_s: 1, reconcile_s: 3600}}
serve: {{host: 127.0.0.1, port: {port}}}
sandbox: {{url: "{sandbox}"}}
"""
PSAS = {
    "connectwise": """\
psa:
  adapter: connectwise
  mapping: shipped:connectwise
  settings:
    base_url: {sandbox}/connectwise
    company_id: sandbox
    public_key: {{file: {folder}/secrets/connectwise_public}}
    private_key: {{file: {folder}/secrets/connectwise_private}}
    client_id: 11111111-2222-3333-4444-555555555555
""",
    "autotask": """\
psa:
  adapter: autotask
  mapping: shipped:autotask
  settings:
    base_url: {sandbox}/autotask
    user_name: api@sandbox.example
    secret: {{file: {folder}/secrets/autotask_secret}}
    integration_code: {{file: {folder}/secrets/autotask_code}}
""",
}
SECRETS = {
    "autotask_code": "SANDBOXCODE",
    "autotask_secret": "sandbox-secret",
    "connectwise_public": "sandbox-public",
    "connectwise_private": "sandbox-private",
    "stripe": "sk_test_sandbox",
    "quickbooks_client": "sandbox-secret",
    "quickbooks_refresh": "sandbox-refresh-1",
}
START_TIMEOUT_S = 30.0
QUIET_TIMEOUT_S = 60.0
ROUNDS_UNTIL_QUIET = 2  # one round may have begun before the clock moved


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The sandbox's and the agent's addresses, and where the configuration is."""

    sandbox: str
    agent: str
    config: Path
    console: Console
    psa: str = "connectwise"

    def act(self, action: str, **arguments: Any) -> Any:
        """What a person does in a partner's screens."""
        answer = requests.post(f"{self.sandbox}/_sandbox/{action}", json=arguments, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"{self.sandbox}/_sandbox/state", timeout=30).json()
        return found

    def rounds(self) -> int:
        """Finished rounds of the agent's flows."""
        return int(requests.get(f"{self.agent}/readyz", timeout=10).json()["rounds"])

    def settle(self) -> None:
        """Wait until the agent has gone round often enough to be quiet."""
        target = self.rounds() + ROUNDS_UNTIL_QUIET
        _wait_for(lambda: self.rounds() >= target, QUIET_TIMEOUT_S, "the agent to be quiet")

    def to(self, day: str, hour: int = 18) -> None:
        self.act("advance", to=f"{day}T{hour:02}:00:00+00:00")
        self.settle()

    def say(self, text: str) -> None:
        now = datetime.fromisoformat(requests.get(f"{self.sandbox}/_sandbox/clock", timeout=10).json()["now"])
        self.console.print(Text(f"{now:%d %b %Y}  ", style="cyan") + Text(text))


def run_demo(folder: Path, *, seed: int, agreements: int, keep: bool, psa: str = "connectwise") -> int:
    """Exit code 0 when PSA, gateway and books tie to the cent at the end."""
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    started = time.monotonic()
    with _processes(folder, seed, agreements, console, psa) as demo:
        from connector.demo_story import summary, tell

        tell(demo)
        ties = summary(demo)
        console.print(f"\nThe demo took {time.monotonic() - started:.0f} seconds.")
        _look_around(demo, keep)
        if keep:
            _until_interrupted()
    return 0 if ties else 1


def _look_around(demo: Demo, keep: bool) -> None:
    config = f"--config {demo.config}"
    if keep:
        demo.console.print(f"\nStatus page: {demo.agent}/    Health: {demo.agent}/healthz    Metrics: {demo.agent}/metrics")
        demo.console.print(
            "Look around in another terminal (this one keeps the sandbox and the agent running; Ctrl-C ends them):"
        )
    else:
        demo.console.print(f"\nThe status page was at {demo.agent}/ ; `connector demo --keep` leaves it running. Look around:")
    for command in ("status", "plan", "reconcile --all", "enrol") if keep else ("status",):
        demo.console.print(f"  .venv/bin/connector {command} {config}")


def _until_interrupted() -> None:
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        return


@contextmanager
def _processes(folder: Path, seed: int, agreements: int, console: Console, psa: str) -> Iterator[Demo]:
    folder = folder.resolve()
    sandbox, agent = _free_port(), _free_port()
    demo = Demo(
        sandbox=f"http://127.0.0.1:{sandbox}",
        agent=f"http://127.0.0.1:{agent}",
        config=folder / "connector.yaml",
        console=console,
        psa=psa,
    )
    _prepare(folder, demo, agent)
    world = ("--seed", str(seed), "--agreements", str(agreements), "--psa", psa)
    with _process(folder, "sandbox", "--port", str(sandbox), *world):
        _wait_for(lambda: _answers(f"{demo.sandbox}/_sandbox/clock"), START_TIMEOUT_S, "the sandbox to start")
        with _process(folder, "run", "--config", str(demo.config)):
            _wait_for(lambda: _answers(f"{demo.agent}/livez"), START_TIMEOUT_S, "the agent to start")
            yield demo


def _prepare(folder: Path, demo: Demo, port: int) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / "connector.yaml").exists():
        raise SystemExit(f"{folder} is not a folder of an earlier demo; name another one with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "secrets").mkdir(parents=True, mode=0o700)
    for name, value in {**SECRETS, "key": Fernet.generate_key().decode()}.items():
        path = folder / "secrets" / name
        path.touch(mode=0o600)
        path.write_text(value)
    psa = PSAS[demo.psa].format(folder=folder, sandbox=demo.sandbox)
    demo.config.write_text(CONFIG.format(folder=folder, sandbox=demo.sandbox, port=port, psa=psa))


@contextmanager
def _process(folder: Path, *arguments: str) -> Iterator[None]:
    """One of ours, ended by its id when the demo ends. Its output is kept beside the store."""
    with (folder / f"{arguments[0]}.log").open("w") as output:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, "-m", "connector.cli", *arguments], stdout=output, stderr=subprocess.STDOUT, env=os.environ
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _wait_for(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {timeout_s:.0f} seconds for {what} in vain; the logs are beside the demo's configuration")
        time.sleep(0.05)
