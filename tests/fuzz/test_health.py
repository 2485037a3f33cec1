"""Whatever is asked of the port that serves health: an answer below 500, in a moment, without a word that is private."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit import serve_facts
from tests.unit.serving import Served, served

methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"]) | st.from_regex(
    r"[A-Z]{1,12}", fullmatch=True
)
paths = st.sampled_from(["/", "/healthz", "/livez", "/readyz", "/metrics"]) | st.text(
    st.characters(min_codepoint=33, max_codepoint=126), max_size=60
).map(lambda text: "/" + text)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
headers = st.dictionaries(st.from_regex(r"[A-Za-z-]{1,20}", fullmatch=True), values, max_size=4)
patient = settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("fuzz")) as running:
        serve_facts.lived_in(running.store)
        yield running


def said(agent: Served, request: bytes) -> bytes:
    """Everything until the other side ends; at most two seconds of silence."""
    host, port = agent.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=2) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def is_fine(answer: bytes) -> bool:
    text = answer.decode(errors="replace").lower()
    page = "<!doctype html>" in text  # the one place with totals
    private = [word for word in serve_facts.PRIVATE if word.lower() in text and not (page and word == "125.00")]
    status = answer.split(b" ", 2)[1] if answer.startswith(b"HTTP/") else b"400"
    return not private and (int(status) < 500 or status in (b"501", b"503")) and b"Traceback" not in answer


@patient
@given(method=methods, path=paths, sent=headers)
def test_whatever_is_asked_is_answered(agent: Served, method: str, path: str, sent: dict[str, str]) -> None:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *(f"{name}: {value}" for name, value in sent.items())]
    answer = said(agent, "\r\n".join(lines).encode() + b"\r\n\r\n")

    assert is_fine(answer), answer[:400]


@patient
@given(noise=st.binary(max_size=400))
def test_noise_is_answered_or_hung_up_on(agent: Served, noise: bytes) -> None:
    assert is_fine(said(agent, noise))


@pytest.mark.parametrize(
    "head", [b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 300 + b"\r\n"]
)
def test_what_is_too_long_is_refused(agent: Served, head: bytes) -> None:
    assert is_fine(said(agent, head))
