"""The sandbox as a program, and the part of its control interface that acts as the office."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox

PROGRAM = "from adapters.sandbox.main import serve; serve(0, 1, 12, 4)"


@pytest.fixture
def url() -> Iterator[str]:
    with Sandbox(build_world(partners=("connectwise", "office"))) as sandbox:
        yield f"{sandbox.url}/_sandbox"


def test_the_office_acts_over_the_control_interface(url: str) -> None:
    answer = requests.post(f"{url}/office.create_invoices", json={"through": "2026-01-31", "agreements": [112]}, timeout=5)

    assert answer.json() == [
        {
            "id": 5121,
            "number": "10421",
            "agreement": 112,
            "dated": "2026-01-31",
            "due": "2026-03-02",
            "total": 791.68,
            "tax": 53.52,
        }
    ]


@pytest.mark.parametrize("body", [{"invoice": "99", "amount": 1}, {"invoice": 5101}, {"invoice": 5101, "amount": 1, "on": "x"}])
def test_an_action_that_cannot_be_done_says_why(url: str, body: dict[str, object]) -> None:
    answer = requests.post(f"{url}/office.record_payment", json=body, timeout=5)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("office.record_payment: ")


def test_a_new_seed_replaces_the_world(url: str) -> None:
    requests.post(f"{url}/advance", json={"days": 3}, timeout=5)
    answer = requests.post(f"{url}/seed", json={"seed": 5, "agreements": 20, "lines": 2}, timeout=10)
    state = requests.get(f"{url}/state", timeout=10).json()
    refused = requests.post(f"{url}/seed", json={"agreements": "many"}, timeout=5)

    assert answer.json()["now"] == "2026-01-05T09:00:00+00:00"
    assert (state["seed"], len(state["connectwise"]["agreements"])) == (5, 20)
    assert refused.status_code == 400


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_says_where_it_is_and_stops_when_told(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        welcome = ""
        while "Ctrl-C" not in welcome:
            line = process.stdout.readline()
            assert line, welcome
            welcome += line
        found = re.search(r"ConnectWise\s+(\S+)/connectwise", welcome)
        assert found is not None
        answer = requests.get(f"{found[1]}/connectwise/login/companyinfo/sandbox", timeout=5)
        process.send_signal(number)
        rest = process.stdout.read()

    assert answer.json()["CompanyID"] == "sandbox"
    assert (process.returncode, rest) == (0, "Sandbox stopped.\n")
