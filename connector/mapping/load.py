"""From an admin's YAML file to checked rules. Every problem of the file is reported, with file, line and column."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from connector.config.words import unknown
from connector.config.yaml import At, Document, read_yaml
from connector.errors import ConfigError, Problem
from connector.mapping.convert import CONVERTERS, TO_TYPE, NotConvertible, shown, word_of
from connector.mapping.paths import FieldPath, WrongPath, compiled
from connector.mapping.rules import NOTHING, CompiledMapping, CompiledSection, Condition, Field, Rule
from connector.mapping.spec import FieldSpec, MappingSpec, SectionSpec

VERSION = "1"
FILE_KEYS = ("version", "adapter", "sections")
SECTION_KEYS = ("take", "fields")
RULE_KEYS = ("from", "value", "else", "default", "values", "convert")
TESTS = ("is", "is_not", "in", "not_in", "exists")
MAX_ELSE = 10


def load_mapping(path: Path, spec: MappingSpec, *, shown_as: str | None = None) -> CompiledMapping:
    """ConfigError with every problem: unknown words (with the nearest known one), wrong paths, missing required fields."""
    return checked(read_yaml(path, shown_as=shown_as), spec)


def checked(document: Document, spec: MappingSpec) -> CompiledMapping:
    """The same from a document that was read already."""
    notes = _Notes(document)
    mapping = _mapping(notes, spec)
    if notes.problems:
        raise ConfigError(*sorted(dict.fromkeys(notes.problems), key=lambda problem: (problem.line, problem.column)))
    return mapping


class _Notes:
    """The document, and what was found wrong in it so far."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def wrong(self, at: At, message: str) -> None:
        self.problems.append(self.document.problem(at, message))

    def keys(self, content: Any, at: At, what: str, allowed: Iterable[str]) -> dict[str, Any]:
        """The content as a mapping that has known keys only."""
        if not isinstance(content, dict):
            self.wrong(at, f"here should stand keys with values, not {shown(content)}")
            return {}
        known = tuple(allowed)
        for key in content:
            if key not in known:
                self.problems.append(self.document.problem_at_key((*at, key), unknown(what, key, known)))
        return content

    def place(self, at: At) -> str:
        problem = self.document.problem(at, "")
        return f"{problem.file}:{problem.line}:{problem.column}"


def _mapping(notes: _Notes, spec: MappingSpec) -> CompiledMapping:
    top = notes.keys(notes.document.value, (), "key", FILE_KEYS)
    if top.get("version") != VERSION:
        notes.wrong(("version",), f"version: should be {VERSION}")
    if top.get("adapter") != spec.adapter:
        notes.wrong(("adapter",), f"this file is used with the adapter {spec.adapter!r}; write adapter: {spec.adapter}")
    at: At = ("sections",)
    sections = notes.keys(top.get("sections") or {}, at, "section", (section.name for section in spec.sections))
    compiled_sections = {each.name: _section(notes, sections.get(each.name) or {}, each) for each in spec.sections}
    return CompiledMapping(spec=spec, sections=compiled_sections)


def _section(notes: _Notes, content: Any, spec: SectionSpec) -> CompiledSection:
    at: At = ("sections", spec.name)
    body = notes.keys(content, at, "key", SECTION_KEYS)
    if "take" in body and not spec.filtered:
        notes.problems.append(notes.document.problem_at_key((*at, "take"), f"the section {spec.name!r} has no filter"))
    rules = notes.keys(body.get("fields") or {}, (*at, "fields"), "field", (field.name for field in spec.fields))
    fields = tuple(_field(notes, rules, field, (*at, "fields", field.name)) for field in spec.fields)
    return CompiledSection(fields=fields, conditions=_conditions(notes, body.get("take"), (*at, "take")))


def _field(notes: _Notes, rules: dict[str, Any], spec: FieldSpec, at: At) -> Field:
    if spec.name in rules:
        return Field(spec=spec, rule=_rule(notes, rules[spec.name], spec, at))
    if spec.required:
        notes.wrong(at, f"the field {spec.name!r} is missing ({spec.doc or spec.type})")
    return Field(spec=spec, rule=None)


def _rule(notes: _Notes, content: Any, spec: FieldSpec, at: At) -> Rule | None:
    body = notes.keys(content, at, "key", RULE_KEYS)
    if at.count("else") > MAX_ELSE:
        notes.wrong(at, f"more than {MAX_ELSE} else: in one another")
        return None
    if "value" in body:
        return _constant_rule(notes, body, spec, at)
    if "from" not in body:
        notes.wrong(at, f"{spec.name}: a rule has from: (a path) or value: (a constant)")
        return None
    if body.get("default") is not None:
        _constant(notes, body["default"], spec, (*at, "default"))
    return Rule(
        place=notes.place(at),
        path=_path(notes, body["from"], (*at, "from")),
        values=_values(notes, body["values"], spec, (*at, "values")) if "values" in body else None,
        convert=_converter(notes, body["convert"], (*at, "convert")) if "convert" in body else None,
        default=body.get("default", NOTHING),
        fallback=_rule(notes, body["else"], spec, (*at, "else")) if "else" in body else None,
    )


