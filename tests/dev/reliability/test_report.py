"""The document's tables are what was found, and what was found is what was expected."""

import re

import pytest

from dev.reliability import report as document
from dev.reliability.__main__ import EXPERIMENTS
from dev.reliability.result import Row, Table

TABLES = document.read()


def test_each_experiment_is_told():
    assert [table.name for table in TABLES] == sorted(EXPERIMENTS)
    for table in TABLES:
        assert table.columns == EXPERIMENTS[table.name].COLUMNS
        assert table.rows


def test_the_tables_are_those_that_were_found():
    text = document.DOCUMENT.read_text("utf-8")
    assert document.filled_in(text, TABLES) == text


def test_all_came_as_expected():
    assert [str(row) for table in TABLES for row in table.rows if not row.holds] == []


def test_the_sums_name_each_experiment_and_where_it_is_told():
    assert sorted(document.EXPERIMENTS) == sorted(EXPERIMENTS)
    text = document.DOCUMENT.read_text("utf-8")
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.*)$", text, re.MULTILINE)}
    linked = {re.search(r"\(#(.*?)\)", told)[1] for told in document.EXPERIMENTS.values()}
    assert linked == headings


def test_a_sum_counts_what_came_otherwise():
    rows = (Row(("a",), "right", "right"), Row(("b",), "right", "wrong"))
    assert Table("crash", ("step",), rows).sum() == "1 of 2 cases came as expected"


def test_a_table_needs_its_place():
    with pytest.raises(ValueError, match="has no place for other"):
        document.filled_in("no marks", [Table("other", (), ())])


def test_rows_that_differ_in_the_last_column_only_become_one():
    rows = (
        Row(("a", "before"), "right", "right"),
        Row(("b", "before"), "right", "wrong"),
        Row(("a", "after"), "right", "right"),
    )
    table = Table("crash", ("step", "killed"), rows)
    assert table.markdown().splitlines() == [
        "| step | killed | what came of it |",
        "| --- | --- | --- |",
        "| a | before; after | right |",
        "| b | before | **wrong**, expected: right |",
    ]
    assert str(rows[1]) == "b, before: wrong; EXPECTED: right"
    assert Table.read(table.as_json()) == table
