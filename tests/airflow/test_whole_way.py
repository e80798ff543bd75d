"""The whole way in one task: assets up, render, frames down."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_renderbus.clients import sequences
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from tests.airflow.context import TaskInstance, context
from tests.airflow.whole_task import STEP, WholeTask
from tests.scenes import task_json

pytestmark = pytest.mark.usefixtures("connection", "transfers")


class Store(dict):
    def set(self, key, value):
        self[key] = value


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "shot" / "sh010.blend"
    path.parent.mkdir()
    path.write_text("a scene")
    return path


@pytest.fixture(params=["worker", "triggerer"])
def rendered(request, farm, scene, tmp_path, monkeypatch):
    """Runs a try of the Airflow task; its store lives on."""
    monkeypatch.setattr("time.sleep", lambda seconds: farm.advance(max(seconds, STEP)))
    deferrable = request.param == "triggerer"
    store = Store()

    def rendered(try_number=1, max_tries=2, **options):
        task = WholeTask(
            farm,
            lambda: RenderbusRenderOperator(
                task_id="render",
                task_json=task_json(),
                assets=[str(scene.parent)],
                download_to=str(tmp_path / "frames"),
                deferrable=deferrable,
                poll_interval=0.02 if deferrable else STEP,
                **options,
            ),
        )
        ti = TaskInstance(try_number)
        ti.max_tries = max_tries
        return task.run({**context(), "ti": ti, "task_state_store": store})

    return rendered


def test_assets_go_up_and_frames_come_down(rendered, farm, scene, tmp_path):
    result = rendered()
    (sent,) = (farm.output_root.parents[1] / "input").rglob("sh010.blend")
    assert sent.read_text() == "a scene"
    assert result["state"] == "FINISHED"
    assert result["folder"] == str(tmp_path / "frames")
    frames = sorted((tmp_path / "frames" / result["outputs"][0]).iterdir())
    assert [frame.name for frame in frames] == [f"sh010_{number:04}.png" for number in range(1, 5)]
    assert all(frame.read_bytes().startswith(b"\x89PNG") for frame in frames)


def test_frames_that_could_not_be_fetched_are_no_reason_to_pay_again(rendered, farm, client, tmp_path):
    folder = tmp_path / "frames"
    folder.write_text("in the way")
    with pytest.raises(AirflowException):
        rendered()
    folder.unlink()
    result = rendered(try_number=2, max_tries=5)  # a person has cleared it
    assert [task.id for page in client.stream(sequences.task_pages()) for task in page.items] == [
        result["number"]
    ]
    assert len(list(folder.rglob("*.png"))) == 4
    again = rendered(try_number=3, max_tries=6)  # now it is to be rendered anew
    assert again["number"] != result["number"]
