"""What the sandbox's QuickBooks shows and takes has the element names of the published XSDs."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from adapters.sandbox.quickbooks import QuickBooks
from adapters.sandbox.quickbooks.shapes import COMMON, SHAPES
from adapters.sandbox.world import World

SHARED = Path(os.environ.get("CONNECTOR_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
XSD = SHARED / "specs" / "quickbooks_xsd"
XS = "{http://www.w3.org/2001/XMLSchema}"
# In the JSON of the documentation, not in the XSDs that were published with the SDK.
JSON_ONLY = {"sparse", "domain", "status", "TaxExemptionRef", "LinkedTxn", "GlobalTaxCalculation"}

pytestmark = pytest.mark.skipif(not XSD.exists(), reason=f"the published XSDs are not at {XSD}; set CONNECTOR_SHARED")


def element_names(kind: str) -> set[str]:
    types = {node.get("name"): node for path in XSD.glob("*.xsd") for node in ET.parse(path).iter(f"{XS}complexType")}  # noqa: S314
    names: set[str] = set()
    while kind in types:
        names |= {str(node.get("name") or node.get("ref")) for node in types[kind].iter(f"{XS}element")}
        names |= {str(node.get("name")) for node in types[kind].iter(f"{XS}attribute")}
        kind = next((str(node.get("base")) for node in types[kind].iter(f"{XS}extension")), "")
    return names


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_the_names_that_the_sandbox_takes_are_published(kind: str) -> None:
    shape = SHAPES[kind]

    assert (shape.writable | shape.derived | COMMON) - JSON_ONLY - element_names(kind) == set()


def test_the_records_that_the_sandbox_shows_have_published_names() -> None:
    partner = QuickBooks(World())
    hand = partner.bookkeeper
    hand.enter_customer("Acme", "ap@acme.example")
    hand.enter_invoice("1001", "Acme", "2026-01-01", "2026-01-31", "108.25", "8.25")
    cheque = hand.enter_payment("Acme", "108.25", number="1001")
    hand.enter_credit_memo("Acme", "5")
    hand.make_deposit([cheque], fee="3.44")

    state = partner.state()

    for kind in SHAPES:
        for record in state[kind]:
            assert set(record) - JSON_ONLY - element_names(kind) == set(), kind
            for line in record.get("Line", ()):
                assert set(line) - element_names("Line") == set(), kind
