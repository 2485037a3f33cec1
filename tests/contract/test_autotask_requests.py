"""Every request that our Autotask adapter sends is one that the published document knows."""

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

from adapters.autotask import Autotask
from connector.model.agreement import AgreementRef, Payer
from connector.testing.psa import START
from tests.contract.autotask_rig import SandboxRig
from tests.contract.test_autotask_adapter import build, contract, pay, psa, read, rig, server, sleeps, sold, world

__all__ = ["build", "psa", "rig", "server", "sleeps", "world"]  # fixtures

SHARED = Path(os.environ.get("CONNECTOR_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
DOCUMENT = SHARED / "specs" / "autotask.openapi.json"


@cache
def document() -> Mapping[str, Any]:
    if not DOCUMENT.exists():
        pytest.skip(f"the published document is not at {DOCUMENT}; set CONNECTOR_SHARED to the directory that holds specs/")
    found: Mapping[str, Any] = json.loads(DOCUMENT.read_text())
    return found


def operation(method: str, path: str) -> Mapping[str, Any]:
    """Addresses come in any case."""
    for template, methods in document()["paths"].items():
        pattern = re.sub(r"\{\w+\}", r"[^/]+", template.rstrip("/"))
        if re.fullmatch(pattern, path, re.IGNORECASE) and method.lower() in methods:
            found: Mapping[str, Any] = methods[method.lower()]
            return found
    raise AssertionError(f"the published document knows no {method} {path}")


def parameters(found: Mapping[str, Any]) -> set[str]:
    shared = document()["components"].get("parameters", {})
    given = [shared[p["$ref"].rpartition("/")[2]] if "$ref" in p else p for p in found.get("parameters", [])]
    return {p["name"].lower() for p in given if p["in"] == "query"}


def everything(psa: Autotask, rig: SandboxRig) -> None:
    """A book is read, a bill paid and taken back, a link published."""
    psa.ping()
    id = contract(rig)
    sold(rig, id)
    inside = rig.office.add_service("Desk", 50)
    rig.office.sell(int(id), rig.office.add_bundle("All in one", 80, [inside]), 3, bundle=True)
    invoice = rig.bill(id, START)
    read(psa)
    list(psa.invoices([AgreementRef(psa="autotask", id=id)], since=START))
    total = rig.payments(invoice).major + rig.partner.records.invoices.rows[int(invoice)]["invoiceTotal"]
    paid = pay(psa, rig, invoice, str(total))
    pay(psa, rig, invoice, "0", own=paid.own)
    company = str(rig.partner.records.contracts.rows[int(id)]["companyID"])
    psa.publish_enrolment(Payer(psa="autotask", id=company, name="Gold Dental"), link="https://x.example/1", state="invited")


def test_every_request_is_in_the_published_document(psa: Autotask, rig: SandboxRig) -> None:
    document()
    everything(psa, rig)
    sent = {(r["method"], re.sub(r"(?i)^.*/atservicesrest", "", r["path"]), r["query"]) for r in rig.world.requests}

    for method, path, query in sent:
        found = operation(method, path)
        assert {name.lower() for name, _ in parse_qsl(query)} <= parameters(found), f"{method} {path}?{query}"
    assert {method for method, _, _ in sent} == {"GET", "POST", "PATCH"}
    assert len(sent) >= 18
