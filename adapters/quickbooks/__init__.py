"""QuickBooks Online as the books."""

from __future__ import annotations

from adapters.quickbooks.rules import SPEC
from adapters.quickbooks.settings import QuickBooksSettings
from connector.ports import AdapterSpec, Books, Context, Role


def _build(settings: QuickBooksSettings, context: Context) -> Books:
    from adapters.quickbooks.port import QuickBooks  # Intuit's libraries take their time to import

    return QuickBooks(settings, context)


ADAPTER = AdapterSpec(name="quickbooks", role=Role.BOOKS, settings=QuickBooksSettings, mapping=SPEC, build=_build)
