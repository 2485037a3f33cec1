"""What a request meets before any record is looked at: the zone, the keys, the limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.sandbox.autotask.budget import TIMEFRAME_MIN, Budget, Threads
from adapters.sandbox.autotask.errors import (
    THREADS,
    ZONE_UNKNOWN,
    Refusal,
    errors,
    invalid,
    missing_page,
    page,
    unauthorized,
    unsupported,
)
from adapters.sandbox.autotask.records import Clock
from adapters.sandbox.wire import Request, Response, json_response

INTEGRATION_CODE, USER, SECRET = "SANDBOXCODE", "api@sandbox.example", "sandbox-secret"


@dataclass(kw_only=True)
class User:
    """`api`: has the licence of an API user; without it only the zone is told."""

    secret: str
    api: bool = True


@dataclass(kw_only=True)
class Tenant:
    """What an administrator of this Autotask can set, and where it lives."""

    zone: str = "zone2"
    wrong_zone_status: int = 401  # or 500
    price_is_extended: bool = True
    users: dict[str, User] = field(default_factory=lambda: {USER: User(secret=SECRET)})
    read_only: set[tuple[str, str]] = field(default_factory=set)
    forbidden: set[tuple[str, str]] = field(default_factory=set)  # entity and query, create or update
    hidden: set[str] = field(default_factory=set)  # entities that seem empty
    hidden_contracts: set[int] = field(default_factory=set)  # by line of business


class Gate:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.tenant = Tenant()
        self.budget = Budget()
        self.threads = Threads()

    def passes(self, request: Request, path: list[str]) -> list[str] | Response:
        """The path inside the database (lower case), or the answer to what needs none. Raises Refusal."""
        if path[:1] == ["atservicesrest"]:
            return self._anywhere(request, path[1:])
        if path[1:2] != ["atservicesrest"]:
            raise missing_page()
        if (found := self._public(request, path[2:])) is not None:
            return found
        if path[2:3] != ["v1.0"]:
            raise missing_page()  # V2.0 is listed, and is not there
        if path[0] != self.tenant.zone:
            raise Refusal(self._wrong_zone())
        self._admit(request)
        return path[3:]

    def address(self, request: Request) -> str:
        return f"{request.base_url}/{self.tenant.zone}"

    def threshold_exceeded(self, retry_after_s: int) -> Response:
        text = f"You have exceeded the threshold of {self.budget.threshold} requests in {TIMEFRAME_MIN} minutes."
        return errors(text, status=429, headers={"retry-after": str(retry_after_s)})

    def _anywhere(self, request: Request, path: list[str]) -> Response:
        """The address that every integration begins with knows zones, and no database."""
        if (found := self._public(request, path)) is not None:
            return found
        if path[:1] == ["v1.0"]:
            raise Refusal(self._wrong_zone())
        raise missing_page()

    def _public(self, request: Request, path: list[str]) -> Response | None:
        """What is told without keys, and counts for no limit."""
        if path == ["versioninformation"]:
            return json_response({"apiVersions": ["V1.0", "V2.0"]})
        if path == ["v1.0", "zoneinformation"]:
            return self._zone(request)
        return None

    def _zone(self, request: Request) -> Response:
        if request.method != "GET":
            raise unsupported(request.method)
        name = {key.lower(): value for key, value in request.params.items()}.get("user", "").lower()
        if name not in self.tenant.users:
            raise invalid(ZONE_UNKNOWN)
        address = self.address(request)
        urls = {"url": f"{address}/ATServicesRest/", "webUrl": f"{address}/"}
        return json_response({"zoneName": self.tenant.zone, **urls, "ci": 30595})

    def _wrong_zone(self) -> Response:
        if self.tenant.wrong_zone_status == 500:
            return page(500, "500 - Internal server error.")
        return Response(status=401)

    def _admit(self, request: Request) -> None:
        headers = request.headers
        user = self.tenant.users.get(headers.get("username", "").lower())
        if headers.get("apiintegrationcode") != INTEGRATION_CODE or user is None or user.secret != headers.get("secret"):
            raise unauthorized()
        if not user.api:
            raise unauthorized()
        if self.threads.refuses(request):
            raise invalid(THREADS)
        now = self._clock.now
        if self.budget.is_spent(now):
            raise Refusal(self.threshold_exceeded(retry_after_s=60))
        self.budget.take(now)
        self.threads.delays(request, self.budget.added_latency(now))
