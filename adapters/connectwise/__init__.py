"""ConnectWise PSA."""

from adapters.connectwise.port import ADAPTER, ConnectWise
from adapters.connectwise.settings import ConnectWiseSettings

__all__ = ["ADAPTER", "ConnectWise", "ConnectWiseSettings"]
