"""Reading YAML as YAML 1.2 says, with the line and column of every value kept for errors.

`no` and `on` are words, not booleans; a key that stands twice, an alias, a tag and a second document are errors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from connector.errors import ConfigError, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
Path_ = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Document:
    """The plain value and where each part of it stands. `key_places` are the places of mapping keys."""

    file: str
    value: Any
    places: dict[Path_, tuple[int, int]]
    key_places: dict[Path_, tuple[int, int]] = field(default_factory=dict)

    def problem(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> Problem:
        """At the value of this path, or at the nearest thing around it that the file has."""
        wanted = tuple(path)
        if at_key and wanted in self.key_places:
            line, column = self.key_places[wanted]
            return Problem(file=self.file, line=line, column=column, message=message)
        while wanted not in self.places and wanted:
            wanted = wanted[:-1]
        line, column = self.places.get(wanted, (0, 0))
        return Problem(file=self.file, line=line, column=column, message=message)


def read_yaml(path: Path, *, shown_as: str | None = None) -> Document:
    """ConfigError when the file cannot be read or is no YAML."""
    shown = shown_as or str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(Problem(file=shown, line=0, column=0, message=f"cannot be read: {error.strerror}")) from None
    if len(content) > MAX_BYTES:
        raise ConfigError(Problem(file=shown, line=0, column=0, message=f"larger than {MAX_BYTES} bytes"))
    try:
        return parse_yaml(content.decode(), shown)
    except UnicodeDecodeError:
        raise ConfigError(Problem(file=shown, line=0, column=0, message="is not UTF-8 text")) from None


def parse_yaml(text: str, file: str) -> Document:
    """The same from text. All problems of structure are reported together."""
    try:
        _no_aliases(text, file)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise ConfigError(Problem(file=file, line=line, column=column, message=f"not valid YAML: {error.problem}")) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(Problem(file=file, line=0, column=0, message=f"not valid YAML: {str(error).splitlines()[0]}")) from None
    reader = _Reader(file)
    value = reader.read(node, ()) if node is not None else None
    if reader.problems:
        raise ConfigError(*reader.problems)
    return Document(file=file, value=value, places=reader.places, key_places=reader.key_places)


def _no_aliases(text: str, file: str) -> None:
    """Anchors and aliases make a short file huge; nobody needs them here."""
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
            mark = token.start_mark
            problem = Problem(
                file=file, line=mark.line + 1, column=mark.column + 1, message="anchors and aliases are not used here"
            )
            raise ConfigError(problem)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core words: true/false, null, numbers; a date or `yes` is text."""


_Loader.yaml_implicit_resolvers = {}
_RESOLVERS = (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
)
for _tag, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.places: dict[Path_, tuple[int, int]] = {}
        self.key_places: dict[Path_, tuple[int, int]] = {}

    def read(self, node: yaml.Node, path: Path_) -> Any:
        self.places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if len(path) > MAX_DEPTH:
            self._wrong(node, f"nested deeper than {MAX_DEPTH} levels")
            return None
        match node:
            case yaml.MappingNode():
                return self._mapping(node, path)
            case yaml.SequenceNode():
                return [self.read(item, (*path, number)) for number, item in enumerate(node.value)]
            case _:
                return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._wrong(key_node, "a key must be a word")
                continue
            key = key_node.value
            if key in result:
                self._wrong(key_node, f"{key!r} stands here twice")
                continue
            self.key_places[(*path, key)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            result[key] = self.read(value_node, (*path, key))
        return result

    def _scalar(self, node: yaml.Node) -> Any:
        text: str = node.value
        match node.tag.rpartition(":")[2]:
            case "bool":
                return text.lower() == "true"
            case "null":
                return None
            case "int" if len(text) < 30:
                return int(text)
            case "int" | "float":
                return _Number(text)
            case "str":
                return text
        self._wrong(node, f"the tag {node.tag} is not used here")
        return None

    def _wrong(self, node: yaml.Node, message: str) -> None:
        mark = node.start_mark
        self.problems.append(Problem(file=self.file, line=mark.line + 1, column=mark.column + 1, message=message))


class _Number(str):
    """A decimal number as it was written, so that 0.1 stays 0.1."""
