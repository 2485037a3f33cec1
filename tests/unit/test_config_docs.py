"""What is written about the configuration and the field mappings is true: schemas, tables, examples."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from connector.config.adapters import find_adapter
from connector.config.load import checked as checked_config
from connector.config.model import Config
from connector.config.schema import ROOT, generated, ours
from connector.config.tables import settings_rows
from connector.config.yaml import parse_yaml
from connector.mapping import load_mapping
from connector.mapping.convert import CONVERTERS
from connector.mapping.load import FILE_KEYS, RULE_KEYS, SECTION_KEYS, TESTS, checked

EXAMPLE = ROOT / "config" / "connector.example.yaml"
MAPPED = [spec for spec in ours() if spec.mapping is not None]
MAPPING_README = (ROOT / "mappings" / "README.md").read_text()


class Reader(yaml.SafeLoader):
    """As an editor reads YAML 1.2: dates are text."""


Reader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def as_editors_read(path: Path) -> Any:
    return yaml.load(path.read_text(), Reader)  # noqa: S506 - a safe loader


def schema(name: str) -> jsonschema.Draft202012Validator:
    content = json.loads((ROOT / "config" / "schema" / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(content)
    return jsonschema.Draft202012Validator(content)


@pytest.mark.parametrize("path", list(generated()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_generated_file_is_up_to_date(path: Path) -> None:
    written = path.read_text() if path.exists() else ""

    assert written == generated()[path], "run: python -m connector.config.schema"


def test_the_example_is_a_right_configuration() -> None:
    config = checked_config(parse_yaml(EXAMPLE.read_text(), str(EXAMPLE)), folder=EXAMPLE.parent)

    assert config.charging == Config.model_fields["charging"].default
    assert config.write_back.psa_payments is None


def test_the_example_with_everything_switched_on_is_right_too() -> None:
    text = re.sub(r"(?m)^( *)# ([a-z_]+: )", r"\1\2", EXAMPLE.read_text())
    config = checked_config(parse_yaml(text, str(EXAMPLE)), folder=EXAMPLE.parent)

    assert config.write_back.psa_payments == "connector"
    assert config.charging.cap_per_charge == 10000


def test_what_the_example_calls_a_default_is_one() -> None:
    plain, full = (
        checked_config(parse_yaml(text, "c.yaml"), folder=Path("/x"))
        for text in (EXAMPLE.read_text(), re.sub(r"(?m)^( *)# ([a-z_]+: )", r"\1\2", EXAMPLE.read_text()))
    )

    examples = {"charging": plain.charging, "write_back": plain.write_back, "books": plain.books}
    assert full.model_copy(update=examples) == plain


def test_the_example_points_editors_to_the_schema_and_agrees_with_it() -> None:
    first = EXAMPLE.read_text().splitlines()[0]
    schema("connector").validate(as_editors_read(EXAMPLE))

    assert (EXAMPLE.parent / first.removeprefix("# yaml-language-server: $schema=")).exists()


@pytest.mark.parametrize(
    ("part", "wrong"),
    [("psa", {"adapter": "stripe"}), ("instence", "x"), ("gateway", {"adapter": "stripe", "settings": {"secret_key": "sk"}})],
)
def test_the_schema_refuses_what_the_agent_refuses(part: str, wrong: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        schema("connector").validate({**as_editors_read(EXAMPLE), part: wrong})


@pytest.mark.parametrize("spec", ours(), ids=lambda spec: spec.name)
def test_every_setting_says_what_it_means(spec: Any) -> None:
    rows = [*settings_rows(Config, ""), *settings_rows(spec.settings, "")]

    assert [row[0] for row in rows if not row[1]] == []


@pytest.mark.parametrize("spec", MAPPED, ids=lambda spec: spec.name)
def test_a_shipped_field_mapping_is_right_for_the_agent_and_for_editors(spec: Any) -> None:
    path = ROOT / "mappings" / f"{spec.name}.yaml"
    load_mapping(path, spec.mapping)
    schema(f"mapping-{spec.name}").validate(as_editors_read(path))


@pytest.mark.parametrize("spec", MAPPED, ids=lambda spec: spec.name)
def test_every_rule_that_is_commented_out_in_a_shipped_field_mapping_works(spec: Any) -> None:
    text = (ROOT / "mappings" / f"{spec.name}.yaml").read_text()
    rules = [(found[1], found[2]) for found in re.finditer(r"(?m)^ *#\s+(\w+): (\{.*\})", text)]
    known = {field.name: section.name for section in spec.mapping.sections for field in section.fields}
    content = yaml.load(text, Reader)  # noqa: S506 - a safe loader
    for field, rule in rules:
        content["sections"][known[field]]["fields"][field] = yaml.load(rule, Reader)  # noqa: S506

    assert rules
    assert checked(parse_yaml(yaml.safe_dump(content), "m.yaml"), spec.mapping)


@pytest.mark.parametrize("word", sorted({*FILE_KEYS, *SECTION_KEYS, *RULE_KEYS, *CONVERTERS}))
def test_every_word_of_the_rules_is_explained(word: str) -> None:
    assert f"`{word}`" in MAPPING_README


@pytest.mark.parametrize("test", TESTS)
def test_every_condition_is_explained(test: str) -> None:
    assert f"`{{from: PATH, {test}: " in MAPPING_README


def examples() -> Iterator[str]:
    for block in re.findall(r"(?s)```yaml\n(.*?)```", MAPPING_README):
        if block.startswith("sections:"):
            yield block


@pytest.mark.parametrize("example", list(examples()), ids=range(len(list(examples()))))
def test_every_example_works_in_the_shipped_field_mapping(example: str) -> None:
    spec = find_adapter("connectwise").mapping
    assert spec is not None
    content = as_editors_read(ROOT / "mappings" / "connectwise.yaml")
    for name, part in yaml.load(example, Reader)["sections"].items():  # noqa: S506 - a safe loader
        content["sections"][name].setdefault("take", []).extend(part.get("take", []))
        content["sections"][name]["fields"] |= part.get("fields", {})
        if not content["sections"][name]["take"]:
            del content["sections"][name]["take"]

    assert checked(parse_yaml(yaml.safe_dump(content), "m.yaml"), spec)
    schema("mapping-connectwise").validate(content)


def test_the_readmes_examples_decide_as_they_say() -> None:
    spec = find_adapter("connectwise").mapping
    assert spec is not None
    content = as_editors_read(ROOT / "mappings" / "connectwise.yaml")
    fields = content["sections"]["agreement"]["fields"]
    fields["collect"] = {"from": "billToCompany.id", "values": {250: True, 312: True}, "default": False}
    fields["charge_date"] = {"from": "id", "values": {1042: 15}, "default": None}
    section = checked(parse_yaml(yaml.safe_dump(content), "m.yaml"), spec).section("agreement")
    read = [section.read(agreement(id, payer)) for id, payer in ((1042, 250), (7, 9))]

    assert [record["charge_date"] for record in read] == ["15", None]
    assert [record["collect"] for record in read] == [True, False]


def agreement(id: int, payer: int) -> dict[str, Any]:
    return {
        "id": id,
        "name": "Gold",
        "company": {"name": "Acme"},
        "billToCompany": {"id": payer},
        "cycle": {"billingOptions": "Monthly"},
        "startDate": "2026-01-01T00:00:00Z",
    }
