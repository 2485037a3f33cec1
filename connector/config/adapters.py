"""Adapters are found by name through the entry-point group `psa_connector.adapters`, ours and third parties' alike."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from connector.config.words import unknown
from connector.errors import ConfigError
from connector.ports import AdapterSpec

GROUP = "psa_connector.adapters"


def installed() -> list[str]:
    return sorted({point.name for point in entry_points(group=GROUP)})


@cache
def find_adapter(name: str) -> AdapterSpec:
    """ConfigError lists the adapters that are installed."""
    for point in entry_points(group=GROUP):
        if point.name == name:
            spec = point.load()
            if not isinstance(spec, AdapterSpec):
                raise ConfigError(f"the adapter {name!r} ({point.value}) is not an AdapterSpec")
            return spec
    raise ConfigError(unknown("adapter", name, installed()))
