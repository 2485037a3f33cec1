"""The sandbox over real HTTP on loopback: `/connectwise`, `/stripe`, `/quickbooks`, and `/_sandbox` to steer it."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from adapters.sandbox.faults import KINDS, Fault, LostReply
from adapters.sandbox.wire import Request, Response, json_response
from adapters.sandbox.world import World

MAX_BODY_BYTES = 10 * 1024 * 1024
_USUAL_SEED = {"seed": 1, "agreements": 12, "lines": 4}


class Sandbox:
    """Serves one world. `control` maps a `/_sandbox` action name to a function of its JSON body."""

    def __init__(self, world: World, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self.world = world
        handler = type("Handler", (_Handler,), {"sandbox": self})
        self._server = _Server((host, port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://{host}:{self._server.server_address[1]}"

    def __enter__(self) -> Sandbox:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve_forever(self) -> None:
        self._server.serve_forever(poll_interval=0.2)

    def control(self, method: str, action: str, request: Request) -> Response:
        """The control interface; answers 404 for what it does not know, 400 for a body it cannot use."""
        world = self.world
        match method, action:
            case "GET", "state":
                return json_response(world.state())
            case "GET", "clock":
                return json_response({"now": world.now.isoformat()})
            case "GET", "requests":
                with world.lock:
                    return json_response(list(world.requests))
            case "POST", "advance":
                return self._advance(request.json() or {})
            case "POST", "seed":
                return self._seed(request.json() or {})
            case "POST", "faults":
                return self._add_faults(request.json() or {})
            case "DELETE", "faults":
                world.faults.clear()
                return json_response({})
            case "POST", _ if action in world_actions(world):
                return self._act(action, request.json() or {})
        return json_response({"error": f"no such control: {method} /_sandbox/{action}"}, status=404)

    def _advance(self, body: dict[str, Any]) -> Response:
        if "to" in body:
            to = datetime.fromisoformat(body["to"])
            self.world.advance(to if to.tzinfo else to.replace(tzinfo=UTC))
        else:
            self.world.advance_days(float(body.get("days", 0)) + float(body.get("hours", 0)) / 24)
        return json_response({"now": self.world.now.isoformat()})

    def _seed(self, body: dict[str, Any]) -> Response:
        """A new world in place of the old one; `seed`, `agreements`, `lines` and `psa` as `build_world` takes them."""
        from adapters.sandbox.seed import build_world  # only here: a test's own world needs no seed

        try:
            seed, agreements, lines = (int(body.get(name, usual)) for name, usual in _USUAL_SEED.items())
        except (TypeError, ValueError):
            return json_response({"error": "seed, agreements and lines are whole numbers"}, status=400)
        try:
            self.world = build_world(seed=seed, agreements=agreements, lines=lines, psa=str(body.get("psa", "connectwise")))
        except ValueError as error:
            return json_response({"error": str(error)}, status=400)
        return json_response({"now": self.world.now.isoformat(), "seed": seed, "agreements": agreements, "lines": lines})

    def _act(self, action: str, body: dict[str, Any]) -> Response:
        with self.world.lock:
            try:
                return json_response(world_actions(self.world)[action](**body))
            except (KeyError, TypeError, ValueError) as error:
                return json_response({"error": f"{action}: {error}"}, status=400)

    def _add_faults(self, body: dict[str, Any]) -> Response:
        try:
            self.world.faults.add(Fault(**body))
        except (TypeError, ValueError) as error:
            return json_response({"error": str(error), "kinds": KINDS}, status=400)
        return json_response({})


def world_actions(world: World) -> dict[str, Any]:
    """What a person would do in a partner's screens: `<partner>.<action>`, e.g. `connectwise.create_invoices`."""
    return {
        f"{name}.{action}": function
        for name, partner in world.partners.items()
        for action, function in getattr(partner, "actions", {}).items()
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    sandbox: Sandbox
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together, else the client waits for a delayed acknowledgement
    disable_nagle_algorithm = True
    timeout = 120

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > MAX_BODY_BYTES:
            self.send_error(413)
            return
        body = self.rfile.read(length)
        path, _, query = self.path.partition("?")
        prefix, _, rest = path.lstrip("/").partition("/")
        request = Request(
            method=self.command,
            path="/" + rest,
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            base_url=f"{self.sandbox.url}/{prefix}",
        )
        try:
            self._answer(self._route(prefix, rest, request))
        except LostReply as lost:
            if "timeout" in str(lost):
                self.connection.recv(1)  # until the client has enough
            self._hang_up()

    def _route(self, prefix: str, rest: str, request: Request) -> Response:
        if prefix == "_sandbox":
            return self.sandbox.control(request.method, rest, request)
        if prefix not in self.sandbox.world.partners:
            return json_response({"error": f"no partner at /{prefix}"}, status=404)
        return self.sandbox.world.handle(prefix, request)

    def _answer(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body[: response.sent_bytes])
        self.wfile.flush()
        if response.sent_bytes is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def log_message(self, format: str, *args: object) -> None:
        """The request log is `/_sandbox/requests`."""
