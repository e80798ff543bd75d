"""Whether a later try takes the render of an earlier one, without Airflow and farm."""

import itertools
import re
from pathlib import Path

import pytest

from airflow_provider_renderbus.renders.fingerprint import JobFingerprint
from airflow_provider_renderbus.renders.reattach import (
    Decision,
    PreviousRender,
    RenderMarker,
    decide,
    run_key,
)

DOCUMENT = Path(__file__).parents[2] / "docs/costs-and-retries.md"
JOB = JobFingerprint("a1", "b1", {"task_json": "c1"})
FINGERPRINTS = {
    "the same": JOB,
    "the same, other assets": JobFingerprint("a1", "b2", {"task_json": "c1"}),
    "another": JobFingerprint("a2", "b1", {"task_json": "c2"}),
    "unknown, or of another version": JobFingerprint("a2", "b2", {}, version=0),
}


def rows():
    """Yield the rows of the document: this try, job, delivered, on_job_change, decision."""
    section = DOCUMENT.read_text("utf-8").partition("### The same job")[2].partition("\n## ")[0]
    for line in re.findall(r"^\| (.*) \|$", section, re.MULTILINE):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and cells[0] in {"a retry", "the first after a clear"}:
            yield cells


def documented(is_cleared, job, is_delivered, on_job_change):
    """Return the decision of the first row that fits."""
    values = (
        "the first after a clear" if is_cleared else "a retry",
        job,
        "yes" if is_delivered else "no",
        f'"{on_job_change}"',
    )
    for row in rows():
        if all(not cell or value in cell.split("; ") for cell, value in zip(row, values, strict=False)):
            return row[4]
    raise LookupError(values)


CASES = list(itertools.product((False, True), FINGERPRINTS, (False, True), ("fail", "rerender", "reattach")))


@pytest.mark.parametrize(("is_cleared", "job", "is_delivered", "on_job_change"), CASES)
def test_decide_matches_document(is_cleared, job, is_delivered, on_job_change):
    previous = PreviousRender(35, is_cleared, is_delivered, JOB)
    decision = decide(previous, FINGERPRINTS[job], has_succeeded=False, on_job_change=on_job_change)
    assert decision.value == documented(is_cleared, job, is_delivered, on_job_change)


def test_document_has_no_row_that_never_fits():
    used = set()
    for case in CASES:
        for index, row in enumerate(rows()):
            values = ("the first after a clear" if case[0] else "a retry", case[1])
            rest = ("yes" if case[2] else "no", f'"{case[3]}"')
            if all(not cell or v in cell.split("; ") for cell, v in zip(row, (*values, *rest), strict=False)):
                used.add(index)
                break
    assert used == set(range(len(list(rows()))))


@pytest.mark.parametrize("has_succeeded", [True, False])
def test_decide_delivery_unknown_counts_success_as_delivered(has_succeeded):
    previous = PreviousRender(35, True, None, JOB)
    decision = decide(previous, JOB, has_succeeded=has_succeeded)
    assert decision is (Decision.RERENDER if has_succeeded else Decision.REATTACH)


@pytest.mark.parametrize("stored", [None, JOB])
def test_decide_unreadable_or_unknown_job_reattaches(stored):
    previous = PreviousRender(35, False, False, stored)
    assert decide(previous, None if stored else JOB, has_succeeded=False) is Decision.REATTACH


class TestMarker:
    RUN, TASK = ("night", "run", "2026-01-01"), ("render", "3")

    def test_marker_is_found_behind_artist(self):
        marker = RenderMarker(self.RUN, self.TASK, 2)
        for artist in ("Ada", None):
            assert marker.find_in(marker.append_to(artist, JOB)) == (2, JobFingerprint("a1", "b1"))

    def test_marker_without_assets_is_found(self):
        marker = RenderMarker(self.RUN, self.TASK, 2)
        job = JobFingerprint("a1")
        assert marker.find_in(marker.append_to("Ada", job)) == (2, job)

    def test_marker_of_a_clear_finds_render_before_it(self):
        tagged = RenderMarker(self.RUN, self.TASK, 2).append_to("Ada", JOB)
        assert RenderMarker(self.RUN, self.TASK, 5).find_in(tagged) == (2, JobFingerprint("a1", "b1"))

    @pytest.mark.parametrize(
        ("run", "task"),
        [
            (("night", "run", "2026-01-02"), TASK),
            (("night", "other", "2026-01-01"), TASK),
            (RUN, ("render", "4")),
            (RUN, ("other", "3")),
        ],
    )
    def test_marker_of_other_run_or_task_is_not_found(self, run, task):
        tagged = RenderMarker(run, task, 2).append_to("Ada", JOB)
        assert RenderMarker(self.RUN, self.TASK, 2).find_in(tagged) is None

    def test_marker_of_a_run_has_its_key(self):
        tagged = RenderMarker(self.RUN, self.TASK, 2).append_to("Ada", JOB)
        assert f"[airflow {run_key(self.RUN)} " in tagged

    @pytest.mark.parametrize("artist", [None, "", "Ada", "[airflow 12]"])
    def test_artist_without_marker_finds_nothing(self, artist):
        assert RenderMarker(self.RUN, self.TASK, 2).find_in(artist) is None
