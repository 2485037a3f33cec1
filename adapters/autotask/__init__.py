"""Autotask PSA."""

from adapters.autotask.port import ADAPTER, Autotask
from adapters.autotask.settings import AutotaskSettings

__all__ = ["ADAPTER", "Autotask", "AutotaskSettings"]
