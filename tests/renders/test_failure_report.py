"""Failed frames in a message and a result: as ranges per layer and reason, however many they are."""

import dataclasses
import json

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.models.frames import LogPage, read_frame_state
from airflow_provider_renderbus.api.models.page import Page
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.renders import failure_report
from airflow_provider_renderbus.renders.failure_report import MAX_LOGS, add_failure_report, log_end
from airflow_provider_renderbus.renders.results import Outcome, WaitResult, describe, summary
from dev.harness.flows import run_flow
from tests.scenes import make_task_json


class Farm:
    """A client for a farm with failed frames in layers, which counts the logs that are read."""

    def __init__(self, layers, logs=lambda frame_id: ("line", "Error: out of memory")):
        self.layers, self.logs, self.read = layers, logs, []

    def run(self, flow):
        return run_flow(flow, self.answer)

    def answer(self, call):
        if call.name == "show_log":
            self.read.append(call.body["id"])
            return LogPage(self.logs(call.body["id"]), page_count=1)
        frames = self.layers[call.body["taskId"]]
        page, size = call.body["pageNum"], call.body["pageSize"]
        items = frames[(page - 1) * size : page * size]
        return flows_page(items, -(-len(frames) // size), len(frames))

    def console_url(self, task_id):
        return f"https://farm/task/{task_id}"


def flows_page(items, page_count, total):
    return Page(items=tuple(items), page_count=page_count, page_num=1, total=total)


def failed(*names, status=5, first_id=1):
    return [
        read_frame_state({"id": first_id + index, "frameIndex": str(name), "frameStatus": status})
        for index, name in enumerate(names)
    ]


def result_of(**layers):
    return WaitResult(
        Outcome.FAILED_PERMANENTLY,
        "Render 1 (sh010.ma): FINISHED_HAS_FAILED",
        {
            "render_task_id": 1,
            "state": "FINISHED_HAS_FAILED",
            "frames": {"failed": sum(map(len, layers.values()))},
            "layers": [
                {"name": name, "render_task_id": index, "failed_frames": ""}
                for index, name in enumerate(layers, 2)
            ],
        },
    )


def report(logs=lambda frame_id: ("line", "Error: out of memory"), folder=None, **layers):
    farm = Farm(dict(enumerate(layers.values(), 2)), logs)
    return add_failure_report(farm, result_of(**layers), folder), farm


def test_report_has_ranges_per_layer_and_reason():
    result, farm = report(beauty=failed(*range(1, 9998)), shadow=failed(3, 5, first_id=20_000))
    lines = result.message.splitlines()
    assert lines[2:] == [
        "- beauty 1-9997: Error: out of memory (3 logs read)",
        "- shadow 3, 5: Error: out of memory (2 logs read)",
    ]
    assert farm.read == [1, 4999, 9997, 20_000, 20_001]
    beauty, shadow = result.result["failed_frames"]
    assert (beauty["layer"], beauty["frames"], beauty["count"]) == ("beauty", "1-9997", 9997)
    assert (shadow["reason"], shadow["logs_read"]) == ("Error: out of memory", 2)
    assert [layer["failed_frames"] for layer in result.result["layers"]] == ["1-9997", "3, 5"]


def test_report_of_different_reasons_claims_nothing_about_unread_logs():
    def logs(frame_id):
        return (f"Error: texture {frame_id} missing",) if frame_id < 9 else ("Fatal: no license",)

    result, _ = report(logs, beauty=failed(*range(1, 11)))
    groups = {each["reason"]: (each["frames"], each["logs_read"]) for each in result.result["failed_frames"]}
    assert groups["Error: texture 1 missing"] == ("1, 5", 2)
    assert groups["Fatal: no license"] == ("10", 1)
    assert groups[""] == ("2-4, 6-9", 0)
    assert "beauty 2-4, 6-9: failed (log not read)" in result.message


def test_report_timed_out_frames_are_a_reason_of_their_own():
    result, _ = report(
        lambda frame_id: ("Error: broken",) if frame_id < 9 else ("rendering",),
        beauty=failed(1, 2) + failed(3, 4, status=11, first_id=9),
    )
    assert [group["frames"] for group in result.result["failed_frames"]] == ["1-2", "3-4"]


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (("start", "Error: no camera", "cleaning up"), "Error: no camera"),
        (("start", "Segmentation"), "Segmentation"),
        ((), "its log is empty"),
        (("x" * 5000,), "x" * 159 + "…"),
    ],
)
def test_report_reason_is_the_line_that_says_most(log, reason):
    result, _ = report(lambda _: log, beauty=failed(7))
    assert result.result["failed_frames"][0]["reason"] == reason


