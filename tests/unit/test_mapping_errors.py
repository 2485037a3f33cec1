"""Mistakes in a field mapping are told like a compiler's: file, line, column, and the word that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config.yaml import parse_yaml
from connector.errors import ConfigError
from connector.mapping import FieldSpec, FieldType, MappingSpec, SectionSpec, load_mapping
from connector.mapping.load import checked

SPEC = MappingSpec(
    adapter="connectwise",
    sections=(
        SectionSpec(
            name="agreement",
            filtered=True,
            fields=(
                FieldSpec(name="name", type=FieldType.TEXT, required=True, doc="what the payer reads"),
                FieldSpec(name="cycle", type=FieldType.TEXT, choices=("monthly", "yearly")),
                FieldSpec(name="anchor", type=FieldType.DATE),
                FieldSpec(name="base", type=FieldType.DECIMAL),
            ),
        ),
        SectionSpec(name="payer", fields=(FieldSpec(name="email", type=FieldType.TEXT),)),
    ),
)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        checked(parse_yaml(text, "m.yaml"), SPEC)
    return [str(problem) for problem in caught.value.problems]


def mistakes(rules: str = "name: {from: name}", *, take: str = "[]") -> list[str]:
    """Of one line of rules (line 6), beside a name (line 7)."""
    text = f"version: 1\nadapter: connectwise\nsections:\n  agreement:\n    take: {take}\n    fields: {{{rules}}}\n"
    return problems(text)


def rule(written: str) -> list[str]:
    return mistakes(f"name: {{from: name}}, {written}")


def test_a_misspelt_converter_is_told_with_the_word_that_was_meant() -> None:
    text = (
        "version: 1\nadapter: connectwise\nsections:\n  agreement:\n    fields:\n      name: {from: name}\n"
        "      base:\n        from: billAmount\n        convert: decimel\n"
    )

    assert problems(text) == ["m.yaml:9:18: unknown converter 'decimel' (did you mean 'decimal'?)"]


def test_every_mistake_of_the_file_is_told_in_its_order() -> None:
    text = """version: 2
adapter: autotask
sections:
  agrement: {}
  agreement:
    taek: []
    fields:
      nmae: {from: name}
      cycle: {from: c, values: {M: montly}}
      anchor: {valeu: 2026-01-01}
  payer:
    take: []
