"""The HTTP side: /livez, /readyz, /healthz, /metrics, the status page, and the customers' enrolment links."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connector.errors import ConnectorError
from connector.serve import metrics, page
from connector.serve.facts import Facts

LOOP_STALLED_S = 900.0  # the longest that one flow may take before the process counts as stuck
START_TIMEOUT_S = 10.0
CONNECTIONS_MAX = 200  # more are refused: the agent's work goes first
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none';"
    " form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the answers come from. `enrol` gives the page to send a customer to, None for an unknown link."""

    facts: Callable[[], Facts]
    beat: Callable[[], float]  # time.monotonic() when the loop last moved
    rounds: Callable[[], int]
    enrol: Callable[[str], str | None]
    company: str
    version: str


def build(sources: Sources) -> Starlette:
    """The application. Every answer is computed in a worker thread, so a slow store blocks nothing else."""

    def route(path: str, answer: Callable[[Request], Response]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await _answered(answer, request, path)

        return Route(path, endpoint, methods=["GET"])

    return Starlette(
        routes=[
            route("/livez", lambda _: _livez(sources)),
            route("/readyz", lambda _: _readyz(sources)),
            route("/healthz", lambda _: _healthz(sources)),
            route(
                "/metrics", lambda _: Response(metrics.render(sources.facts, sources.version), media_type=metrics.CONTENT_TYPE)
            ),
            route("/", lambda _: HTMLResponse(page.render(sources.facts(), company=sources.company, version=sources.version))),
            route("/enrol/{token}", lambda request: _enrol(sources, request.path_params["token"])),
        ],
        middleware=[Middleware(_Secured)],
    )


class _Secured:
    """Puts the security headers on every answer, refusals included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self._app(scope, receive, secured)


async def _answered(answer: Callable[[Request], Response], request: Request, path: str) -> Response:
    try:
        return await run_in_threadpool(answer, request)
    except ConnectorError as error:
        log.warning("could not answer", path=path, error=str(error))
        return _failing(error)
    except Exception as error:
        # The path as it is declared: an enrolment link is its customer's alone, also in logs.
        log.exception("could not answer", path=path)
        return _failing(error)


def _failing(error: Exception) -> Response:
    return JSONResponse({"status": "failing", "error": type(error).__name__}, status_code=503)


def _livez(sources: Sources) -> Response:
    silent_s = time.monotonic() - sources.beat()
    alive = silent_s < LOOP_STALLED_S
    return JSONResponse({"status": "ok" if alive else "stuck"}, status_code=200 if alive else 503)


def _readyz(sources: Sources) -> Response:
    rounds = sources.rounds()
    sources.facts()  # the store answers
    return JSONResponse({"status": "ok" if rounds else "starting", "rounds": rounds}, status_code=200 if rounds else 503)


def _healthz(sources: Sources) -> Response:
    facts = sources.facts()
    return JSONResponse(as_health(facts, sources.version), status_code=503 if facts.status == "failing" else 200)


def as_health(facts: Facts, version: str) -> dict[str, Any]:
    """No names, amounts, ids or configuration: it may be watched from outside."""
    return {
        "status": facts.status,
        "mode": "shadow" if facts.shadow else "live",
        "version": version,
        "connections": {
            c.name: {
                "last_success": c.last_success.isoformat() if c.last_success else None,
                "lag_s": facts.lag_s(c),
                "down": facts.is_down(c),
            }
            for c in facts.connections
        },
        "oldest_undelivered_s": facts.undelivered_s,
        "deliveries": facts.deliveries,
        "charges": facts.charges,
        "holds": facts.holds,
        "needs_attention": facts.attention,
        "token_days_left": facts.token_days or {},
    }


def _enrol(sources: Sources, token: str) -> Response:
    try:
        url = sources.enrol(token)
    except ConnectorError as error:
        log.warning("an enrolment link could not be opened", error=str(error))
        sentence = "The page cannot be opened right now. Nothing is wrong with your link; please try again in a few minutes."
        return HTMLResponse(page.message_page("Please try again later", sentence), status_code=503)
    if url is None:
        sentence = "This link is not known. Please ask your service provider for a new one."
        return HTMLResponse(page.message_page("Unknown link", sentence), status_code=404)
    return RedirectResponse(url, status_code=303)


class Server:
    """Serves in a thread of its own until `stop`. Port 0 takes a free one; `url` says which."""

    def __init__(self, sources: Sources, *, host: str, port: int) -> None:
        config = uvicorn.Config(
            build(sources),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=2,
            lifespan="off",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True, name="serve")
        self._host, self._port = host, port

    def start(self) -> None:
        """OSError when the address is taken."""
        self._thread.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise OSError(f"cannot serve on {self._host}:{self._port}: is the port taken? (serve.port in the configuration)")
            time.sleep(0.01)

    @property
    def url(self) -> str:
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            self._server.run()
        except SystemExit:
            log.error("the status server ended", host=self._host, port=self._port)
