"""A server that answers as told, for our Autotask client: zones, pages, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.autotask.client import Client
from adapters.autotask.settings import AutotaskSettings
from connector.config.secret import Secret
from connector.testing.doubles import context
from tests.unit.test_http import Scripted, answer, server

THRESHOLD = {"externalRequestThreshold": 10000, "requestThresholdTimeframe": 60, "currentTimeframeRequestCount": 124}


def says(content: object, status: int = 200, **headers: str) -> bytes:
    return answer(status, json.dumps(content).encode(), **headers)


def zone(url: str) -> bytes:
    return says({"zoneName": "Pre Release", "url": f"{url}/ATServicesRest/", "webUrl": "https://ww2.autotask.net/", "ci": 30595})


def page(rows: list[Any], next: str | None = None) -> dict[str, Any]:
    return {"items": rows, "pageDetails": {"count": len(rows), "requestCount": 500, "prevPageUrl": None, "nextPageUrl": next}}


def settings(tmp_path: Path, base_url: str, **changes: Any) -> AutotaskSettings:
    (tmp_path / "secret").write_text("a-secret\n")
    (tmp_path / "code").write_text("A-CODE\n")
    given = {
        "base_url": base_url,
        "user_name": "api@acme.example",
        "secret": Secret(file=tmp_path / "secret"),
        "integration_code": Secret(file=tmp_path / "code"),
    }
    return AutotaskSettings(**{**given, **changes})


@contextmanager
def partner(tmp_path: Path, *answers: bytes, lead: bool = True) -> Iterator[tuple[Scripted, Client]]:
    """A server and a client of it; with `lead` it first tells its zone, and how much of the budget is used."""
    with server() as scripted:
        scripted.answers[:] = [*([zone(scripted.url), says(THRESHOLD)] if lead else []), *answers]
        client = Client(settings(tmp_path, scripted.url), context=context(sleep=lambda _: None))
        yield scripted, client
        client.close()
