"""The sandbox as a program: one process, one port, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox

WELCOME = """\
Sandbox is running: {psas}, Stripe and QuickBooks on one simulated clock, {now:%Y-%m-%d %H:%M} UTC.
{agreements} agreements, seed {seed}. Nothing here is real, and no money moves.

{addresses}
  Stripe        {url}/stripe
  QuickBooks    {url}/quickbooks

  Move the clock        curl -X POST {url}/_sandbox/advance -d '{{"days": 1}}'
  See everything        curl {url}/_sandbox/state
  See every request     curl {url}/_sandbox/requests
  Make a partner fail   curl -X POST {url}/_sandbox/faults -d '{{"kind": "429", "partner": "stripe"}}'
  Act as the office     curl -X POST {url}/_sandbox/office.create_invoices -d '{{"through": "2026-02-01"}}'
  Start over            curl -X POST {url}/_sandbox/seed -d '{{"seed": 2, "agreements": 50, "lines": 6, "psa": "{psa}"}}'

Stop it with Ctrl-C."""


_NAMES = {"connectwise": "ConnectWise", "autotask": "Autotask"}


def serve(port: int, seed: int, agreements: int, lines: int, *, psa: str = "connectwise", host: str = "127.0.0.1") -> None:
    """Blocks until SIGTERM or SIGINT. OSError when the port is taken, ValueError for an unknown `psa`."""
    world = build_world(seed=seed, agreements=agreements, lines=lines, psa=psa)
    sandbox = Sandbox(world, port=port, host=host)
    stop = threading.Event()
    _stop_on_signals(stop)
    with sandbox:
        print(_welcome(sandbox, agreements=agreements, psa=psa), flush=True)
        stop.wait()
    print("Sandbox stopped.", flush=True)


def _welcome(sandbox: Sandbox, *, agreements: int, psa: str) -> str:
    world, url = sandbox.world, sandbox.url
    there = {name: label for name, label in _NAMES.items() if name in world.partners}
    addresses = "\n".join(f"  {label:<14}{url}/{name}" for name, label in there.items())
    facts = {"url": url, "now": world.now, "seed": world.seed, "agreements": agreements, "psa": psa}
    return WELCOME.format(psas=" and ".join(there.values()), addresses=addresses, **facts)


def _stop_on_signals(stop: threading.Event) -> None:
    def asked(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
