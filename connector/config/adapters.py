"""Adapters are found by name through the entry-point group `psa_connector.adapters`, ours and third parties' alike."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from connector.config.words import unknown
from connector.errors import ConfigError
from connector.ports import AdapterSpec

GROUP = "psa_connector.adapters"


def installed() -> list[str]:
    return sorted({point.name for point in entry_points(group=GROUP)})


@cache
def find_adapter(name: str) -> AdapterSpec:
    """ConfigError lists the adapters that are installed, or says why this one cannot be used."""
    point = next((point for point in entry_points(group=GROUP) if point.name == name), None)
    if point is None:
        raise ConfigError(unknown("adapter", name, installed()))
    return _loaded(point)


def _loaded(point: EntryPoint) -> AdapterSpec:
    try:
        spec = point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the adapter {point.name!r} is installed but cannot be loaded: {error}") from error
    if not isinstance(spec, AdapterSpec):
        raise ConfigError(f"the adapter {point.name!r} ({point.value}) is not an AdapterSpec")
    return spec
