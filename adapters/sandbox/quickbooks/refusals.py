"""How QuickBooks Online says no: upper-case and lower-case envelopes, JSON and XML."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from adapters.sandbox.wire import Response, plain

XML_NAMESPACE = "http://schema.intuit.com/finance/v3"


class Refused(Exception):
    """One `Fault` of the upper-case kind. `status` is the HTTP status, which may be 200."""

    def __init__(
        self,
        code: str,
        message: str,
        detail: str,
        *,
        element: str = "",
        status: int = 400,
        type: str = "ValidationFault",
    ) -> None:
        super().__init__(f"{code} {message}: {detail}")
        self.code = code
        self.message = message
        self.detail = detail
        self.element = element
        self.status = status
        self.type = type

    def fault(self) -> dict[str, Any]:
        error = {"Message": self.message, "Detail": self.detail, "code": self.code, "element": self.element}
        return {"Error": [error], "type": self.type}


def stale() -> Refused:
    detail = (
        "Stale Object Error : You and another user were working on this at the same time. "
        "The other user has finished, so your changes were not saved."
    )
    return Refused("5010", "Stale Object Error", detail)


def period_closed(code: str, through: str) -> Refused:
    detail = (
        "Account Period Closed, Cannot Update Through Services Error : The account period has closed and the account "
        f"books cannot be updated through through the QBO Services API. Closing date: {through}"
    )
    return Refused(code, "Account Period Closed, Cannot Update Through Services", detail)


def missing(parameter: str) -> Refused:
    message = "Required param missing, need to supply the required value for the API"
    return Refused("2020", message, f"Required parameter {parameter} is missing in the request", element=parameter)


def unsupported(name: str) -> Refused:
    message = "Request has invalid or unsupported property"
    return Refused("2010", message, f"Property Name:{name} specified is unsupported or invalid")


def too_long(name: str, most: int, length: int) -> Refused:
    detail = f"String length is either shorter or longer than supported by specification. Max. {most}, supplied {length}"
    return Refused("2050", "Invalid String. The string is either too long or too short", detail, element=name)


def invalid_number(text: str) -> Refused:
    return Refused("2040", "Invalid Number", f"Invalid Number : {text}")


def no_such_reference(name: str, value: str) -> Refused:
    return Refused("2500", "Invalid Reference Id", f"Invalid Reference Id : {name} element id {value} not found", element=name)


def not_found() -> Refused:
    detail = (
        "Object Not Found : Something you're trying to use has been made inactive. "
        "Check the fields with accounts, customers, items, vendors or employees."
    )
    return Refused("610", "Object Not Found", detail)


def business(detail: str) -> Refused:
    message = "A business validation error has occurred while processing your request"
    return Refused("6000", message, f"Business Validation Error: {detail}")


def duplicate_name() -> Refused:
    detail = "The name supplied already exists. : Another customer is already using this name. Please use a different name."
    return Refused("6240", "Duplicate Name Exists Error", detail)


def duplicate_number(number: str, kind: str, id: str) -> Refused:
    detail = (
        "Duplicate Document Number Error : You must specify a different number. This number has already been used. "
        f"DocNumber={number} is assigned to TxnType={kind} with TxnId={id}"
    )
    return Refused("6140", "Duplicate Document Number Error", detail)


def deposited() -> Refused:
    detail = (
        "Deposited Transaction cannot be changed : If you wish to modify or delete this transaction, "
        "you must first edit the deposit it appears on and remove it."
    )
    return Refused("6540", "Deposited Transaction cannot be changed", detail)


def query_error(detail: str) -> Refused:
    return Refused("4001", "Invalid query", f"QueryValidationError: {detail}")


def lapsed() -> Refused:
    """Arrives with HTTP 200."""
    detail = "Subscription period has ended or canceled or there was a billing problem"
    return Refused("6190", "Invalid Company Status", detail, status=200)


def server_error(status: int) -> Refused:
    message = "An application error has occurred while processing your request"
    detail = "System Failure Error: An unexpected error occurred while accessing or saving your data"
    return Refused("10000", message, detail, status=status, type="SystemFault")


def throttled() -> Refused:
    message = "message=ThrottleExceeded; errorCode=003001; statusCode=429"
    detail = "The request limit was reached.  Try again later"
    return Refused("3001", message, detail, status=429, type="SERVICE")


def as_json(refused: Refused, time: str) -> Response:
    return _json({"Fault": refused.fault(), "time": time}, refused.status)


def as_xml(refused: Refused, time: str) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f"<IntuitResponse xmlns={quoteattr(XML_NAMESPACE)} time={quoteattr(time)}>"
        f"<Fault type={quoteattr(refused.type)}><Error code={quoteattr(refused.code)}>"
        f"<Message>{escape(refused.message)}</Message><Detail>{escape(refused.detail)}</Detail>"
        "</Error></Fault></IntuitResponse>"
    )
    return Response(status=refused.status, body=body.encode(), headers={"content-type": "application/xml"})


def unauthenticated(now: datetime) -> Response:
    message = "message=AuthenticationFailed; errorCode=003200; statusCode=401"
    return _lower_case(401, "3200", message, "Token expired or invalid", "AUTHENTICATION", now)


def unauthorized(now: datetime) -> Response:
    message = "message=AuthorizationFailed; errorCode=003100; statusCode=403"
    return _lower_case(403, "3100", message, None, "SERVICE", now)


def _lower_case(status: int, code: str, message: str, detail: str | None, type: str, now: datetime) -> Response:
    envelope: dict[str, object] = {
        "warnings": None,
        "intuitObject": None,
        "fault": {"error": [{"message": message, "detail": detail, "code": code, "element": None}], "type": type},
        "report": None,
        "queryResponse": None,
        "batchItemResponse": [],
        "attachableResponse": [],
        "syncErrorResponse": None,
        "requestId": None,
        "time": int(now.timestamp() * 1000),
        "status": None,
        "cdcresponse": [],
    }
    return _json(envelope, status)


def _json(content: object, status: int) -> Response:
    body = json.dumps(content, default=plain).encode()
    return Response(status=status, body=body, headers={"content-type": "application/json;charset=UTF-8"})
