"""The documents say what is so: tables of states and errors are the code's own."""

import re
from pathlib import Path

import pytest

from airflow_provider_renderbus.api.errors import CODES, api_error, is_permanent
from airflow_provider_renderbus.api.states import TASK_STATUS_INFO, FrameStatus, TaskStatus
from airflow_provider_renderbus.renders.results import Outcome, classify

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs/states-and-errors.md").read_text("utf-8")
DOES = {
    None: "waits",
    Outcome.SUCCEEDED: "succeeds",
    Outcome.FAILED: "fails, may be retried",
    Outcome.FAILED_PERMANENTLY: "fails without retries",
}


def rows(heading):
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].partition("Any other code")[0]
    found = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [tuple(cell.strip("`") for cell in row.split(" | ")) for row in found[2:]]


def test_states_of_a_task():
    assert rows("States of a task") == [
        (
            "any other" if state is TaskStatus.UNKNOWN else str(state.value),
            state.name,
            row.meaning,
            DOES[classify(state)],
        )
        for state, row in TASK_STATUS_INFO.items()
    ]


def test_states_of_a_frame():
    assert rows("States of a frame") == [
        (str(state.value), state.name) for state in FrameStatus if state is not FrameStatus.UNKNOWN
    ]


def numbers(cell):
    for part in cell.split(", "):
        first, _, last = part.partition(" to ")
        yield from range(int(first), int(last or first) + 1)


def test_codes_of_the_farm():
    table = rows("What the farm refuses, and what becomes of it")
    told = {code: row[1:] for row in table for code in numbers(row[0])}
    assert told.keys() == CODES.keys()
    for code, known in CODES.items():
        error = api_error("call", code, "")
        does = "fails without retries" if is_permanent(error) else "fails, may be retried"
        assert told[code] == (
            known.error.__name__,
            known.meaning,
            "is tried again" if error.retryable else does,
        )


@pytest.mark.parametrize(
    "document", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]), ids=lambda path: path.name
)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^):]+)\)", document.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(document):
    """The anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
