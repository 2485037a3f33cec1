"""Reading YAML as YAML 1.2 says, with the line and column of every value kept for errors.

`no` and `on` are words, not booleans. A key that stands twice, an anchor, an alias, a tag and a second document are errors.
A number stays as it was written (`Number`): 0.10 is not 0.1 before somebody asks for its value, and an id of digits is an id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from connector.errors import ConfigError, Problem

MAX_BYTES = 500_000
MAX_DEPTH = 40
At = tuple[str | int, ...]  # keys and positions from the top of the document
Place = tuple[int, int]  # line and column, from 1


class Number(str):
    """A number as it was written in the file."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, kw_only=True)
class Document:
    """The plain value (dict, list, str, Number, bool, None) and where each part of it stands.

    `keys` are the places of mapping keys; `texts` the place of the first character inside the quotes, for words that
    stand in the file just as they are read.
    """

    file: str
    value: Any
    places: dict[At, Place] = field(default_factory=dict)
    keys: dict[At, Place] = field(default_factory=dict)
    texts: dict[At, Place] = field(default_factory=dict)

    def problem(self, at: Sequence[str | int], message: str) -> Problem:
        """At this value, or at the nearest thing around it that the file has."""
        wanted = tuple(at)
        while wanted not in self.places and wanted:
            wanted = wanted[:-1]
        return self._at(self.places.get(wanted, (0, 0)), message)

    def problem_at_key(self, at: Sequence[str | int], message: str) -> Problem:
        place = self.keys.get(tuple(at))
        return self._at(place, message) if place is not None else self.problem(at, message)

    def problem_in_text(self, at: Sequence[str | int], offset: int, message: str) -> Problem:
        """At a character of a text; at its beginning where escapes or folded lines make counting impossible."""
        place = self.texts.get(tuple(at))
        return self._at((place[0], place[1] + offset), message) if place is not None else self.problem(at, message)

    def _at(self, place: Place, message: str) -> Problem:
        return Problem(file=self.file, line=place[0], column=place[1], message=message)


def read_yaml(path: Path, *, shown_as: str | None = None) -> Document:
    """ConfigError when the file cannot be read or is no YAML."""
    shown = shown_as or str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _whole_file(shown, f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise _whole_file(shown, f"is larger than {MAX_BYTES} bytes")
    try:
        return parse_yaml(content.decode("utf-8-sig"), shown)
    except UnicodeDecodeError:
        raise _whole_file(shown, "is not UTF-8 text") from None


def parse_yaml(text: str, file: str) -> Document:
    """The same from text. All problems of structure are reported together."""
    try:
        refused = [_problem(file, mark, message) for mark, message in _refused(text)]
        if refused:
            raise ConfigError(*refused)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        message = f"not valid YAML: {error.problem or error.context}"
        raise ConfigError(_problem(file, error.problem_mark or error.context_mark, message)) from None
    except yaml.YAMLError as error:
        raise _whole_file(file, f"not valid YAML: {str(error).splitlines()[0]}") from None
    reader = _Reader(text, file)
    value = reader.read(node, ()) if node is not None else None
    if reader.problems:
        raise ConfigError(*reader.problems)
    return Document(file=file, value=value, places=reader.places, keys=reader.keys, texts=reader.texts)


def _refused(text: str) -> Iterator[tuple[yaml.Mark, str]]:
    """What the files do not need and what surprises: anchors make a short file huge, tags choose types behind one's back.

    Stops at deep nesting, on which the parser takes very long.
    """
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        depth += isinstance(token, _STARTS) - isinstance(token, _ENDS)
        if depth > MAX_DEPTH:
            yield token.start_mark, f"nested deeper than {MAX_DEPTH} levels"
            return
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
            yield token.start_mark, "anchors (&) and aliases (*) are not used here; a text that begins so needs quotes"
        if isinstance(token, yaml.TagToken):
            yield token.start_mark, "tags (!) are not used here; a text that begins so needs quotes"


_STARTS = (yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken, yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)
_ENDS = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core words: true/false, null, numbers; `yes`, a date, `007` and `1_000` are text."""


_Loader.yaml_implicit_resolvers = {}
_RESOLVERS = (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
)
for _tag, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.problems: list[Problem] = []
        self.places: dict[At, Place] = {}
        self.keys: dict[At, Place] = {}
        self.texts: dict[At, Place] = {}

    def read(self, node: yaml.Node, at: At) -> Any:
        self.places[at] = _place(node.start_mark)
        match node:
            case yaml.MappingNode():
                return self._mapping(node, at)
            case yaml.SequenceNode():
                return [self.read(item, (*at, number)) for number, item in enumerate(node.value)]
            case yaml.ScalarNode():
                self._note_text(node, at)
                return _scalar(node)
        raise TypeError(node)  # yaml has no other nodes

    def _mapping(self, node: yaml.MappingNode, at: At) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                self._wrong(key_node, "a key must be a word; a value that begins with { or [ needs quotes")
            elif key in result:
                line = self.keys[(*at, key)][0]
                self._wrong(key_node, f"{key!r} stands here twice (first in line {line})")
            else:
                self.keys[(*at, key)] = _place(key_node.start_mark)
                result[key] = self.read(value_node, (*at, key))
        return result

    def _note_text(self, node: yaml.ScalarNode, at: At) -> None:
        quotes = 1 if node.style in ("'", '"') else 0
        start, end = node.start_mark.index + quotes, node.end_mark.index - quotes
        if self.text[start:end] == node.value and "\n" not in node.value:
            line, column = _place(node.start_mark)
            self.texts[at] = (line, column + quotes)

    def _wrong(self, node: yaml.Node, message: str) -> None:
        self.problems.append(_problem(self.file, node.start_mark, message))


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    match node.tag.rpartition(":")[2]:
        case "bool":
            return text.lower() == "true"
        case "null":
            return None
        case "int" | "float":
            return Number(text)
    return text


def _place(mark: yaml.Mark) -> Place:
    return mark.line + 1, mark.column + 1


def _problem(file: str, mark: yaml.Mark | None, message: str) -> Problem:
    line, column = _place(mark) if mark is not None else (0, 0)
    return Problem(file=file, line=line, column=column, message=message)


def _whole_file(file: str, message: str) -> ConfigError:
    return ConfigError(Problem(file=file, line=0, column=0, message=message))