@pytest.mark.parametrize(("count", "step"), [(1, 1), (100, 2), (10_000, 7), (30_000, 1)])
def test_report_fits_message_and_xcom_whatever_its_size(count, step):
    names = [number * step + number * number % 3 for number in range(count)]
    result, farm = report(
        lambda frame_id: tuple(f"错误 error {frame_id} {'细节' * 400}" for _ in range(20)),
        beauty=failed(*names),
        shadow=failed(*names, first_id=200_000),
    )
    assert len(result.message.encode()) <= 4_000
    assert len(json.dumps(result.result)) <= 16_000
    assert len(farm.read) <= MAX_LOGS


def test_report_of_many_layers_fits_and_counts_the_rest():
    layers = {f"layer_{index}": failed(*range(1, 500, 3), first_id=index * 1000 + 1) for index in range(100)}
    result, farm = report(**layers)
    assert len(result.message.encode()) <= 4_000
    assert len(json.dumps(result.result)) <= 16_000
    assert len(farm.read) == MAX_LOGS
    assert "more lines: see the web console" in result.message
    assert "(log not read)" in result.message


def test_report_file_has_every_frame(tmp_path):
    result, _ = report(beauty=failed(*range(1, 1001)), folder=tmp_path / "frames")
    path = tmp_path / "frames" / "1_failed_frames.json"
    assert f"All failed frames: {path}" in result.message
    frames = json.loads(path.read_text("utf-8"))["failed_frames"]
    assert [frame["frame"] for frame in frames] == [str(number) for number in range(1, 1001)]
    assert [frame["frame"] for frame in frames if frame["log"]] == ["1", "501", "1000"]
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_report_file_that_cannot_be_written_is_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    result, _ = report(beauty=failed(1), folder=tmp_path / "file" / "frames")
    assert "beauty 1: " in result.message
    assert "could not write the file of its failed frames" in caplog.text


def test_report_on_the_farm_names_frames_of_a_layer(farm, settings):
    with Client(settings) as client:
        task_id = client.send(calls.create_task()).ids[0]
        client.send(calls.upload_task_json(task_id, json.dumps(make_task_json(frames="1-25[1]"))))
        client.send(calls.submit_task(task_id))
        farm.advance(86400)
        task = client.run(flows.get_task(task_id))
        client.console_url = str
        result = add_failure_report(
            client, WaitResult(Outcome.FAILED, describe(task), summary(task) | {"layers": []})
        )
    (group,) = result.result["failed_frames"]
    assert (group["layer"], group["frames"], group["logs_read"]) == ("Camera", "1-25", 3)
    assert "Error: rendering of frame 1 has failed" in group["reason"]


@pytest.fixture
def scenario():
    return {"renders": [{"failure_rate": 1}], "pictures": False}


def test_report_without_failed_frames_has_only_the_url():
    result, farm = report()
    assert result.message.splitlines()[1:] == ["Render 1 in the web console: https://farm/task/1"]
    assert (result.result["failed_frames"], farm.read) == ([], [])


def test_report_log_that_cannot_be_read_is_not_claimed(monkeypatch, caplog):
    def fail(frame_id):
        raise failure_report.RenderbusError("no answer")

    result, _ = report(fail, beauty=failed(1, 2))
    assert "beauty 1-2: failed (log not read)" in result.message
    assert "its log could not be read" in caplog.text


def test_report_keeps_a_result_without_summary():
    result = WaitResult(Outcome.TIMED_OUT, "Timed out waiting")
    assert add_failure_report(Farm({}), result) is result
    assert dataclasses.asdict(result)["message"] == "Timed out waiting"


@pytest.mark.parametrize("base", [0, 1], ids=["pages from 0", "pages from 1"])
def testlog_end_pages_counted_either_way_returns_last_page(base):
    pages = [LogPage((f"line {index}",), page_count=3) for index in range(3)]
    flow = log_end(7)
    (first,) = next(flow)
    assert first.body["pageNum"] == 0
    batch = flow.send([pages[0]])
    answers = []
    for call in batch:
        index = call.body["pageNum"] - base
        answers.append(pages[index] if index < 3 else LogPage((), page_count=3))
    with pytest.raises(StopIteration) as end:
        flow.send(answers)
    assert end.value.value == "line 2"


def testlog_end_long_lines_is_cut_to_1000_characters():
    flow = log_end(7)
    next(flow)
    with pytest.raises(StopIteration) as end:
        flow.send([LogPage(tuple(f"{line} " + "x" * 200 for line in range(50)))])
    assert len(end.value.value) == 1000
    assert end.value.value.endswith("x")
