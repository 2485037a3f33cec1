"""adapters.http against a loopback server that answers as it is told, down to closing the connection."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.http import Http, Limits, LocalBudget, Reply, clean
from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater
from connector.testing.doubles import FixedClock, NoBudget

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
HANG_UP = b""
SECRET = "s3cr3t-value"


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Scripted:
    """Gives the next of `answers` to every connection; `HANG_UP` closes it without one. Keeps what it was sent."""

    answers: list[bytes]
    url: str = ""
    seen: list[str] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                self.seen.append(_request(connection))
                connection.sendall(self.answers.pop(0) if self.answers else answer(500))


def _request(connection: socket.socket) -> str:
    """Headers and body may arrive apart."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if b"\r\n\r\n" in received and len(body) >= int(length[1] if length else 0):
            break
    return received.decode()


@contextmanager
def server(*answers: bytes) -> Iterator[Scripted]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        scripted = Scripted(list(answers), f"http://127.0.0.1:{listener.getsockname()[1]}/api")
        thread = threading.Thread(target=scripted.serve, args=(listener,), daemon=True)
        thread.start()
        yield scripted
        listener.shutdown(socket.SHUT_RDWR)


@dataclass
class Sleeps:
    """Instead of sleeping."""

    slept: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def http(url: str, sleep: Callable[[float], None] | None = None, **options: object) -> Http:
    given: dict[str, object] = {"budget": NoBudget(), "clock": FixedClock(NOW), "sleep": sleep or Sleeps(), **options}
    return Http("partner", url, **given)  # type: ignore[arg-type]


def get(client: Http, path: str = "things", **options: object) -> Reply:
    return client.send("GET", path, idempotent=True, **options)  # type: ignore[arg-type]


def post(client: Http, path: str = "things") -> Reply:
    return client.send("POST", path, json={"amount": Decimal("94.10")}, idempotent=False)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_fractions_are_read_as_decimals_and_written_as_plain_numbers() -> None:
    with server(answer(body=b'{"amount": 0.10}')) as partner:
        reply = post(http(partner.url))

        assert reply.json() == {"amount": Decimal("0.10")}
        assert partner.seen[0].endswith('{"amount": 94.1}')


def test_query_values_are_percent_encoded_plus_and_brackets_too() -> None:
    with server(answer()) as partner:
        get(http(partner.url), params={"conditions": 'date > [2026-01-05T00:00:00+01:00] and name="a b"'})

        line = partner.seen[0].splitlines()[0]
        assert "conditions=date%20%3E%20%5B2026-01-05T00%3A00%3A00%2B01%3A00%5D%20and%20name%3D%22a%20b%22" in line


