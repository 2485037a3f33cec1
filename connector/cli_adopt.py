"""The command that joins an existing book of business: propose, let a person decide, take over."""

from __future__ import annotations

from typing import Any

COMMANDS: tuple[Any, ...] = ()