def _constant_rule(notes: _Notes, body: dict[str, Any], spec: FieldSpec, at: At) -> Rule:
    others = [key for key in RULE_KEYS if key in body and key != "value"]
    if others:
        notes.problems.append(
            notes.document.problem_at_key((*at, others[0]), f"{others[0]}: cannot stand beside value:, which is a constant")
        )
    _constant(notes, body["value"], spec, (*at, "value"))
    return Rule(place=notes.place(at), path=None, constant=body["value"])


def _constant(notes: _Notes, written: Any, spec: FieldSpec, at: At) -> None:
    """What stands in the file for a field must be of its type, and one of its words."""
    if written is None or written == "":
        if spec.required:
            notes.wrong(at, f"{spec.name}: is required, so it cannot be empty")
        return
    try:
        value = TO_TYPE[spec.type](written)
    except NotConvertible as error:
        notes.wrong(at, f"{spec.name}: {error}")
        return
    if spec.choices and value not in spec.choices:
        notes.wrong(at, unknown(spec.name, value, spec.choices))


def _values(notes: _Notes, content: Any, spec: FieldSpec, at: At) -> dict[str, Any]:
    if not isinstance(content, dict) or not content:
        notes.wrong(at, "values: wants a table, for example {Monthly: monthly}")
        return {}
    table: dict[str, Any] = {}
    for theirs, ours in content.items():
        _constant(notes, ours, spec, (*at, theirs))
        word = word_of(theirs)
        if word in table:
            notes.problems.append(notes.document.problem_at_key((*at, theirs), f"{word!r} stands here twice"))
        table[word] = ours
    return table


def _converter(notes: _Notes, written: Any, at: At) -> Callable[[Any], Any] | None:
    if not isinstance(written, str) or written not in CONVERTERS:
        notes.wrong(at, unknown("converter", written, CONVERTERS))
        return None
    return CONVERTERS[written]


def _path(notes: _Notes, written: Any, at: At) -> FieldPath | None:
    try:
        return compiled(written)
    except WrongPath as error:
        notes.problems.append(notes.document.problem_in_text(at, error.offset, str(error)))
        return None


def _conditions(notes: _Notes, content: Any, at: At) -> tuple[Condition, ...]:
    if content is None:
        return ()
    if not isinstance(content, list):
        notes.wrong(at, "take: wants a list of conditions, each beginning with a dash")
        return ()
    conditions = (_condition(notes, item, (*at, number)) for number, item in enumerate(content))
    return tuple(condition for condition in conditions if condition is not None)


def _condition(notes: _Notes, content: Any, at: At) -> Condition | None:
    body = notes.keys(content, at, "key", ("from", *TESTS))
    tests = [test for test in TESTS if test in body]
    if "from" not in body or len(tests) != 1:
        notes.wrong(at, f"a condition has from: and one of {', '.join(TESTS)}")
        return None
    (test,) = tests
    path = _path(notes, body["from"], (*at, "from"))
    if path is None:
        return None
    if test == "exists":
        return _existence(notes, body[test], path, at)
    return Condition(place=notes.place(at), path=path, test=test, words=_words(notes, test, body[test], (*at, test)))


def _existence(notes: _Notes, wanted: Any, path: FieldPath, at: At) -> Condition:
    if not isinstance(wanted, bool):
        notes.wrong((*at, "exists"), f"exists: wants true or false, not {shown(wanted)}")
    return Condition(place=notes.place(at), path=path, test="exists", present=bool(wanted))


def _words(notes: _Notes, test: str, wanted: Any, at: At) -> frozenset[str]:
    many = test in ("in", "not_in")
    if many and (not isinstance(wanted, list) or not wanted):
        notes.wrong(at, f"{test}: wants a list, for example [Managed Services, Cloud]")
        return frozenset()
    listed = [(item, (*at, number)) for number, item in enumerate(wanted)] if many else [(wanted, at)]
    return frozenset(word for item, place in listed for word in _word(notes, test, item, place))


def _word(notes: _Notes, test: str, wanted: Any, at: At) -> tuple[str, ...]:
    if isinstance(wanted, str | bool) and wanted != "":
        return (word_of(wanted),)
    hint = "for no value write exists: false" if wanted in (None, "") else "for several use in: or not_in:"
    notes.wrong(at, f"{test}: wants one value, not {shown(wanted)}; {hint}")
    return ()
