"""YAML as the files of this project are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config.yaml import MAX_BYTES, Number, parse_yaml, read_yaml
from connector.errors import ConfigError


def told(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_only_true_and_false_are_yes_and_no() -> None:
    value = parse_yaml("[yes, no, on, off, y, n, true, False]", "f").value

    assert value == ["yes", "no", "on", "off", "y", "n", True, False]


def test_a_number_stays_as_it_was_written() -> None:
    value = parse_yaml("[0.10, 9130350000000001, -5, 1e3, .5]", "f").value

    assert value == ["0.10", "9130350000000001", "-5", "1e3", ".5"]
    assert {type(item) for item in value} == {Number}


def test_codes_and_dates_are_text() -> None:
    value = parse_yaml("[007, 1_000, 0x1F, 12:30, 2026-01-31, '5']", "f").value

    assert value == ["007", "1_000", "0x1F", "12:30", "2026-01-31", "5"]
    assert {type(item) for item in value} == {str}


def test_nothing_is_null() -> None:
    assert parse_yaml("{a: , b: ~, c: null, d: ''}", "f").value == {"a": None, "b": None, "c": None, "d": ""}
    assert parse_yaml("", "f").value is None


def test_a_key_that_stands_twice_is_told_with_both_lines() -> None:
    assert told("a: 1\nb: 2\na: 3\nb: 4") == [
        "f.yaml:3:1: 'a' stands here twice (first in line 1)",
        "f.yaml:4:1: 'b' stands here twice (first in line 2)",
    ]


def test_the_same_key_in_another_place_is_fine() -> None:
    assert parse_yaml("a: {x: 1}\nb: {x: 2}", "f").value == {"a": {"x": "1"}, "b": {"x": "2"}}


def test_anchors_aliases_and_tags_are_told_together() -> None:
    assert told("a: &x 1\nb: *x\nc: !!python/object:os.system ls\nd: !!int foo") == [
        "f.yaml:1:4: anchors (&) and aliases (*) are not used here; a text that begins so needs quotes",
        "f.yaml:2:4: anchors (&) and aliases (*) are not used here; a text that begins so needs quotes",
        "f.yaml:3:4: tags (!) are not used here; a text that begins so needs quotes",
        "f.yaml:4:4: tags (!) are not used here; a text that begins so needs quotes",
    ]


def test_a_merge_key_merges_nothing() -> None:
    assert parse_yaml("<<: {a: 1}\nb: 2", "f").value == {"<<": {"a": "1"}, "b": "2"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: b: c", "f.yaml:1:5: not valid YAML: mapping values are not allowed here"),
        ("a:\n\tb: c", "f.yaml:2:1: not valid YAML: found character '\\t' that cannot start any token"),
        ("a: 'x", "f.yaml:1:6: not valid YAML: found unexpected end of stream"),
        ("--- a\n--- b", "f.yaml:2:1: not valid YAML: but found another document"),
        ("\0", "f.yaml: not valid YAML: unacceptable character #x0000: special characters are not allowed"),
        ("? [a]\n: b", "f.yaml:1:3: a key must be a word; a value that begins with { or [ needs quotes"),
        ("[" * 100_000, "f.yaml:1:41: nested deeper than 40 levels"),
        ("- " * 100_000, "f.yaml:1:81: nested deeper than 40 levels"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_place(text: str, place: str) -> None:
    assert told(text) == [place]


def test_the_nearest_thing_in_the_file_is_named_for_what_is_missing() -> None:
    document = parse_yaml("a:\n  b: {c: 1}\n", "f.yaml")

    assert str(document.problem(("a", "b", "x", "y"), "m")) == "f.yaml:2:6: m"
    assert str(document.problem_at_key(("a", "b", "c"), "m")) == "f.yaml:2:7: m"
    assert str(document.problem_at_key(("a", "x"), "m")) == "f.yaml:2:3: m"


def test_a_character_of_a_text_has_a_place_unless_the_text_is_written_otherwise() -> None:
    document = parse_yaml("a: xyz\nb: 'xyz'\nc: \"x\\tz\"", "f.yaml")

    assert str(document.problem_in_text(("a",), 2, "m")) == "f.yaml:1:6: m"
    assert str(document.problem_in_text(("b",), 2, "m")) == "f.yaml:2:7: m"
    assert str(document.problem_in_text(("c",), 2, "m")) == "f.yaml:3:4: m"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("#" * (MAX_BYTES + 1))

    with pytest.raises(ConfigError, match="is larger than 500000 bytes"):
        read_yaml(tmp_path / "f.yaml")


def test_a_file_in_another_encoding_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(b"name: M\xfcller")

    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        read_yaml(tmp_path / "f.yaml")


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: x\r\n")

    assert read_yaml(tmp_path / "f.yaml").value == {"a": "1", "b": "x"}


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)
