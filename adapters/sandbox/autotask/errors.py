"""How Autotask says no: with whatever status, and in three shapes."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.sandbox.wire import Response, json_response

NO_PERMISSION = "The logged in Resource does not have the adequate permissions to {doing} this entity type."
NOT_FOUND = "No matching records found for the given id."
ZONE_UNKNOWN = "Zone information could not be determined"
THREADS = "Thread Threshold Exceeded. You have exceeded the number of concurrent threads allowed for this endpoint. Itgenatr005"
DEADLOCK = "Transaction (Process ID 61) was deadlocked on lock resources with another process. Rerun the transaction."


class Refusal(Exception):
    """Answered instead of a result."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.body.decode())
        self.response = response


def errors(*texts: str, status: int = 500, headers: Mapping[str, str] | None = None) -> Response:
    """The usual shape."""
    return json_response({"errors": list(texts)}, status=status, headers=headers)


def message(text: str, status: int) -> Response:
    """The shape of ASP.NET, when the request does not get as far as Autotask's own code."""
    return json_response({"Message": text}, status=status)


def page(status: int, title: str) -> Response:
    """The shape of a proxy or of IIS."""
    body = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Response(status=status, body=body.encode(), headers={"content-type": "text/html"})


def invalid(text: str) -> Refusal:
    """Validation is a 500."""
    return Refusal(errors(text))


def no_permission(doing: str) -> Refusal:
    """So is a missing permission. `doing` is query, create or update."""
    return Refusal(errors(NO_PERMISSION.format(doing=doing)))


def unsupported(method: str) -> Refusal:
    return Refusal(message(f"The requested resource does not support http method '{method}'.", 405))


def unauthorized() -> Refusal:
    """A wrong secret, a wrong integration code and a user without an API licence look the same."""
    return Refusal(message("Authorization has been denied for this request.", 401))


def missing_page() -> Refusal:
    return Refusal(page(404, "404 - File or directory not found."))
