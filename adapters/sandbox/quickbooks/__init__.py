"""QuickBooks Online on loopback: OAuth tokens that rotate, entities with SyncTokens, query, CDC, batch, faults."""

from adapters.sandbox.quickbooks.partner import REALM, QuickBooks
from adapters.sandbox.quickbooks.refusals import Refused
from adapters.sandbox.quickbooks.tokens import CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH_TOKEN

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "FIRST_REFRESH_TOKEN", "REALM", "QuickBooks", "Refused"]
