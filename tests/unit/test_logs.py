"""Logs never hold a secret, however it came into them."""

from __future__ import annotations

import json
import logging
import sys
import threading
from decimal import Decimal
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from connector.logs import MASK, clean, luhn, setup

CANARY = "correct-horse-battery"


@pytest.mark.parametrize(
    "secret",
    [
        "sk_live_" + "51Hxyz0123456789abcdef",
        "rk_live_" + "51Hxyz0123456789abcdef",
        "sk_test_sandbox",
        "whsec_" + "0123456789abcdef",
        "Bearer eyJhbGciOiJIUzI1NiJ9.payload.signature",
        "bearer abcdefghijkl1",
        "AB11" + "x" * 40,
        "Basic c2FuZGJveCtwdWJsaWM6cHJpdmF0ZQ==",
        "4242 4242 4242 4242",
        "4242424242424242",
        "5555-5555-5555-4444",
        "378282246310005",
    ],
)
def test_what_looks_like_a_secret_is_hidden(secret: str) -> None:
    said = clean(f"request with {secret}, refused", [])

    assert secret not in said
    assert secret.split()[-1] not in said
    assert MASK in said
    assert said.endswith(", refused")


@pytest.mark.parametrize(
    "text",
    [
        "invoice 10424 of agreement 250",
        "charge cw:1/2026-03-01 of 1,482.00 USD",
        "in_1QcXyZ2eZvKYlo2C",
        "realm 9130350000000002",
        "2026-03-01T12:00:00.123456+00:00",
        "Basic Services 2025, bearer of news",
        "QuickBooks gave no refresh token: connect the company again",
        "client_secret: {file: secrets/quickbooks_client}",
        "token_days_left: 12",
        "https://api-na.myconnectwise.net:443/v4_6_release",
        "11111111-2222-3333-4444-555555555555",
    ],
)
def test_what_a_person_needs_stays(text: str) -> None:
    assert clean(text, [CANARY]) == text


@pytest.mark.parametrize("key", ["token", "refresh_token", "client_secret", "access_token", "password"])
@pytest.mark.parametrize("written", ["{}=abc123xyz", "{}: abc123xyz", '"{}": "abc123xyz"', "'{}': 'abc123xyz'"])
def test_a_value_with_a_secrets_name_is_hidden(key: str, written: str) -> None:
    said = clean(f"sent {written.format(key)} and more", [])

    assert "abc123xyz" not in said
    assert "and more" in said


def test_a_database_address_loses_its_password() -> None:
    assert clean("postgresql://agent:hunter2@db:5432/psa", []) == f"postgresql://agent:{MASK}@db:5432/psa"


@given(
    st.recursive(
        st.just(f"a{CANARY}b"), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    )
)
def test_a_known_secret_is_hidden_however_deep(value: object) -> None:
    assert CANARY not in json.dumps(clean(value, [CANARY]))


@pytest.mark.parametrize(
    "value", [Path(f"x/{CANARY}"), ValueError(CANARY), {CANARY}, b"x" + CANARY.encode(), {CANARY: 1}, (CANARY,)]
)
def test_a_known_secret_is_hidden_in_any_kind_of_value(value: object) -> None:
    assert CANARY not in str(clean(value, [CANARY]))


def test_a_field_with_a_secrets_name_is_hidden() -> None:
    assert clean({"refresh_token": "abc", "inner": [{"clientSecret": "def"}]}, []) == {
        "refresh_token": MASK,
        "inner": [{"clientSecret": MASK}],
    }


def test_numbers_and_nothing_stay_what_they_are() -> None:
    assert clean({"n": 3, "s": 1.5, "none": None, "yes": True, "d": Decimal("1.20")}, []) == {
        "n": 3,
        "s": 1.5,
        "none": None,
        "yes": True,
        "d": "1.20",
    }


def test_card_numbers_are_hidden_in_whole_numbers_too() -> None:
    assert clean({"card": 4242424242424242, "amount_minor": 148200}, []) == {"card": MASK, "amount_minor": 148200}


def test_a_log_line_is_json_with_its_time_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    setup(lambda: [CANARY], json=True)

    structlog.get_logger("x").info("released", charge="cw:1/2026-03-01", key=CANARY)

    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["level"], said["charge"], said["key"]) == ("released", "info", "cw:1/2026-03-01", MASK)
    assert said["timestamp"].endswith("Z")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_holds_no_secret(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    setup(lambda: [CANARY], json=as_json)

    try:
        _fails_with(CANARY)
    except ValueError:
        structlog.get_logger("x").exception("it failed")

    said = capsys.readouterr().err
    assert "it failed" in said
    assert "ValueError" in said
    assert "_fails_with" in said
    assert CANARY not in said


@pytest.mark.parametrize("as_json", [True, False])
def test_the_cause_of_an_error_holds_no_secret(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    setup(lambda: [CANARY], json=as_json)

    try:
        try:
            _fails_with(CANARY)
        except ValueError as error:
            raise RuntimeError("outer") from error
    except RuntimeError:
        structlog.get_logger("x").exception("it failed", exc_info=sys.exc_info())

    assert CANARY not in capsys.readouterr().err


@pytest.mark.parametrize("as_json", [True, False])
def test_libraries_logs_go_the_same_way(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    setup(lambda: [CANARY], json=as_json)

    logging.getLogger("some.library").warning("retrying %s with 4242424242424242", CANARY)
    logging.getLogger("some.library").info("chatter")

    said = capsys.readouterr().err
    assert "retrying" in said
    assert CANARY not in said
    assert "4242424242424242" not in said
    assert "chatter" not in said


def test_a_crash_holds_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    setup(lambda: [CANARY], json=True)
    try:
        _fails_with(CANARY)
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    crashed = threading.Thread(target=_fails_with, args=(CANARY,))
    crashed.start()
    crashed.join(10)

    said = capsys.readouterr().err
    assert said.count("stopped by an unexpected error") == 2
    assert CANARY not in said


def test_short_secrets_are_left_alone_as_they_would_hide_everything(capsys: pytest.CaptureFixture[str]) -> None:
    setup(lambda: ["", "a", CANARY], json=True)

    structlog.get_logger("x").info("a plan was applied")

    assert "a plan was applied" in capsys.readouterr().err


def test_a_secret_that_holds_another_is_hidden_whole() -> None:
    inner, outer = CANARY, f"{CANARY}-staple"

    assert clean(f"<{outer}>", sorted([inner, outer], key=len, reverse=True)) == f"<{MASK}>"


@given(st.from_regex(r"[1-9][0-9]{11,17}", fullmatch=True))
def test_every_number_has_one_check_digit(digits: str) -> None:
    assert sum(luhn(f"{digits}{check}") for check in range(10)) == 1


def _fails_with(secret: str) -> None:
    local = secret
    raise ValueError(f"the partner refused {local}")
