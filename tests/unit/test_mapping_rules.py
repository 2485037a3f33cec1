"""What the rules of a field mapping make of a record."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from connector.config.yaml import parse_yaml
from connector.mapping import FieldError, FieldSpec, FieldType, MappingSpec, SectionSpec
from connector.mapping.load import checked
from connector.mapping.rules import CompiledSection

TEXT, DECIMAL, INTEGER, DATE, BOOLEAN = FieldType
AUTOPAY = "\"customFields[?caption=='Autopay'].value | [0]\""


def section(rules: str, *fields: FieldSpec, take: str = "[]") -> CompiledSection:
    spec = MappingSpec(adapter="psa", sections=(SectionSpec(name="agreement", fields=fields, filtered=True),))
    text = f"version: 1\nadapter: psa\nsections:\n  agreement:\n    take: {take}\n    fields:\n"
    lines = "\n".join(f"      {line}" for line in rules.splitlines()) or "      {}"
    return checked(parse_yaml(text + lines, "m.yaml"), spec).section("agreement")


def read(rule: str, record: dict[str, Any], type: FieldType = TEXT, **spec: Any) -> Any:
    return section(f"field: {rule}", FieldSpec(name="field", type=type, **spec)).read(record)["field"]


def takes(condition: str, record: dict[str, Any]) -> bool:
    return section("", FieldSpec(name="field", type=TEXT), take=f"[{condition}]").takes(record)


def test_a_path_finds_a_field_of_a_field() -> None:
    assert read("{from: company.name}", {"company": {"name": "Acme"}}) == "Acme"


def test_a_custom_field_is_found_by_its_caption() -> None:
    record = {"customFields": [{"caption": "Tier", "value": "Gold"}, {"caption": "Autopay", "value": "Yes"}]}

    assert read(f"{{from: {AUTOPAY}, values: {{'Yes': true}}, default: false}}", record, BOOLEAN) is True


@pytest.mark.parametrize("record", [{}, {"customFields": None}, {"customFields": []}, {"customFields": [{"caption": "Autopay"}]}])
def test_a_payer_without_the_custom_field_is_not_opted_in(record: dict[str, Any]) -> None:
    assert read(f"{{from: {AUTOPAY}, values: {{'Yes': true}}, default: false}}", record, BOOLEAN) is False


def test_a_date_is_the_day_that_is_written_whatever_follows_it() -> None:
    days = [read("{from: d}", {"d": d}, DATE) for d in ("2026-01-01T00:00:00Z", "2026-01-01T23:30:00-08:00", "2026-01-01")]

    assert days == [date(2026, 1, 1)] * 3


@pytest.mark.parametrize("wrong", ["2026-02-30", "01/02/2026", "20260101", "2026-W01-1", "2026-01-01 garbage", 20260101, True])
def test_what_is_no_date_is_not_guessed(wrong: Any) -> None:
    with pytest.raises(FieldError, match="is not a date like 2026-01-31"):
        read("{from: d}", {"d": wrong}, DATE)


@pytest.mark.parametrize(("found", "expected"), [("0.10", "0.10"), (0.1, "0.1"), (3, "3"), (Decimal("1.5"), "1.5"), (" 7 ", "7")])
def test_an_amount_keeps_its_digits(found: Any, expected: str) -> None:
    assert read("{from: a}", {"a": found}, DECIMAL) == Decimal(expected)


@pytest.mark.parametrize("wrong", ["1,000.00", "1_000", "NaN", "Infinity", "1e999", "ten", True, [], {"a": 1}, float("nan")])
def test_what_is_no_number_is_refused(wrong: Any) -> None:
    with pytest.raises(FieldError, match=r"m\.yaml:7:14: field: "):
        read("{from: a}", {"a": wrong}, DECIMAL, required=True)


def test_a_fraction_is_no_whole_number() -> None:
    assert read("{from: n}", {"n": "3.0"}, INTEGER) == 3
    with pytest.raises(FieldError, match=r"'3\.5' is not a whole number"):
        read("{from: n}", {"n": "3.5"}, INTEGER)


def test_yes_and_no_are_read_in_the_usual_words() -> None:
    assert [read("{from: b}", {"b": b}, BOOLEAN) for b in (True, "Yes", 1, "on", False, "NO", 0)] == [True] * 4 + [False] * 3
    with pytest.raises(FieldError, match="'maybe' is neither yes nor no"):
        read("{from: b}", {"b": "maybe"}, BOOLEAN)


def test_a_number_where_text_is_wanted_is_written_without_decimals_that_say_nothing() -> None:
    assert [read("{from: id}", {"id": i}) for i in (250, 250.0, Decimal("250.00"), "250.00")] == ["250"] * 3 + ["250.00"]


def test_else_comes_before_default_when_there_is_no_value() -> None:
    rule = "{from: a, else: {from: b}, default: c}"

    assert [read(rule, record) for record in ({"a": "x", "b": "y"}, {"b": "y"}, {})] == ["x", "y", "c"]


@pytest.mark.parametrize("nothing", [None, "", "   ", []])
def test_empty_counts_as_no_value(nothing: Any) -> None:
    assert read("{from: a, else: {from: b}}", {"a": nothing, "b": "y"}) == "y"
    assert read("{from: a}", {"a": nothing}) is None


def test_a_zero_and_a_no_are_values() -> None:
    assert read("{from: a, default: 5}", {"a": 0}, DECIMAL) == 0
    assert read("{from: a, default: true}", {"a": False}, BOOLEAN) is False


def test_convert_comes_before_values() -> None:
    assert read("{from: a, convert: lower, values: {yes: true}}", {"a": " YES "}, BOOLEAN) is True


def test_an_unknown_word_names_itself_and_the_known_ones() -> None:
    with pytest.raises(FieldError) as caught:
        read("{from: cycle, values: {Monthly: monthly, Yearly: yearly}}", {"cycle": "Weekly"})

    assert str(caught.value) == (
        "m.yaml:7:14: field: 'Weekly' is none of the known values ('Monthly', 'Yearly'); add it under values:, or a default:"
    )
    assert (caught.value.field, caught.value.place) == ("field", "m.yaml:7:14")


def test_an_unknown_word_is_the_default_where_there_is_one() -> None:
    assert read("{from: a, values: {x: y}, default: z}", {"a": "other"}) == "z"
    assert read("{from: a, values: {x: y}, default: null}", {"a": "other"}) is None


def test_a_required_field_without_a_value_names_the_rule() -> None:
    with pytest.raises(FieldError, match=r"^m\.yaml:7:14: field: the record has no value here; fill it in"):
        read("{from: company.name}", {"company": None}, required=True)


def test_a_word_outside_the_choices_is_refused() -> None:
    with pytest.raises(FieldError, match="'sometimes' is not one of monthly, yearly; translate it with values:"):
        read("{from: c}", {"c": "sometimes"}, choices=("monthly", "yearly"))


def test_a_record_where_one_value_is_wanted_is_refused() -> None:
    with pytest.raises(FieldError, match="is not one value; go on with the path"):
        read("{from: company}", {"company": {"id": 1}})


def test_a_constant_is_made_the_fields_type() -> None:
    assert read("{value: 2026-07-01}", {}, DATE) == date(2026, 7, 1)
    assert read("{value: 12.50}", {}, DECIMAL) == Decimal("12.50")
    assert read("{value: 93}", {}) == "93"


def test_values_match_numbers_however_they_are_written() -> None:
    rule = "{from: id, values: {1042: '15'}, default: null}"

    assert [read(rule, {"id": found}) for found in (1042, 1042.0, "1042", "1042.0", "01042")] == ["15"] * 4 + [None]


def test_true_in_the_file_is_true_in_the_record() -> None:
    assert read("{from: t, values: {true: taxable, false: exempt}}", {"t": True}) == "taxable"
    assert read("{from: t, values: {true: taxable, false: exempt}}", {"t": False}) == "exempt"


@pytest.mark.parametrize(
    ("condition", "taken", "left"),
    [
        ("{from: s, is: Active}", ["Active", " Active "], ["active", "Inactive", None, ""]),
        ("{from: s, is_not: Active}", ["Inactive", None, ""], ["Active"]),
        ("{from: s, in: [A, 1]}", ["A", 1, 1.0, "1"], ["B", "01", None, True]),
        ("{from: s, not_in: [A, B]}", ["C", None], ["A", "B"]),
        ("{from: s, exists: true}", ["x", 0, False], [None, "", " ", []]),
        ("{from: s, exists: false}", [None, "", []], ["x", 0]),
        ("{from: s, is: true}", [True, "true"], [False, None, "yes"]),
        ("{from: s, is: 1E3}", ["1E3"], [1000, "1000"]),
        ("{from: s, is: 007}", ["007"], [7, "7"]),
    ],
)
def test_a_condition_holds_for(condition: str, taken: list[Any], left: list[Any]) -> None:
    assert [takes(condition, {"s": found}) for found in taken] == [True] * len(taken)
    assert [takes(condition, {"s": found}) for found in left] == [False] * len(left)


def test_every_condition_must_hold() -> None:
    both = "{from: a, is: 1}, {from: b, is: 2}"

    assert takes(both, {"a": 1, "b": 2})
    assert not takes(both, {"a": 1, "b": 3})


def test_a_condition_on_a_list_is_an_error_and_not_a_quiet_no() -> None:
    with pytest.raises(FieldError, match=r"m\.yaml:5:12: take: \['Yes'\] is a list"):
        takes("{from: s, is: 'Yes'}", {"s": ["Yes"]})


def test_a_function_that_does_not_fit_the_record_is_an_error_of_the_record() -> None:
    with pytest.raises(FieldError, match="the path does not fit this record"):
        read("{from: length(a)}", {"a": 5})


def test_sets_says_whether_there_is_a_rule() -> None:
    fields = (FieldSpec(name="a", type=TEXT), FieldSpec(name="b", type=TEXT))

    assert section("a: {from: x}", *fields).sets("a")
    assert not section("a: {from: x}", *fields).sets("b")
