"""Wrong words in a file, told with the words that are allowed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(what: str, word: object, allowed: Iterable[str]) -> str:
    """`unknown converter 'decimel' (did you mean 'decimal'?)`"""
    words = sorted(allowed)
    close = get_close_matches(str(word), words, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(words)}"
    return f"unknown {what} {word!r} ({hint})"
