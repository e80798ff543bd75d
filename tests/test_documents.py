"""Tests of the documentation: tables of states and errors against the code, and links."""

import re
from pathlib import Path

import pytest

from airflow_provider_renderbus.api.errors import CODES, api_error, is_permanent
from airflow_provider_renderbus.api.states import STOP_TYPE_INFO, TASK_STATUS_INFO, FrameStatus, TaskStatus
from airflow_provider_renderbus.renders.results import Outcome, classify

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs/states-and-errors.md").read_text("utf-8")
EFFECTS = {
    None: "waits",
    Outcome.SUCCEEDED: "succeeds",
    Outcome.FAILED: "fails, may be retried",
    Outcome.FAILED_PERMANENTLY: "fails without retries",
}


def rows(heading):
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].partition("Any other code")[0]
    lines = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [tuple(cell.strip("`") for cell in line.split(" | ")) for line in lines[2:]]


def test_table_of_task_states_equals_the_code():
    assert rows("States of a task") == [
        (
            "any other" if status is TaskStatus.UNKNOWN else str(status.value),
            status.name,
            info.meaning,
            EFFECTS[classify(status)],
        )
        for status, info in TASK_STATUS_INFO.items()
    ]


def test_table_of_stop_types_equals_the_code():
    assert rows("Stop types") == [
        (
            str(kind.value),
            kind.name,
            info.meaning,
            "themselves" if info.counts_as is None else f"{info.counts_as.value} {info.counts_as.name}",
            "yes" if info.is_manual else "no",
        )
        for kind, info in STOP_TYPE_INFO.items()
    ]


def test_table_of_frame_states_equals_the_code():
    assert rows("States of a frame") == [
        (str(status.value), status.name) for status in FrameStatus if status is not FrameStatus.UNKNOWN
    ]


def codes_in(cell):
    for part in cell.split(", "):
        first, _, last = part.partition(" to ")
        yield from range(int(first), int(last or first) + 1)


def test_table_of_error_codes_equals_the_code():
    table = rows("Errors of the farm")
    documented = {code: row[1:] for row in table for code in codes_in(row[0])}
    assert documented.keys() == CODES.keys()
    for code, info in CODES.items():
        error = api_error("call", code, "")
        effect = "fails without retries" if is_permanent(error) else "fails, may be retried"
        assert documented[code] == (
            info.error.__name__,
            info.meaning,
            "is repeated" if error.retryable else effect,
        )


@pytest.mark.parametrize(
    "document", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]), ids=lambda path: path.name
)
def test_links_of_document_lead_to_existing_targets(document):
    for link in re.findall(r"\]\(([^):]+)\)", document.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(document):
    """Return the anchors that GitHub generates for a document's headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
