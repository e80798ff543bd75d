"""Which frames failed, and what the end of their logs says."""

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


def test_all_failed_frames_are_named_and_the_first_have_their_logs(farm, settings):
    with Client(settings) as client:
        number = client.send(calls.create_task()).ids[0]
        client.send(calls.upload_task_json(number, json.dumps(make_task_json(frames="1-25[1]"))))
        client.send(calls.submit_task(number))
        farm.advance(86400)
        failed = client.run(failed_frames_with_logs(number))
    assert sorted(int(frame.frame) for frame in failed) == list(range(1, 26))
    assert [bool(frame.log) for frame in failed] == [True] * MAX_LOGS + [False] * 15


@pytest.mark.parametrize("base", [0, 1], ids=["pages from 0", "pages from 1"])
def test_the_end_of_a_long_log_whichever_way_its_pages_are_counted(base):
    pages = [LogPage((f"line {number}",), page_count=3) for number in range(3)]
    sequence = _log_end(7)
    (first,) = next(sequence)
    assert first.body["pageNum"] == 0
    asked = sequence.send([pages[0]])
    answers = []
    for call in asked:
        place = call.body["pageNum"] - base
        answers.append(pages[place] if place < 3 else LogPage((), page_count=3))
    with pytest.raises(StopIteration) as end:
        sequence.send(answers)
    assert end.value.value == "line 2"


def test_a_log_is_cut_to_what_a_person_reads():
    sequence = _log_end(7)
    next(sequence)
    with pytest.raises(StopIteration) as end:
        sequence.send([LogPage(tuple(f"{number} " + "x" * 200 for number in range(50)))])
    assert len(end.value.value) == 1000
    assert end.value.value.endswith("x")