def test_our_authorization_header_is_sent_as_given_whatever_a_netrc_file_says(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path_factory.mktemp("home") / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with server(answer()) as partner:
        get(http(partner.url, headers={"Authorization": "Basic b3Vycw=="}))

        assert "Basic b3Vycw==" in partner.seen[0]


@pytest.mark.parametrize(
    "address",
    [
        "http://elsewhere.example/api/things",
        "http://127.0.0.1:1/api/things",
        "http://127.0.0.1/api/things",
        "../things",
        "things/%2e%2e/%2e%2e/other",
    ],
)
def test_credentials_go_to_no_other_address(address: str) -> None:
    client = http("http://127.0.0.1:8080/api", headers={"Authorization": SECRET})

    with pytest.raises(Rejected, match="outside") as caught:
        get(client, address)
    assert SECRET not in str(caught.value)


def test_a_path_beside_the_prefix_is_not_called() -> None:
    with pytest.raises(Rejected, match="outside"):
        get(http("http://127.0.0.1:8080/api"), "http://127.0.0.1:8080/apis/things")


def test_an_absolute_address_below_the_base_is_called() -> None:
    with server(answer()) as partner:
        get(http(partner.url), f"{partner.url}//things?page=2")

        assert partner.seen[0].startswith("GET /api//things?page=2 ")


def test_a_redirect_is_not_followed() -> None:
    with server(answer(302, location="http://elsewhere.example/")) as partner, pytest.raises(RetryLater, match="redirect"):
        get(http(partner.url))


def test_an_idempotent_request_is_sent_again_after_a_broken_connection_and_a_bad_gateway() -> None:
    sleep = Sleeps()
    with server(HANG_UP, answer(502), answer(body=b'{"ok": true}')) as partner:
        reply = get(http(partner.url, sleep))

    assert reply.json() == {"ok": True}
    assert len(sleep.slept) == 2


def test_attempts_are_bounded() -> None:
    with server(*[answer(503)] * 9) as partner, pytest.raises(RetryLater, match="HTTP 503"):
        get(http(partner.url, limits=Limits(attempts=3)))

    assert len(partner.seen) == 3


@pytest.mark.parametrize("reply", [HANG_UP, answer(500), answer(503), answer()[:-1], answer(200, b"<html>")])
def test_a_post_that_met_silence_or_a_server_error_is_sent_once_and_its_outcome_is_unknown(reply: bytes) -> None:
    with server(reply, answer()) as partner, pytest.raises(OutcomeUnknown, match="looked up before it is sent again"):
        post(http(partner.url)).json()

    assert len(partner.seen) == 1


def test_a_converging_write_that_stays_silent_is_never_said_to_have_done_nothing() -> None:
    with server(HANG_UP, HANG_UP, answer(429, retry_after="60")) as partner, pytest.raises(OutcomeUnknown):
        http(partner.url).send("PATCH", "things/1", json=[], idempotent=True)


def test_a_refused_connection_wrote_nothing() -> None:
    with pytest.raises(RetryLater, match="refused"):
        post(http(f"http://127.0.0.1:{closed_port()}"))


def test_no_answer_in_time_leaves_a_write_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OutcomeUnknown, match="no answer in time"):
        post(http(f"http://127.0.0.1:{silent.getsockname()[1]}", read_timeout_s=0.05))


def test_a_short_retry_after_is_obeyed() -> None:
    sleep = Sleeps()
    with server(answer(429, retry_after="3"), answer()) as partner:
        get(http(partner.url, sleep))

    assert sleep.slept == [3.0]


def test_a_long_retry_after_is_left_to_the_caller() -> None:
    sleep = Sleeps()
    with server(answer(429, retry_after="90")) as partner, pytest.raises(RetryLater) as caught:
        get(http(partner.url, sleep))

    assert caught.value.after_s == 90
    assert sleep.slept == []


def test_retry_after_may_be_a_date() -> None:
    with server(answer(429, retry_after="Mon, 05 Jan 2026 09:02:00 GMT")) as partner, pytest.raises(RetryLater) as caught:
        get(http(partner.url))

    assert caught.value.after_s == 120


@pytest.mark.parametrize("header", ["soon", "-5", "1e9"])
def test_a_retry_after_that_cannot_be_read_means_half_a_minute(header: str) -> None:
    with server(answer(429, retry_after=header)) as partner, pytest.raises(RetryLater) as caught:
        get(http(partner.url))

    assert caught.value.after_s == 30


def test_a_throttled_post_wrote_nothing() -> None:
    with server(answer(429, retry_after="1")) as partner, pytest.raises(RetryLater):
        post(http(partner.url))


def test_what_an_answer_means_is_the_clients_to_say() -> None:
    def classify(reply: Reply) -> ConnectorError | None:
        return Rejected("amount is wrong") if b"validation" in reply.body else None

    with server(answer(500, b"validation")) as partner, pytest.raises(Rejected, match="amount is wrong"):
        post(http(partner.url, classify=classify))


def test_a_status_below_500_is_the_callers_business() -> None:
    with server(answer(404, b'{"code": "NotFound"}')) as partner:
        reply = get(http(partner.url))

    assert (reply.status, reply.json()) == (404, {"code": "NotFound"})


def test_a_body_that_is_too_large_is_not_read() -> None:
    limits = Limits(body_bytes=10)
    with server(answer(body=b"x" * 11)) as partner, pytest.raises(RetryLater, match="larger than 10 bytes"):
        get(http(partner.url, limits=limits))


