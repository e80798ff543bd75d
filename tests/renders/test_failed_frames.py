"""Failed frames: all by name, the first ones with the end of their logs."""

import json

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.models.frames import LogPage
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.renders.failed_frames import MAX_LOGS, _log_end, failed_frames_with_logs
from tests.scenes import make_task_json


@pytest.fixture
def scenario():
    return {"renders": [{"failure_rate": 1}], "pictures": False}


def test_failed_frames_names_all_and_has_logs_of_the_first(farm, settings):
    with Client(settings) as client:
        task_id = client.send(calls.create_task()).ids[0]
        client.send(calls.upload_task_json(task_id, json.dumps(make_task_json(frames="1-25[1]"))))
        client.send(calls.submit_task(task_id))
        farm.advance(86400)
        failed = client.run(failed_frames_with_logs(task_id))
    assert sorted(int(frame.frame) for frame in failed) == list(range(1, 26))
    assert [bool(frame.log) for frame in failed] == [True] * MAX_LOGS + [False] * 15


@pytest.mark.parametrize("base", [0, 1], ids=["pages from 0", "pages from 1"])
def test_log_end_pages_counted_either_way_returns_last_page(base):
    pages = [LogPage((f"line {index}",), page_count=3) for index in range(3)]
    flow = _log_end(7)
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


def test_log_end_long_lines_is_cut_to_1000_characters():
    flow = _log_end(7)
    next(flow)
    with pytest.raises(StopIteration) as end:
        flow.send([LogPage(tuple(f"{line} " + "x" * 200 for line in range(50)))])
    assert len(end.value.value) == 1000
    assert end.value.value.endswith("x")
