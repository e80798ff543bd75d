"""RenderbusRenderOperator with transfers: uploads assets, renders, downloads frames."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.transfer.command import TransferArguments
from tests.airflow.context import StateStore, TaskInstance, context
from tests.airflow.run_to_completion import STEP, run_to_completion
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection", "transfers")


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "shot" / "sh010.blend"
    path.parent.mkdir()
    path.write_text("a scene")
    return path


@pytest.fixture(params=["worker", "triggerer"])
def rendered(request, farm, scene, tmp_path, hook_sleeps):
    """Runs a try of the Airflow task; all tries share a task state store."""
    hook_sleeps(lambda seconds: farm.advance(max(seconds, STEP)))
    deferrable = request.param == "triggerer"
    store = StateStore()
    task_json = make_task_json()
    task_json["task_info"]["input_cg_file"] = str(scene)

    def rendered(try_number=1, max_tries=2, **options):
        ti = TaskInstance(try_number)
        ti.max_tries = max_tries
        arguments = {
            "task_id": "render",
            "task_json": task_json,
            "assets": [str(scene.parent)],
            "download_folder": str(tmp_path / "frames"),
            "deferrable": deferrable,
            "poll_interval": 0.02 if deferrable else STEP,
            **options,
        }
        return run_to_completion(
            farm,
            lambda: RenderbusRenderOperator(**arguments),
            {**context(), "ti": ti, "task_state_store": store},
        )

    return rendered


def test_render_uploads_assets_and_downloads_frames(rendered, farm, inputs, scene, tmp_path):
    result = rendered()
    (uploaded,) = inputs.rglob("sh010.blend")
    assert uploaded.read_text() == "a scene"
    assert result["state"] == "FINISHED"
    assert result["folder"] == str(tmp_path / "frames")
    frames = sorted((tmp_path / "frames" / result["output_folders"][0]).iterdir())
    assert [frame.name for frame in frames] == [f"sh010_{frame:04}.png" for frame in range(1, 5)]
    assert all(frame.read_bytes().startswith(b"\x89PNG") for frame in frames)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"download_folder": "frames"}, "^download_folder: must be an absolute path, got 'frames'"),
        ({"transfer_stall_timeout": "long"}, "^transfer_stall_timeout: "),
        ({"transfer_speed_limit_kb_per_s": "fast"}, "^transfer_speed_limit_kb_per_s: "),
    ],
)
def test_render_invalid_transfer_argument_submits_nothing(rendered, farm, argument, message):
    with pytest.raises(AirflowFailException, match=message):
        rendered(**argument)
    assert not farm.request_counts


def test_render_missing_transfer_command_submits_nothing(connect, rendered, farm):
    connect("/no/such/rayvision_transmitter")
    with pytest.raises(AirflowFailException, match=r"The transfer command .* does not exist"):
        rendered(assets=None)
    assert not farm.request_counts


def test_render_unknown_download_line_creates_nothing(rendered, farm):
    with pytest.raises(AirflowFailException, match="no line 'CTCC'"):
        rendered(assets=None, transfer_line="CTCC")
    assert not farm.request_counts["create_task"]


def test_render_download_folder_not_creatable_submits_nothing(rendered, farm, tmp_path):
    (tmp_path / "frames").write_text("in the way")
    with pytest.raises(AirflowException, match="must be a folder in which this worker can write files"):
        rendered()
    assert not farm.request_counts


def test_render_retry_invalid_download_folder_keeps_render(rendered, farm, fault):
    fault("exit=10")
    with pytest.raises(AirflowException, match="exit code 10"):
        rendered(assets=None)
    with pytest.raises(AirflowFailException, match=r"^download_folder: must be an absolute path"):
        rendered(try_number=2, assets=None, download_folder="frames")
    assert farm.request_counts["submit_task"] == 1
    assert not farm.request_counts["stop_task"]


def test_render_transfer_arguments_reach_command(rendered, tmp_path, monkeypatch):
    commands = []
    argv = TransferArguments.argv

    def record(arguments):
        commands.append(argv(arguments))
        return commands[-1]

    monkeypatch.setattr(TransferArguments, "argv", record)
    result = rendered(
        download_pattern="*_000[12].png", transfer_speed_limit_kb_per_s="5000", transfer_stall_timeout="600"
    )
    assert len(list((tmp_path / "frames" / result["output_folders"][0]).iterdir())) == 2
    assert len(commands) == 2
    assert all("5000" in command for command in commands)


def test_render_unknown_upload_line_fails_without_retries(rendered):
    with pytest.raises(AirflowFailException, match="no line 'CTCC'"):
        rendered(transfer_line="CTCC")


def test_render_retry_after_failed_download_does_not_render_again(rendered, farm, client, tmp_path):
    folder = tmp_path / "frames"
    folder.write_text("in the way")
    with pytest.raises(AirflowException):
        rendered()
    folder.unlink()
    result = rendered(try_number=2, max_tries=5)  # a user has cleared it
    assert [task.id for page in client.iter_pages(flows.task_pages()) for task in page.items] == [
        result["render_task_id"]
    ]
    assert len(list(folder.rglob("*.png"))) == 4
    again = rendered(try_number=3, max_tries=6)  # cleared after success: renders again
    assert again["render_task_id"] != result["render_task_id"]
