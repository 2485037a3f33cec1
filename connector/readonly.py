"""The first wall of shadow mode: a partner's adapter of which only the reading half can be called.

The second wall is HTTP itself: adapters built with `Context.read_only` refuse to send what could change something.
"""

from __future__ import annotations

from typing import Any, TypeVar

from connector.errors import Rejected
from connector.ports import READS, Adapter

REFUSED = "shadow"  # code of the refusal
A = TypeVar("A", bound=Adapter)


def read_only(adapter: A) -> A:
    """Rejected with code `shadow` when a method is called that could write."""
    return _ReadOnly(adapter)  # type: ignore[return-value]


class _ReadOnly:
    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        if name not in READS and callable(getattr(self._adapter, name)):
            raise Rejected(
                f"{self._adapter.name}: nothing was written ({name.replace('_', ' ')}), because this is shadow mode."
                " To write: set `mode: live` in the configuration, after `connector go-live-report` says ready.",
                code=REFUSED,
            )
        return getattr(self._adapter, name)
