"""Stripe's published API document, where it is at hand: the directory `shared` beside the repository, or CONNECTOR_SHARED."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adapters.sandbox.stripe import Stripe
from adapters.sandbox.wire import Request, Response
from adapters.sandbox.world import World

SHARED = Path(os.environ.get("CONNECTOR_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
TOOL = SHARED / "tools" / "stripe_contract.py"
NOT_IN_EVENTS = "amount_paid_off_stripe"  # the document requires it on invoices, yet events do not carry it


def contract() -> Any:
    """The checker over the document; skips the test when the document is not there."""
    if not TOOL.exists():
        pytest.skip(f"Stripe's published API document is not at hand ({SHARED}); set CONNECTOR_SHARED to its directory")
    return _load(TOOL).StripeContract()


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("stripe_contract", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Exchange:
    method: str
    path: str
    form: str
    status: int
    body: dict[str, Any]


class RecordedStripe(Stripe):
    """The sandbox's Stripe, which also notes what it was asked and what it answered."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.exchanges: list[Exchange] = []

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        form = request.body.decode() if request.method == "POST" else request.query
        body = json.loads(response.body)
        self.exchanges.append(Exchange(request.method, request.path, form, response.status, body))
        return response


def schema_of(body: dict[str, Any]) -> str:
    name = str(body["object"])
    return f"deleted_{name}" if body.get("deleted") else name


def members(body: dict[str, Any]) -> list[dict[str, Any]]:
    return body["data"] if body.get("object") == "list" else [body]


def request_complaints(checker: Any, exchanges: list[Exchange]) -> list[str]:
    """What the document has against requests that the sandbox accepted."""
    accepted = [e for e in exchanges if e.status == 200 and e.method == "POST"]
    return [f"{e.path}: {error}" for e in accepted for error in checker.request_errors(e.method, e.path, e.form)]


def body_complaints(checker: Any, bodies: Iterator[dict[str, Any]]) -> list[str]:
    return sorted({f"{body['object']}: {error}" for body in bodies for error in checker.body_errors(schema_of(body), body)})


def event_complaints(checker: Any, events: list[dict[str, Any]]) -> list[str]:
    """What the document has against the objects in events, apart from the field that events never carry."""
    complaints = set()
    for event in events:
        body = event["data"]["object"]
        for error in checker.body_errors(schema_of(body), body):
            if NOT_IN_EVENTS not in error:
                complaints.add(f"{event['type']}: {error}")
    return sorted(complaints)
