"""The status page as a browser shows it."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit import serve_facts
from tests.unit.serving import Dials, Served, served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars"
).split()
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true", reason="there is no Chromium on this machine to show the page"
)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, Dials(token_days={"quickbooks": 90})) as running:
        serve_facts.lived_in(running.store)
        yield running


def browse(folder: Path, *arguments: str) -> str:
    """What Chromium prints. Its profile is thrown away."""
    assert CHROMIUM is not None, "Chromium is missing"
    command = [CHROMIUM, *QUIET, f"--user-data-dir={folder / 'profile'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def shown(dom: str) -> str:
    """The text between the tags."""
    body = dom[dom.index("<body") :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_page_says_how_it_is(agent: Served, tmp_path: Path) -> None:
    dom = browse(tmp_path, "--dump-dom", agent.url + "/")

    text = shown(dom)
    assert "<title>Example MSP: PSA Connector is degraded</title>" in dom
    assert "degraded: late, or something needs attention" in text
    assert "42 billing units due 2026-03-03 have no invoice in the PSA yet." in text
    assert re.search(r"connectwise\s+down\s+never", text)
    assert re.search(r"stripe\s+works\s+5 minutes ago", text)
    assert re.search(r"not yet due\s+1\s+125.00 USD", text)
    assert re.search(r"missing invoice\s+1", text)


def test_a_company_cannot_write_into_the_page(tmp_path: Path) -> None:
    with served(tmp_path, Dials(company="<img src=x onerror=document.title='owned'>&Sons")) as agent:
        dom = browse(tmp_path, "--dump-dom", agent.url + "/")

    assert "<img" not in dom
    assert "<title>owned" not in dom
    assert "&amp;Sons" in dom


@pytest.mark.parametrize("size", ["390x844", "1280x900"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_shown_on_any_screen_light_or_dark(agent: Served, tmp_path: Path, size: str, scheme: str) -> None:
    picture = tmp_path / f"{scheme}-{size}.png"
    dark = ["--force-dark-mode", "--enable-features=WebContentsForceDark:inversion_method/none"] if scheme == "dark" else []

    browse(tmp_path, *dark, f"--screenshot={picture}", f"--window-size={size.replace('x', ',')}", agent.url + "/")

    width, height, corner = _seen(picture)
    assert f"{width}x{height}" == size
    assert corner == ((0xF6, 0xF7, 0xF9) if scheme == "light" else (0x12, 0x16, 0x1B))


def _seen(picture: Path) -> tuple[int, int, tuple[int, ...]]:
    """Width, height, and the colour of the first pixel (which no PNG filter changes) of a picture."""
    content = picture.read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    chunks, at = b"", 8
    while at < len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        chunks += content[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    return width, height, tuple(zlib.decompress(chunks)[1:4])
