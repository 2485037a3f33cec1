"""Every request that our ConnectWise adapter sends is one that the published document knows."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from adapters.connectwise import ConnectWise
from adapters.connectwise.settings import ROOT
from connector.model.agreement import AgreementRef, Payer
from tests.contract.test_connectwise_adapter import (
    START,
    SandboxRig,
    billed,
    build,
    one_agreement,
    pay,
    psa,
    read,
    rig,
    server,
    snapshots,
    world,
)

__all__ = ["build", "psa", "rig", "server", "world"]  # fixtures

SHARED = Path(os.environ.get("CONNECTOR_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
DOCUMENT = SHARED / "specs" / "connectwise.openapi.json"


@cache
def document() -> Mapping[str, Any]:
    if not DOCUMENT.exists():
        pytest.skip(f"the published document is not at {DOCUMENT}; set CONNECTOR_SHARED to the directory that holds specs/")
    found: Mapping[str, Any] = json.loads(DOCUMENT.read_text())
    return found


def operation(method: str, path: str) -> Mapping[str, Any]:
    for template, methods in document()["paths"].items():
        pattern = re.sub(r"\{\w+\}", r"[^/]+", template.rstrip("/"))
        if re.fullmatch(pattern, path) and method.lower() in methods:
            found: Mapping[str, Any] = methods[method.lower()]
            return found
    raise AssertionError(f"the published document knows no {method} {path}")


def parameters(found: Mapping[str, Any]) -> set[str]:
    shared = document()["components"].get("parameters", {})
    given = [shared[p["$ref"].rpartition("/")[2]] if "$ref" in p else p for p in found.get("parameters", [])]
    return {p["name"] for p in given if p["in"] == "query"}


def everything(psa: ConnectWise, rig: SandboxRig) -> None:
    """A book is read, a bill paid, lowered and taken back, a link published."""
    psa.ping()
    invoice = billed(rig)
    one_agreement(rig)
    known = snapshots(read(psa))
    read(psa, known)
    list(psa.invoices([AgreementRef(psa="connectwise", id=id) for id in known], since=START))
    first = pay(psa, rig, invoice, 25000)
    part = pay(psa, rig, invoice, 10000, own=first.own)
    pay(psa, rig, invoice, 0, own=part.own)
    payer = Payer(psa="connectwise", id="19", name="Acme Dental")
    psa.publish_enrolment(payer, link="https://x.example/1", state="invited")


def test_every_request_is_in_the_published_document(psa: ConnectWise, rig: SandboxRig) -> None:
    document()
    everything(psa, rig)
    sent = {(r["method"], r["path"].removeprefix(ROOT), r["query"]) for r in rig.world.requests}

    for method, path, query in sent:
        found = operation(method, path)
        assert {name for name, _ in parse_qsl(query)} <= parameters(found), f"{method} {path}?{query}"
    assert {method for method, _, _ in sent} == {"GET", "POST", "PATCH", "DELETE"}
