"""Printed reports: names of customers are text, whatever they look like."""

from __future__ import annotations

import pytest

from connector.printed import Report, Sheet, csv_of, page

SHEET = Sheet(title="Payments", columns=("payer", "amount"), rows=(("A <b>bold</b> Co", "1.00"), ("total", "1.00")))


def report(*sheets: Sheet) -> Report:
    return Report(title="T & Co", verdict="it ties", state="ok", lead=("For <February>",), sheets=sheets)


def test_a_page_shows_names_as_they_are_written_and_runs_none_of_them() -> None:
    html = page(report(SHEET))

    assert "A &lt;b&gt;bold&lt;/b&gt; Co" in html
    assert "<b>" not in html
    assert "<script" not in html


def test_a_page_needs_no_other_file() -> None:
    html = page(report(SHEET))

    assert "http" not in html
    assert "src=" not in html
    assert "@page{size:A4" in html


def test_an_empty_table_says_so() -> None:
    html = page(report(Sheet(title="On its way", columns=("a",), rows=(), empty="Nothing is on its way.")))

    assert "Nothing is on its way." in html
    assert "<table" not in html


def test_a_row_that_does_not_fit_its_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a row of 2 columns"):
        Sheet(title="Payments", columns=("payer", "amount"), rows=(("only one",),))


def test_a_spreadsheet_gets_numbers_as_numbers_and_no_formula() -> None:
    text = csv_of(("payer", "amount"), [("=HYPERLINK(1)", "-5.00"), ('Smith, "Joe"', "1234.50"), ("-cmd", "@x")]).decode("utf-8")

    assert text.startswith("\ufeff")
    assert text.splitlines()[1:] == ["'=HYPERLINK(1),-5.00", '"Smith, ""Joe""",1234.50', "'-cmd,'@x"]