"""

    assert problems(text) == [
        "m.yaml:1:10: version: should be 1",
        "m.yaml:2:10: this file is used with the adapter 'connectwise'; write adapter: connectwise",
        "m.yaml:4:3: unknown section 'agrement' (did you mean 'agreement'?)",
        "m.yaml:6:5: unknown key 'taek' (did you mean 'take'?)",
        "m.yaml:8:7: unknown field 'nmae' (did you mean 'name'?)",
        "m.yaml:8:7: the field 'name' is missing (what the payer reads)",
        "m.yaml:9:36: unknown cycle 'montly' (did you mean 'monthly'?)",
        "m.yaml:10:15: anchor: a rule has from: (a path) or value: (a constant)",
        "m.yaml:10:16: unknown key 'valeu' (did you mean 'value'?)",
        "m.yaml:12:5: the section 'payer' has no filter",
    ]


@pytest.mark.parametrize("empty", ["", "[]", "hello", "version: 1", "sections: []", "sections: {agreement: 5}"])
def test_a_file_that_is_no_mapping_is_told_so(empty: str) -> None:
    assert problems(empty)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("name..x", "m.yaml:6:53: this path cannot be read: '.' does not fit here"),
        ("'name..x'", "m.yaml:6:54: this path cannot be read: '.' does not fit here"),
        ("name.", "m.yaml:6:53: this path cannot be read: it ends too early"),
        ("a#b", "m.yaml:6:49: this path cannot be read: unknown token #"),
        ("\"a[?b=='1'].c\"", "m.yaml:6:49: this path finds a list; take one of it by ending the path with | [0]"),
        ("'a[*]'", "m.yaml:6:49: this path finds a list; take one of it by ending the path with | [0]"),
        ("'a || lenght(b)'", "m.yaml:6:54: unknown function 'lenght' (did you mean 'length'?)"),
        ("'length(a, b)'", "m.yaml:6:49: length() takes 1 values, here are 2"),
        ("''", "m.yaml:6:49: from: wants a path, for example billToCompany.id"),
        ("[a]", "m.yaml:6:48: from: wants a path, for example billToCompany.id"),
        ("5", "m.yaml:6:48: this path cannot be read: 5 does not fit here"),
    ],
)
def test_a_path_that_cannot_be_read_is_told_at_its_character(path: str, told: str) -> None:
    assert rule(f"cycle: {{from: {path}}}") == [told]


def test_a_path_in_folded_lines_is_told_at_its_beginning() -> None:
    text = (
        "version: 1\nadapter: connectwise\nsections:\n  agreement:\n    fields:\n      name:\n        from: >-\n"
        "          name\n          ..x\n"
    )

    assert problems(text) == ["m.yaml:7:15: this path cannot be read: '.' does not fit here"]


def test_a_path_as_long_as_a_bomb_is_refused() -> None:
    assert "longer than 500 characters" in rule(f"cycle: {{from: {'a.' * 300}b}}")[0]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("anchor: {value: tomorrow}", "anchor: 'tomorrow' is not a date like 2026-01-31"),
        ("base: {from: a, default: much}", "base: 'much' is not a number"),
        ("cycle: {value: often}", "unknown cycle 'often' (allowed: monthly, yearly)"),
        ("cycle: {value: monthly, default: yearly}", "default: cannot stand beside value:, which is a constant"),
        ("cycle: {from: a, value: monthly}", "from: cannot stand beside value:, which is a constant"),
        ("cycle: {from: a, values: [monthly]}", "values: wants a table, for example {Monthly: monthly}"),
        ("cycle: {from: a, values: {}}", "values: wants a table, for example {Monthly: monthly}"),
        ("cycle: {from: a, values: {1: monthly, 1.0: yearly}}", "'1' stands here twice"),
        ("cycle: {from: a, convert: [lower]}", "unknown converter ['lower']"),
        ("cycle: a", "here should stand keys with values, not 'a'"),
        ("cycle: {from: a, else: b}", "here should stand keys with values, not 'b'"),
        ("cycle: {from: a, else: {form: b}}", "unknown key 'form' (did you mean 'from'?)"),
    ],
)
def test_a_wrong_rule_is_told(written: str, told: str) -> None:
    assert any(told in problem for problem in rule(written))


def test_a_required_field_cannot_be_set_to_nothing() -> None:
    assert mistakes("name: {value: ''}") == ["m.yaml:6:28: name: is required, so it cannot be empty"]


@pytest.mark.parametrize(
    ("take", "told"),
    [
        ("{from: a}", "take: wants a list of conditions, each beginning with a dash"),
        ("[{from: a}]", "a condition has from: and one of is, is_not, in, not_in, exists"),
        ("[{from: a, is: 1, in: [2]}]", "a condition has from: and one of is, is_not, in, not_in, exists"),
        ("[{from: a, equals: 1}]", "unknown key 'equals' (allowed: exists, from, in, is, is_not, not_in)"),
        ("[{from: a, is: [1, 2]}]", "is: wants one value, not [1, 2]; for several use in: or not_in:"),
        ("[{from: a, is: null}]", "is: wants one value, not None; for no value write exists: false"),
        ("[{from: a, in: 1}]", "in: wants a list, for example [Managed Services, Cloud]"),
        ("[{from: a, in: [[1]]}]", "in: wants one value, not [1]"),
        ("[{from: a, exists: maybe}]", "exists: wants true or false, not 'maybe'"),
        ("[{from: 'a[?b]', is: 1}]", "this path finds a list"),
        ("[5]", "here should stand keys with values, not 5"),
    ],
)
def test_a_wrong_condition_is_told(take: str, told: str) -> None:
    assert any(told in problem for problem in mistakes(take=take))


def test_a_chain_of_else_ends_somewhere() -> None:
    chain = "{from: a, else: " * 12 + "{from: b}" + "}" * 12

    assert any("more than 10 else: in one another" in problem for problem in rule(f"cycle: {chain}"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml: cannot be read: No such file or directory"):
        load_mapping(tmp_path / "no.yaml", SPEC)
