"""The whole contract once more, with every request checked against Stripe's published document."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from adapters.stripe.port import Stripe
from connector.ports import Gateway
from tests.contract.test_stripe_adapter import SandboxRig, TestStripe, build, served, world

__all__ = ["served", "world"]  # fixtures

SHARED = Path(os.environ.get("CONNECTOR_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
TOOL = SHARED / "tools" / "stripe_contract.py"
DOCUMENT = SHARED / "specs" / "stripe.openapi.json"
pytestmark = pytest.mark.skipif(
    not (TOOL.is_file() and DOCUMENT.is_file()), reason=f"Stripe's published document is not at {SHARED} (CONNECTOR_SHARED)"
)
MAX_EXPAND_DEPTH = 4


class Recorder(requests.Session):
    """One session that keeps what it sends. Serves one thread."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        self.sent.append(request)
        return super().send(request, **settings)


class Document:
    def __init__(self) -> None:
        spec = importlib.util.spec_from_file_location("stripe_contract", TOOL)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._contract = module.StripeContract(DOCUMENT)
        self._paths = json.loads(DOCUMENT.read_text())["paths"]

    def errors(self, request: requests.PreparedRequest) -> list[str]:
        url = urlsplit(str(request.url))
        path = url.path.removeprefix("/stripe")
        form = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
        if request.method == "DELETE":
            form = url.query  # where the SDK puts what the document has in the body
        found = list(self._contract.request_errors(request.method, path, form))
        if request.method == "GET":
            found += self._query_errors(path, url.query)
        return [f"{request.method} {path}: {error}" for error in found]

    def _query_errors(self, path: str, query: str) -> list[str]:
        operation = self._paths[self._template(path)]["get"]
        known = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"}
        sent = [(name.partition("[")[0], value) for name, value in parse_qsl(query)]
        unknown = [f"unknown query parameter {name}" for name, _ in sent if name not in known]
        deep = [f"expands too deep: {value}" for name, value in sent if name == "expand" and value.count(".") >= MAX_EXPAND_DEPTH]
        return unknown + deep

    def _template(self, path: str) -> str:
        matching = [template for template in self._paths if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path)]
        return min(matching, key=lambda template: template.count("{"))


@pytest.fixture(scope="module")
def document() -> Document:
    return Document()


class TestRequests(TestStripe):
    @pytest.fixture
    def gateway(self, served: SandboxRig, tmp_path: Path, document: Document) -> Iterator[Gateway]:
        recorder = Recorder()
        adapter: Stripe = build(served, tmp_path, session=recorder)
        yield adapter
        errors = {error for request in recorder.sent for error in document.errors(request)}
        keyless = [r.path_url for r in recorder.sent if r.method == "POST" and not r.headers.get("Idempotency-Key")]
        paid = [r.path_url for r in recorder.sent if "/pay?" in f"{r.path_url}?"]

        assert recorder.sent or not errors
        assert (errors, keyless, paid) == (set(), [], [])


del TestStripe  # it has its own module; here it would be collected again


def test_the_check_sees_what_the_document_does_not_allow(document: Document) -> None:
    url = "http://127.0.0.1/stripe/v1/customers"
    unknown = requests.Request("POST", url, data={"nickname": "x"}).prepare()
    query = requests.Request("GET", url, params={"colour": "x", "expand[]": "data.a.b.c.d"}).prepare()

    assert len(document.errors(unknown)) == 1
    assert len(document.errors(query)) == 2
