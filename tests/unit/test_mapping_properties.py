"""Whatever stands in a file or a record, the outcome is one of the expected ones."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.config.yaml import parse_yaml
from connector.errors import ConfigError
from connector.mapping import FieldError, FieldSpec, FieldType, MappingSpec, SectionSpec
from connector.mapping.convert import word_of
from connector.mapping.load import checked

FIELDS = tuple(FieldSpec(name=type.value, type=type) for type in FieldType)
CHOSEN = FieldSpec(name="chosen", type=FieldType.TEXT, choices=("a", "b"), required=True)
SPEC = MappingSpec(adapter="psa", sections=(SectionSpec(name="agreement", filtered=True, fields=(*FIELDS, CHOSEN)),))
SECTION = checked(
    parse_yaml(
        """
version: 1
adapter: psa
sections:
  agreement:
    take: [{from: s, in: [a, 1, true]}, {from: "l[?c=='x'].v | [0]", is_not: z}, {from: d.e, exists: false}]
    fields:
      text: {from: s, convert: trim, else: {from: d.e}}
      decimal: {from: n, default: 0}
      integer: {from: "l[0].v"}
      date: {from: s, else: {from: n}}
      boolean: {from: "l[?c=='x'].v | [0]", values: {"Yes": true, 1: true}, default: false}
      chosen: {from: c, convert: lower}
""",
        "m.yaml",
    ),
    SPEC,
).section("agreement")

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=12) | st.sampled_from("abxz")
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("cdev"), inner), max_leaves=8
)
records = st.fixed_dictionaries({}, optional=dict.fromkeys("sndlc", values))
words = st.sampled_from(
    "version adapter sections agreement take fields chosen text date from value values else default convert is in exists psa 1 "
    "monthly a.b a[?b] lower true null".split()
)
files = st.recursive(
    words | scalars.filter(lambda value: not isinstance(value, Decimal)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=5),
    max_leaves=25,
)


@patient
@given(records)
def test_any_record_gives_values_of_their_types_or_a_field_error(record: dict[str, Any]) -> None:
    try:
        SECTION.takes(record)
        fields = SECTION.read(record)
    except FieldError as error:
        assert str(error).startswith(f"{error.place}: {error.field}: ")  # noqa: PT017 - the other outcome is values
        return
    types = {"text": str, "decimal": Decimal, "integer": int, "date": date, "boolean": bool, "chosen": str}

    assert all(value is None or type(value) is types[name] for name, value in fields.items())
    assert fields["chosen"] in ("a", "b")


def outcome(text: str) -> None:
    with suppress(ConfigError):
        checked(parse_yaml(text, "m.yaml"), SPEC)


@patient
@given(st.text(max_size=200) | st.text(alphabet="abc:{}[]-'\"#&*!|>%@`?, \n\t01", max_size=120))
def test_any_text_is_a_mapping_or_a_config_error(text: str) -> None:
    outcome(text)


@patient
@given(files)
def test_any_yaml_is_a_mapping_or_a_config_error(content: Any) -> None:
    outcome(yaml.safe_dump(content))


@patient
@given(files)
def test_any_section_is_a_mapping_or_a_config_error(content: Any) -> None:
    outcome(yaml.safe_dump({"version": 1, "adapter": "psa", "sections": {"agreement": content}}))


@patient
@given(st.text(alphabet="ab.[]?*|'\"`&@!=<>(){}:, 0-", max_size=40))
def test_any_path_is_read_or_told(path: str) -> None:
    text = yaml.safe_dump({"version": 1, "adapter": "psa", "sections": {"agreement": {"fields": {"chosen": {"from": path}}}}})
    with suppress(ConfigError, FieldError):
        checked(parse_yaml(text, "m.yaml"), SPEC).section("agreement").read({"a": [{"b": 1}], "b": {"a": "x"}})


@patient
@given(st.integers(min_value=-(10**15), max_value=10**15), st.integers(min_value=0, max_value=6))
def test_a_number_is_the_same_word_however_it_is_written(number: int, places: int) -> None:
    written = {word_of(number), word_of(str(number)), word_of(Decimal(number)), word_of(f"{number}.{'0' * (places + 1)}")}

    assert written == {str(number)}
