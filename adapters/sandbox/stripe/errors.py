"""How Stripe says no."""

from __future__ import annotations

from typing import Any

DOCS = "https://stripe.com/docs/error-codes/"


class StripeError(Exception):
    """Becomes an error body. `before_execution`: the request never ran, so its idempotency key is not used up."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str = "",
        param: str = "",
        before_execution: bool = False,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.before_execution = before_execution
        self._fields = {"message": message, "type": kind, "code": code, "param": param, **(more or {})}

    def body(self, request_id: str) -> dict[str, Any]:
        error = {name: value for name, value in self._fields.items() if value != ""}
        if "code" in error:
            error["doc_url"] = DOCS + str(error["code"]).replace("_", "-")
        if error["type"] == "invalid_request_error":
            error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error}


def invalid(message: str, *, param: str = "", code: str = "") -> StripeError:
    """A parameter that cannot be what it is: the request is refused before it runs."""
    return StripeError(message, param=param, code=code, before_execution=True)


def no_such(kind: str, id: str, *, param: str = "id") -> StripeError:
    """404 where the path names the record, 400 where a parameter does."""
    words = kind.replace(".", " ").replace("_", " ")
    words = {"payment method": "PaymentMethod", "invoiceitem": "invoiceitem"}.get(words, words)
    status = 404 if param == "id" else 400
    return StripeError(f"No such {words}: '{id}'", status=status, code="resource_missing", param=param)
