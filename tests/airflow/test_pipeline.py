"""The whole way in one task: assets up, render, frames down."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.transfer.command import TransferArguments
from tests.airflow.context import TaskInstance, context
from tests.airflow.run_to_completion import STEP, WholeTask
from tests.scenes import make_task_json

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
def rendered(request, farm, scene, tmp_path, hook_sleeps):
    """Runs a try of the Airflow task; its store lives on."""
    hook_sleeps(lambda seconds: farm.advance(max(seconds, STEP)))
    deferrable = request.param == "triggerer"
    store = Store()

    def rendered(try_number=1, max_tries=2, **options):
        task = WholeTask(
            farm,
            lambda: RenderbusRenderOperator(
                **{
                    "task_id": "render",
                    "task_json": make_task_json(),
                    "assets": [str(scene.parent)],
                    "download_folder": str(tmp_path / "frames"),
                    "deferrable": deferrable,
                    "poll_interval": 0.02 if deferrable else STEP,
                    **options,
                }
            ),
        )
        ti = TaskInstance(try_number)
        ti.max_tries = max_tries
        return task.run({**context(), "ti": ti, "task_state_store": store})

    return rendered


def test_assets_go_up_and_frames_come_down(rendered, farm, inputs, scene, tmp_path):
    result = rendered()
    (sent,) = inputs.rglob("sh010.blend")
    assert sent.read_text() == "a scene"
    assert result["state"] == "FINISHED"
    assert result["folder"] == str(tmp_path / "frames")
    frames = sorted((tmp_path / "frames" / result["output_folders"][0]).iterdir())
    assert [frame.name for frame in frames] == [f"sh010_{number:04}.png" for number in range(1, 5)]
    assert all(frame.read_bytes().startswith(b"\x89PNG") for frame in frames)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"download_folder": "frames"}, "^download_folder: must be an absolute path, got 'frames'"),
        ({"transfer_stall_timeout": "long"}, "^transfer_stall_timeout: "),
        ({"transfer_speed_limit_kb_per_s": "fast"}, "^transfer_speed_limit_kb_per_s: "),
    ],
)
def test_what_the_transfers_will_need_is_checked_before_anything_is_paid(rendered, farm, wrong, told):
    with pytest.raises(AirflowFailException, match=told):
        rendered(**wrong)
    assert not farm.request_counts


def test_a_missing_command_is_told_before_anything_is_paid(connect, rendered, farm):
    connect("/no/such/rayvision_transmitter")
    with pytest.raises(AirflowFailException, match=r"The transfer command .* does not exist"):
        rendered(assets=None)
    assert not farm.request_counts


def test_a_line_that_there_is_not_is_told_before_anything_is_paid(rendered, farm):
    with pytest.raises(AirflowFailException, match="no line 'CTCC'"):
        rendered(assets=None, transfer_line="CTCC")
    assert not farm.request_counts["create_task"]


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_paid(rendered, farm, tmp_path):
    (tmp_path / "frames").write_text("in the way")
    with pytest.raises(AirflowException, match="cannot read or write files on this worker"):
        rendered()
    assert not farm.request_counts


def test_a_render_that_is_there_is_not_given_up_for_what_only_its_frames_need(rendered, farm, fault):
    fault("exit=10")
    with pytest.raises(AirflowException, match="exit code 10"):
        rendered(assets=None)
    with pytest.raises(AirflowFailException, match=r"^download_folder: must be an absolute path"):
        rendered(try_number=2, assets=None, download_folder="frames")
    assert farm.request_counts["submit_task"] == 1
    assert not farm.request_counts["stop_task"]


def test_files_travel_as_the_author_says(rendered, tmp_path, monkeypatch):
    orders = []
    arguments = TransferArguments.argv

    def kept(order):
        orders.append(arguments(order))
        return orders[-1]

    monkeypatch.setattr(TransferArguments, "argv", kept)
    result = rendered(
        download_pattern="*_000[12].png", transfer_speed_limit_kb_per_s="5000", transfer_stall_timeout="600"
    )
    assert len(list((tmp_path / "frames" / result["output_folders"][0]).iterdir())) == 2
    assert len(orders) == 2
    assert all("5000" in order for order in orders)


def test_a_line_that_there_is_not(rendered):
    with pytest.raises(AirflowFailException, match="no line 'CTCC'"):
        rendered(transfer_line="CTCC")


def test_frames_that_could_not_be_fetched_are_no_reason_to_pay_again(rendered, farm, client, tmp_path):
    folder = tmp_path / "frames"
    folder.write_text("in the way")
    with pytest.raises(AirflowException):
        rendered()
    folder.unlink()
    result = rendered(try_number=2, max_tries=5)  # a person has cleared it
    assert [task.id for page in client.iter_pages(flows.task_pages()) for task in page.items] == [
        result["render_task_id"]
    ]
    assert len(list(folder.rglob("*.png"))) == 4
    again = rendered(try_number=3, max_tries=6)  # now it is to be rendered anew
    assert again["render_task_id"] != result["render_task_id"]