def test_an_answer_that_drips_for_too_long_is_given_up() -> None:
    limits = Limits(attempts=1)
    with server(answer()) as partner, pytest.raises(RetryLater, match="no answer in time"):
        get(http(partner.url, limits=limits, total_timeout_s=0.000001))


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": NaN}', b"[" * 100_000])
def test_a_read_that_is_not_json_is_tried_later(body: bytes) -> None:
    with server(answer(body=body)) as partner, pytest.raises(RetryLater, match="not JSON"):
        get(http(partner.url)).json()


def test_no_secret_is_in_an_error() -> None:
    body = f'{{"message": "bad token={SECRET}", "Authorization": "Bearer {SECRET}"}}'.encode()
    with server(answer(500, body)) as partner, pytest.raises(RetryLater) as caught:
        get(http(partner.url, headers={"Authorization": f"Basic {SECRET}"}), params={"client_secret": SECRET})

    assert SECRET not in f"{caught.value!r} {caught.value}"
    assert caught.value.__suppress_context__


def test_a_header_that_cannot_be_sent_is_not_shown() -> None:
    with server(answer()) as partner, pytest.raises(RetryLater) as caught:
        get(http(partner.url, headers={"Authorization": f"{SECRET}\n"}))

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\r\nlines\x00", "two lines"),
        ("Authorization: Basic abcdefgh", "***"),
        ("refresh_token=abc&x=1", "refresh_token=***&x=1"),
        ("sk_live_abc123 is wrong", "sk_live_*** is wrong"),
        ("x" * 400, "x" * 297 + "..."),
    ],
)
def test_text_of_a_partner_is_cleaned(text: str, shown: str) -> None:
    assert shown in clean(text)
    assert "abc" not in clean(text)


def test_a_base_address_with_a_user_name_is_refused() -> None:
    with pytest.raises(ValueError, match="without user name"):
        http("https://user:pass@host/")


def test_each_thread_has_its_own_session_and_close_ends_them_all() -> None:
    with server(answer(), answer(), answer()) as partner:
        client = http(partner.url)
        threads = [threading.Thread(target=get, args=(client,)) for _ in range(2)]
        for thread in threads:
            thread.start()
            thread.join()
        client.close()
        get(client)

        assert len(partner.seen) == 3


class Stingy:
    def __init__(self, *waits: float) -> None:
        self.waits = list(waits)

    def take(self, _partner: str) -> float:
        return self.waits.pop(0)


def test_a_request_waits_for_its_budget() -> None:
    sleep = Sleeps()
    with server(answer()) as partner:
        get(http(partner.url, sleep, budget=Stingy(0.5, 0.25, 0.0)))

    assert sleep.slept == [0.5, 0.25]


def test_a_request_does_not_wait_for_its_budget_without_end() -> None:
    with pytest.raises(RetryLater, match="rate allows"):
        get(http("http://127.0.0.1:1/", budget=Stingy(200, 200)))


def test_a_burst_is_allowed_then_requests_go_at_the_rate() -> None:
    clock = FixedClock(NOW)
    budget = LocalBudget({"partner": 60}, clock)
    burst = [budget.take("partner") for _ in range(7)]
    clock.advance(timedelta(seconds=1))

    assert burst == [0, 0, 0, 0, 0, 0, 1.0]
    assert (budget.take("partner"), budget.take("partner")) == (0, 1.0)


def test_one_partners_budget_is_not_anothers() -> None:
    budget = LocalBudget({"slow": 1}, FixedClock(NOW))
    budget.take("slow")

    assert budget.take("slow") == 60
    assert budget.take("other") == 0


def test_a_post_that_only_asks_is_asked_again_and_leaves_nothing_unknown() -> None:
    with server(HANG_UP, HANG_UP, HANG_UP, HANG_UP) as partner, pytest.raises(RetryLater):
        http(partner.url).send("POST", "things/query", json={}, idempotent=True, query=True)
