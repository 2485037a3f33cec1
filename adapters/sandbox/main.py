"""The sandbox as a program: one process, one port, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox

WELCOME = """\
Sandbox is running: ConnectWise, Stripe and QuickBooks on one simulated clock, {now:%Y-%m-%d %H:%M} UTC.
{agreements} agreements, seed {seed}. Nothing here is real, and no money moves.

  ConnectWise   {url}/connectwise
  Stripe        {url}/stripe
  QuickBooks    {url}/quickbooks

  Move the clock        curl -X POST {url}/_sandbox/advance -d '{{"days": 1}}'
  See everything        curl {url}/_sandbox/state
  See every request     curl {url}/_sandbox/requests
  Make a partner fail   curl -X POST {url}/_sandbox/faults -d '{{"kind": "429", "partner": "stripe"}}'
  Act as the office     curl -X POST {url}/_sandbox/office.create_invoices -d '{{"through": "2026-02-01"}}'
  Start over            curl -X POST {url}/_sandbox/seed -d '{{"seed": 2, "agreements": 50, "lines": 6}}'

Stop it with Ctrl-C."""


def serve(port: int, seed: int, agreements: int, lines: int, *, host: str = "127.0.0.1") -> None:
    """Blocks until SIGTERM or SIGINT. OSError when the port is taken."""
    world = build_world(seed=seed, agreements=agreements, lines=lines)
    sandbox = Sandbox(world, port=port, host=host)
    stop = threading.Event()
    _stop_on_signals(stop)
    with sandbox:
        print(WELCOME.format(url=sandbox.url, now=world.now, agreements=agreements, seed=seed), flush=True)
        stop.wait()
    print("Sandbox stopped.", flush=True)


def _stop_on_signals(stop: threading.Event) -> None:
    def asked(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
