"""Spoilt answers: every field of every answer of a call, missing, empty, of the wrong type, unknown, absurd."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.fault_proxy import FaultProxy

Path = tuple[str | int, ...]
GONE = object()
WORDS = ("", "no such word", "2026-13-45", "x" * 5000, "\u0000\ud7ff")
NUMBERS = (0, -1, 10**18, 0.1 + 0.2)
SPOILT: tuple[Any, ...] = (GONE, None, True, [], {}, ["x"], {"x": 1}, *WORDS, *NUMBERS)


@dataclass(frozen=True, kw_only=True)
class Spoil:
    """One change of one answer of a call: which answer, where in its body, and what stands there instead."""

    answer: int
    path: Path
    value: Any

    def __str__(self) -> str:
        shown = "gone" if self.value is GONE else repr(self.value)[:40]
        return f"answer {self.answer}, {'.'.join(map(str, self.path)) or 'all of it'}: {shown}"


class Spoiler:
    """Stands in the proxy: hears what a call is answered, and spoils one place of it."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self._count = 0
        self._heard: list[Any] = []
        self._spoil: Spoil | None = None
        proxy.mangle = self._mangle

    def answers(self, call: Callable[[], object]) -> list[Any]:
        """What the call is answered when nothing is spoilt."""
        self._count, self._heard, self._spoil = 0, [], None
        call()
        return self._heard

    def spoilt(self, call: Callable[[], object], spoil: Spoil) -> object:
        self._count, self._heard, self._spoil = 0, [], spoil
        try:
            return call()
        finally:
            self._spoil = None

    def _mangle(self, _: int, body: bytes) -> bytes:
        number, self._count = self._count, self._count + 1
        try:
            content = json.loads(body)
        except ValueError:
            return body
        self._heard.append(content)
        if self._spoil is None or self._spoil.answer != number:
            return body
        return json.dumps(changed(content, self._spoil)).encode()


def spoils(answers: list[Any]) -> Iterator[Spoil]:
    for number, content in enumerate(answers):
        for path in _paths(content):
            for value in SPOILT:
                if path or value is not GONE:
                    yield Spoil(answer=number, path=path, value=value)


def changed(content: Any, spoil: Spoil) -> Any:
    if not spoil.path:
        return spoil.value
    result = place = copy.deepcopy(content)
    try:
        for step in spoil.path[:-1]:
            place = place[step]
        if spoil.value is GONE:
            del place[spoil.path[-1]]
        else:
            place[spoil.path[-1]] = spoil.value
    except (KeyError, IndexError, TypeError):  # what is answered once only was answered before: another answer has this number
        return content
    return result


def _paths(content: Any, here: Path = ()) -> Iterator[Path]:
    """Of a list the first element only: the others are alike."""
    yield here
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _paths(value, (*here, key))
    elif isinstance(content, list) and content:
        yield from _paths(content[0], (*here, 0))
