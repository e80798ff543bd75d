"""The approval of test frames in Airflow's web interface, with a browser."""

import re

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.airflow.approval import DAG_ID, PICTURES, QUESTION, TIMEOUT, approval_testbed
from tests.airflow.real_airflow import instances, wait_for_final_state
from tests.airflow_version import LINE
from tests.farm.raw_client import RawClient

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(LINE < (3, 3), reason="starts a real Airflow, only of the newest line"),
]
FULL_SPEED, ABANDONED, FINISHED, PAUSED = "full_speed", 35, 25, 40
ADDRESSES = f"{PICTURES}.map((image) => image.src)"
BOX = f"(({{x, y, width, height}}) => [x, y, x + width, y + height])({PICTURES}[0].getBoundingClientRect())"


@pytest.fixture(scope="module")
def testbed(tmp_path_factory):
    with approval_testbed(tmp_path_factory.mktemp("approval") / "testbed") as testbed:
        yield testbed


def render_task_id_of(testbed, run_id):
    return testbed.airflow.return_value(instances(testbed.airflow, DAG_ID, run_id)["create"])


def test_approval_approve_renders_remaining_frames(testbed):
    client, browser = RawClient(testbed.farm), testbed.browser
    testbed.open_approval("approved")
    render_task_id = render_task_id_of(testbed, "approved")
    folder = f"{render_task_id}_sh010"
    question = browser.evaluate(QUESTION)
    assert f"sh010 pauses after 3 of 24 frames: render {render_task_id}" in question
    spends, _, forecast = question.partition("Approve spends")[2].partition("Cost in the end")
    assert "more (" in spends
    page = f"{testbed.airflow.url}/renderbus/dags/{DAG_ID}/runs/approved/tasks/approve/-1"
    for address in browser.evaluate(ADDRESSES):
        assert re.fullmatch(rf"{page}/leaves/{render_task_id}/frames/\d+\.jpg", address)
    frames = sorted((testbed.farm.output_root / folder).iterdir())
    image = browser.screenshot().crop([round(side) for side in browser.evaluate(BOX)])
    with Image.open(frames[0]) as frame:
        difference = ImageChops.difference(image, frame.convert("RGB").resize(image.size))
    assert max(ImageStat.Stat(difference).mean) < 8
    assert client.task_state(render_task_id) == PAUSED
    assert testbed.farm.request_counts[FULL_SPEED] == 0

    browser.click("[data-testid='hitl-option-Approve']")
    assert wait_for_final_state(testbed.airflow, DAG_ID, "approved", TIMEOUT) == "success"
    tasks = instances(testbed.airflow, DAG_ID, "approved")
    assert tasks["abandon"]["state"] == "skipped"
    end = testbed.airflow.return_value(tasks["wait"])
    assert (end["render_task_id"], end["state"], end["frames"]["done"]) == (render_task_id, "FINISHED", 24)
    low, high = re.search(r"\(([0-9.]+) to ([0-9.]+)\)", forecast).groups()
    assert float(low) < float(end["cost"]) < float(high)
    assert client.task_state(render_task_id) == FINISHED
    assert len(list((testbed.farm.output_root / folder).iterdir())) == 24


def test_approval_reject_abandons_render(testbed):
    testbed.open_approval("rejected")
    testbed.browser.click("[data-testid='hitl-option-Reject']")
    assert wait_for_final_state(testbed.airflow, DAG_ID, "rejected", TIMEOUT) == "success"
    tasks = instances(testbed.airflow, DAG_ID, "rejected")
    assert [tasks[task]["state"] for task in ("abandon", "full_speed", "wait")] == [
        "success",
        "skipped",
        "skipped",
    ]
    render_task_id = render_task_id_of(testbed, "rejected")
    assert RawClient(testbed.farm).task_state(render_task_id) == ABANDONED
    assert len(list((testbed.farm.output_root / f"{render_task_id}_sh010").iterdir())) == 3
