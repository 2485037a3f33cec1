"""Short functions and files. What is longer stands here with its reason, and may not grow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from statistics import median

from tests.architecture.source import OURS, name_of, python_files, tree_of

FUNCTION_LINES = 40
FILE_LINES = 400
LONG_FILES = {
    "connector/testing/gateway.py": 680,  # a contract kit is read from top to bottom by who writes an adapter
    "connector/testing/psa.py": 530,  # as above
    "connector/testing/bookings.py": 500,  # as above
    "adapters/autotask/translate.py": 420,  # one partner's words, all of them
    "connector/store/schema.py": 480,  # every table, one after the other
    "adapters/http.py": 470,  # timeouts, retries, budget and redaction decide together what a reply means
    "adapters/sandbox/office.py": 420,  # what a person does in three partners' screens
    "adapters/sandbox/quickbooks/company.py": 570,  # one state machine: the books must add up across it
}
LONG_FUNCTIONS = {
    "connector/model/drift.py:_amounts": 45,  # a truth table
    "adapters/autotask/translate.py:_header": 45,  # one noun, field by field
    "adapters/sandbox/connectwise/entry.py:_agreement_defaults": 50,  # a table: field and default
    "adapters/sandbox/stripe/routes.py:_billing": 45,  # tables: method, path, handler
    "adapters/sandbox/stripe/routes.py:_invoicing": 60,
    "adapters/sandbox/stripe/routes.py:_money": 50,
    "adapters/sandbox/stripe/shapes.py:invoice": 55,  # the published shape of one object
}


def test_files_are_short() -> None:
    lines = {name_of(file): file.read_text(encoding="utf-8").count("\n") for file in python_files(*OURS)}
    long = {name: number for name, number in lines.items() if number > LONG_FILES.get(name, FILE_LINES)}

    assert long == {}


def test_functions_are_short() -> None:
    lines = dict(_functions())
    long = {name: number for name, number in lines.items() if number > LONG_FUNCTIONS.get(name, FUNCTION_LINES)}

    assert long == {}


def test_most_functions_are_a_handful_of_lines() -> None:
    lengths = sorted(number for _, number in _functions())

    assert median(lengths) <= 9
    assert lengths[len(lengths) * 9 // 10] <= 25


def test_no_excuse_outlives_its_reason() -> None:
    names = {name_of(file) for file in python_files(*OURS)}

    assert set(LONG_FILES) <= names
    assert set(LONG_FUNCTIONS) <= {name for name, _ in _functions()}


def _functions() -> Iterator[tuple[str, int]]:
    for file in python_files(*OURS):
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name_of(file)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1
