"""A bare HTTP client of the sandbox's Autotask, for its tests: what it sends and gets is what is on the wire."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import requests

from adapters.sandbox.autotask import Autotask
from adapters.sandbox.server import Sandbox

USER = "api@sandbox.example"
HEADERS = {"ApiIntegrationCode": "SANDBOXCODE", "UserName": USER, "Secret": "sandbox-secret"}
EVERYTHING = {"op": "gte", "field": "id", "value": 0}


class Client:
    def __init__(self, sandbox: Sandbox) -> None:
        self.root = f"{sandbox.url}/autotask"
        self.world = sandbox.world
        self.base = self.zone()["url"] + "V1.0"

    def zone(self, user: str = USER) -> Any:
        address = f"{self.root}/atservicesrest/v1.0/zoneInformation"
        return requests.get(address, params={"user": user}, timeout=5).json()

    def send(self, method: str, path: str, *, headers: dict[str, str] | None = None, **kwargs: Any) -> requests.Response:
        address = path if path.startswith("http") else self.base + path
        sent = HEADERS if headers is None else headers
        return requests.request(method, address, headers=sent, timeout=10, **kwargs)

    def get(self, path: str, **params: Any) -> Any:
        response = self.send("GET", path, params=params)
        assert response.status_code == 200, response.text
        return response.json(parse_float=Decimal)

    def post(self, path: str, body: Any) -> Any:
        response = self.send("POST", path, json=body)
        assert response.status_code == 200, response.text
        return response.json(parse_float=Decimal)

    def query(self, entity: str, *filters: dict[str, Any], **more: Any) -> Any:
        return self.post(f"/{entity}/query", {"filter": list(filters) or [EVERYTHING], **more})

    def rows(self, entity: str, *filters: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.query(entity, *filters)["items"]
        return found

    def ids(self, entity: str, *filters: dict[str, Any]) -> list[int]:
        return [row["id"] for row in self.rows(entity, *filters)]

    def refused(self, entity: str, *filters: Any, **more: Any) -> str:
        """The text of the error that a query is answered with."""
        response = self.send("POST", f"/{entity}/query", json={"filter": list(filters), **more})
        assert response.status_code == 500, response.text
        return str(response.json()["errors"][0])

    def patch(self, path: str, **body: Any) -> requests.Response:
        return self.send("PATCH", path, json=body)

    @property
    def psa(self) -> Autotask:
        psa = self.world.partners["autotask"]
        assert isinstance(psa, Autotask)
        return psa

    def act(self, action: str, **kwargs: Any) -> Any:
        return self.world.partners["office"].actions[action](**kwargs)  # type: ignore[attr-defined]


def where(op: str, field: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"op": op, "field": field, "value": value, **more}
