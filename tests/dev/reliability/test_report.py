"""The document's tables hold every case of the experiments, and every case came as expected."""

import re

import pytest

from dev.reliability import report
from dev.reliability.__main__ import EXPERIMENTS
from dev.reliability.report import Row, Table

DOCUMENT = report.TABLES.read_text("utf-8")
SUMMARY = report.SUMMARY.read_text("utf-8")


def table_lines(name):
    section = re.search(rf"<!-- begin {name} -->\n(.*)\n<!-- end {name} -->", DOCUMENT, re.DOTALL)[1]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_document_table_of_each_experiment_holds_its_cases(name):
    head, _, *lines = table_lines(name)
    assert head == [*EXPERIMENTS[name].COLUMNS, "result"]
    count = sum(len(line[-2].split("; ")) for line in lines)
    assert count
    assert f"<!-- begin {name} -->\n\n<details><summary>{count} of {count} cases as expected<" in DOCUMENT


def test_document_sums_are_those_of_its_tables():
    assert report.replace_sums(SUMMARY, DOCUMENT) == SUMMARY


def test_document_all_cases_came_as_expected():
    assert [line for name in EXPERIMENTS for line in table_lines(name) if "**" in line[-1]] == []


def test_document_sums_link_the_section_of_each_experiment():
    assert sorted(report.EXPERIMENTS) == sorted(EXPERIMENTS)
    headings = re.findall(r"^## (.*)$", DOCUMENT, re.MULTILINE)
    linked = {re.search(r"\(#(.*?)\)", text)[1] for text in report.EXPERIMENTS.values()}
    assert linked == {heading.lower().replace(" ", "-") for heading in headings}


def test_replace_tables_without_a_place_raises():
    with pytest.raises(ValueError, match="must have a place for other"):
        report.replace_tables("no marks", [Table("other", (), ())])


def test_table_markdown_merges_rows_that_differ_in_the_last_column_only():
    rows = (
        Row(("a", "before"), "right", "right"),
        Row(("b", "before"), "right", "wrong"),
        Row(("a", "after"), "right", "right"),
    )
    table = Table("crash", ("step", "killed"), rows)
    assert table.markdown().splitlines() == [
        "<details><summary>2 of 3 cases as expected</summary>",
        "",
        "| step | killed | result |",
        "| --- | --- | --- |",
        "| a | before; after | right |",
        "| b | before | **wrong**, expected: right |",
        "",
        "</details>",
    ]
    assert str(rows[1]) == "b, before: wrong; EXPECTED: right"
    document = report.replace_tables("<!-- begin crash -->\n<!-- end crash -->", [table])
    assert table.markdown() in document
    summary = report.replace_sums("<!-- begin sums -->\n<!-- end sums -->", document)
    assert (
        "(reliability-tables.md#the-worker-is-killed) at each of its steps | 2 of 3 cases as expec" in summary
    )
