"""From an admin's YAML file to checked rules. Every problem of the file is reported, with file, line and column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, ParseError

from connector.config.words import unknown
from connector.config.yaml import Document, read_yaml
from connector.errors import ConfigError, Problem
from connector.mapping.convert import CONVERTERS, TO_TYPE, NotConvertible, key_of
from connector.mapping.rules import CompiledMapping, CompiledSection, Condition, Field, Rule, nothing
from connector.mapping.spec import FieldSpec, MappingSpec, SectionSpec

VERSION = 1
RULE_KEYS = ("from", "value", "else", "default", "values", "convert")
TESTS = ("is", "is_not", "in", "not_in", "exists")
At = tuple[str | int, ...]


def load_mapping(path: Path, spec: MappingSpec, *, shown_as: str | None = None) -> CompiledMapping:
    """ConfigError with every problem: unknown words (with the nearest known one), wrong paths, missing required fields."""
    document = read_yaml(path, shown_as=shown_as)
    loader = _Loader(document)
    mapping = loader.mapping(spec)
    if loader.problems:
        raise ConfigError(*sorted(loader.problems, key=lambda problem: (problem.line, problem.column)))
    return mapping


class _Loader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def mapping(self, spec: MappingSpec) -> CompiledMapping:
        top = self._dict(self.document.value, ())
        self._known(top, (), "key", ("version", "adapter", "sections"))
        if top.get("version") != VERSION:
            self._wrong(("version",), f"version must be {VERSION}")
        if top.get("adapter") != spec.adapter:
            self._wrong(("adapter",), f"this mapping is used for the adapter {spec.adapter!r}: write adapter: {spec.adapter}")
        sections = self._dict(top.get("sections") or {}, ("sections",))
        self._known(sections, ("sections",), "section", [section.name for section in spec.sections])
        compiled = {section.name: self._section(sections.get(section.name), section) for section in spec.sections}
        return CompiledMapping(spec=spec, sections=compiled)

    def _section(self, content: Any, spec: SectionSpec) -> CompiledSection:
        at: At = ("sections", spec.name)
        body = self._dict(content if content is not None else {}, at)
        self._known(body, at, "key", ("take", "fields") if spec.filtered else ("fields",))
        rules = self._dict(body.get("fields") or {}, (*at, "fields"))
        self._known(rules, (*at, "fields"), "field", [field.name for field in spec.fields])
        fields = tuple(self._field(rules, field, (*at, "fields", field.name)) for field in spec.fields)
        conditions = body.get("take") or []
        if not isinstance(conditions, list):
            self._wrong((*at, "take"), "take: wants a list of conditions")
            conditions = []
        taken = [self._condition(item, (*at, "take", number)) for number, item in enumerate(conditions)]
        return CompiledSection(fields=fields, conditions=tuple(condition for condition in taken if condition is not None))

    def _field(self, rules: dict[str, Any], spec: FieldSpec, at: At) -> Field:
        if spec.name not in rules:
            if spec.required:
                self._wrong(at, f"the field {spec.name!r} is required ({spec.doc or spec.type})")
            return Field(spec=spec, rule=None)
        return Field(spec=spec, rule=self._rule(rules[spec.name], spec, at))

    def _rule(self, content: Any, spec: FieldSpec, at: At) -> Rule | None:
        body = self._dict(content, at)
        self._known(body, at, "key", RULE_KEYS)
        if ("from" in body) == ("value" in body):
            self._wrong(at, "a rule has either 'from:' (a path) or 'value:' (a constant)")
            return None
        if "value" in body:
            self._constant(body["value"], spec, (*at, "value"))
        if "default" in body and body["default"] is not None:
            self._constant(body["default"], spec, (*at, "default"))
        return Rule(
            place=self._place(at),
            path=self._path(body["from"], (*at, "from")) if "from" in body else None,
            constant=body.get("value"),
            values=self._values(body.get("values"), spec, (*at, "values")),
            convert=self._converter(body.get("convert"), (*at, "convert")),
            default=body.get("default", nothing()),
            fallback=self._rule(body["else"], spec, (*at, "else")) if "else" in body else None,
        )

    def _condition(self, content: Any, at: At) -> Condition | None:
        body = self._dict(content, at)
        self._known(body, at, "key", ("from", *TESTS))
        tests = [test for test in TESTS if test in body]
        if "from" not in body or len(tests) != 1:
            self._wrong(at, f"a condition has 'from:' and one of {', '.join(TESTS)}")
            return None
        (test,) = tests
        if test in ("in", "not_in") and not isinstance(body[test], list):
            self._wrong((*at, test), f"{test}: wants a list, e.g. [{body[test]}]")
            return None
        if test == "exists" and not isinstance(body[test], bool):
            self._wrong((*at, test), "exists: wants true or false")
            return None
        path = self._path(body["from"], (*at, "from"))
        return Condition(place=self._place(at), path=path, test=test, wanted=body[test]) if path is not None else None

    def _path(self, written: Any, at: At) -> Any:
        if not isinstance(written, str):
            self._wrong(at, "'from:' wants a path, e.g. billToCompany.id")
            return None
        try:
            return jmespath.compile(written)
        except ParseError as error:
            self._wrong(at, f"this path cannot be read: {error.token_value!r} at position {error.lex_position + 1} does not fit")
        except JMESPathError as error:
            self._wrong(at, f"this path cannot be read: {str(error).splitlines()[0]}")
        return None

    def _values(self, content: Any, spec: FieldSpec, at: At) -> dict[str, Any] | None:
        if content is None:
            return None
        body = self._dict(content, at)
        for theirs, ours in body.items():
            self._constant(ours, spec, (*at, theirs))
        return {key_of(theirs): ours for theirs, ours in body.items()}

    def _converter(self, written: Any, at: At) -> Any:
        if written is None:
            return None
        if written not in CONVERTERS:
            self._wrong(at, unknown("converter", written, CONVERTERS))
            return None
        return CONVERTERS[written]

    def _constant(self, written: Any, spec: FieldSpec, at: At) -> None:
        if written is None:
            return
        try:
            value = TO_TYPE[spec.type](written)
        except NotConvertible as error:
            self._wrong(at, f"{spec.name}: {error}")
            return
        if spec.choices and value not in spec.choices:
            self._wrong(at, unknown(spec.name, value, spec.choices))

    def _dict(self, content: Any, at: At) -> dict[str, Any]:
        if isinstance(content, dict):
            return content
        self._wrong(at, "here should stand keys with values")
        return {}

    def _known(self, body: dict[str, Any], at: At, what: str, allowed: Sequence[str]) -> None:
        for key in body:
            if key not in allowed:
                self.problems.append(self.document.problem((*at, key), unknown(what, key, allowed), at_key=True))

    def _wrong(self, at: At, message: str) -> None:
        self.problems.append(self.document.problem(at, message))

    def _place(self, at: At) -> str:
        problem = self.document.problem(at, "")
        return f"{problem.file}:{problem.line}:{problem.column}"
