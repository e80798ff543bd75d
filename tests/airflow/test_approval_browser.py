"""A supervisor sees the test frames in Airflow's page and presses a button."""

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.airflow.approval import DAG_ID, PICTURES, SECONDS, studio
from tests.airflow.real_airflow import end_of, instances
from tests.airflow_version import LINE
from tests.farm.raw_client import Caller

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(LINE < (3, 3), reason="the Airflow that is started here is one of the newest line"),
]
FULL_SPEED, ABANDONED, FINISHED, PAUSED = "full_speed", 35, 25, 40
ADDRESSES = f"{PICTURES}.map((image) => image.src)"
BOX = f"(({{x, y, width, height}}) => [x, y, x + width, y + height])({PICTURES}[0].getBoundingClientRect())"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with studio(tmp_path_factory.mktemp("approval") / "studio") as running:
        yield running


def number_of(running, run_id):
    return running.airflow.returned(instances(running.airflow, DAG_ID, run_id)["create"])


def test_the_frames_are_seen_the_button_is_pressed_and_the_render_goes_on(running):
    caller, browser = Caller(running.farm), running.browser
    running.ask("approved")
    number = number_of(running, "approved")
    folder = f"{number}_sh010"
    frames = sorted((running.farm.output_root / folder).iterdir())
    assert [frame.name for frame in frames] == ["sh010_0001.png", "sh010_0012.png", "sh010_0024.png"]
    assert [address.partition(folder)[2] for address in browser.run(ADDRESSES)] == [
        "/sh010_0001.jpg",
        "/sh010_0012.jpg",
        "/sh010_0024.jpg",
    ]
    seen = browser.seen().crop([round(side) for side in browser.run(BOX)])
    with Image.open(frames[0]) as frame:
        difference = ImageChops.difference(seen, frame.convert("RGB").resize(seen.size))
    assert max(ImageStat.Stat(difference).mean) < 5
    assert caller.status(number) == PAUSED
    assert running.farm.request_counts[FULL_SPEED] == 0

    browser.press("[data-testid='hitl-option-Approve']")
    assert end_of(running.airflow, DAG_ID, "approved", SECONDS) == "success"
    tasks = instances(running.airflow, DAG_ID, "approved")
    assert tasks["give_up"]["state"] == "skipped"
    end = running.airflow.returned(tasks["wait"])
    assert (end["render_task_id"], end["state"], end["frames"]["done"]) == (number, "FINISHED", 24)
    assert caller.status(number) == FINISHED
    assert len(list((running.farm.output_root / folder).iterdir())) == 24


def test_what_is_rejected_is_given_up(running):
    running.ask("rejected")
    running.browser.press("[data-testid='hitl-option-Reject']")
    assert end_of(running.airflow, DAG_ID, "rejected", SECONDS) == "success"
    tasks = instances(running.airflow, DAG_ID, "rejected")
    assert [tasks[task]["state"] for task in ("give_up", "full_speed", "wait")] == [
        "success",
        "skipped",
        "skipped",
    ]
    number = number_of(running, "rejected")
    assert Caller(running.farm).status(number) == ABANDONED
    assert len(list((running.farm.output_root / f"{number}_sh010").iterdir())) == 3
