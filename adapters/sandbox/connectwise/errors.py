"""How ConnectWise says no."""

from __future__ import annotations

from adapters.sandbox.connectwise.tables import Row
from adapters.sandbox.wire import Response, json_response


class Refusal(Exception):
    """Answered instead of a result."""

    def __init__(self, status: int, code: str, message: str, errors: list[Row] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.errors = errors

    def response(self) -> Response:
        content = {"code": self.code, "message": str(self), "errors": self.errors}
        return json_response(content, status=self.status)


def not_found(label: str, id: int | str) -> Refusal:
    return Refusal(404, "NotFound", f"{label} {id} not found")


def invalid(resource: str, field: str, code: str, message: str) -> Refusal:
    problem = {"code": code, "message": message, "resource": resource, "field": field}
    return Refusal(400, "InvalidObject", f"{resource} object is invalid", [problem])


def bad_request(message: str) -> Refusal:
    return Refusal(400, "BadRequest", message)


def in_use(label: str, id: int) -> Refusal:
    return Refusal(409, "ConflictingObject", f"{label} {id} is possibly in use and cannot be changed.\r\n")
