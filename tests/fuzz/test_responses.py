"""Readers, flows and conditions on hostile JSON: only typed errors, in bounded time and memory.

CI runs forty times as many examples.
"""

import json
import os
import random
import time
import tracemalloc

import pytest

from airflow_provider_renderbus.api.envelope import read_response
from airflow_provider_renderbus.api.errors import RenderbusError
from airflow_provider_renderbus.api.models.tasks import TaskInfo
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.renders.conditions import FilesPresent, FramesDone, SufficientFunds
from airflow_provider_renderbus.renders.failed_frames import list_failed_frames
from airflow_provider_renderbus.renders.failure_report import log_end
from airflow_provider_renderbus.renders.results import describe, evaluate_task, summary
from tests.fuzz.hostile_json import KEYS, TASK_ID, all_calls, page, record, value

EXAMPLES = 20_000 if os.environ.get("CI") else 500
MAX_REQUESTS = 5000
# Airflow passes results between processes as msgpack, which has integers of 64 bits.
MAX_INT = 2**63 - 1


def answer(call, rng, data):
    body = {"code": 200, "message": value(rng, 3), "data": data, "serverTime": value(rng, 4)}
    return read_response(call, 200, json.dumps(body).encode())


def data_for(call, rng):
    """Return data that is near to what a call expects, or any JSON."""
    make = {
        "query_task_info": lambda: page(rng, KEYS["TaskInfo"]),
        "get_task_list": lambda: page(rng, KEYS["TaskInfo"]),
        "query_task_frames": lambda: page(rng, KEYS["Frame"]),
        "show_log": lambda: {"items": ["line"], "pageCount": rng.choice([0, 1, 3, 10**12])},
        "get_output_files": lambda: [record(rng, 1, KEYS["OutputFile"]) for _ in range(rng.randrange(4))],
        "query_user_profile": lambda: record(rng, 1, KEYS["UserProfile"]),
    }.get(call.name, lambda: record(rng))
    return value(rng) if rng.random() < 0.1 else make()


def use(result):
    """Use a result as those who wait do; what is stored must be storable."""
    tasks = result.values() if isinstance(result, dict) else getattr(result, "items", ())
    for task in tasks if not callable(tasks) else ():
        if isinstance(task, TaskInfo):
            describe(task).encode()
            end = evaluate_task(task)
            stored = json.dumps(end.to_dict(), allow_nan=False, ensure_ascii=False).encode() if end else b""
            assert b"\x00" not in stored
            assert max(summary(task)["frames"].values()) <= MAX_INT


@pytest.mark.parametrize("call", all_calls(), ids=lambda call: call.name)
def test_read_response_of_call_with_hostile_data_raises_typed_errors_only(call):
    rng = random.Random(call.name)
    for _ in range(EXAMPLES // 10):
        try:
            use(answer(call, rng, data_for(call, rng)))
        except RenderbusError as error:
            str(error).encode()


FLOWS = {
    "get_tasks": lambda: flows.get_tasks(range(1, 250)),
    "leaf_task_ids": lambda: flows.leaf_task_ids(TASK_ID),
    "list_frames": lambda: flows.list_frames(TASK_ID),
    "list_output_files": lambda: flows.list_output_files(TASK_ID),
    "failed frames": lambda: list_failed_frames(TASK_ID),
    "log of a frame": lambda: log_end(7),
    "task_pages": flows.task_pages,
    "frames by name": lambda: FramesDone(TASK_ID, ("1", "x")).check(),
    "frames by fraction": lambda: FramesDone(TASK_ID, None, 0.3).check(),
    "files": lambda: FilesPresent(TASK_ID, "*[z-a]*?.exr", 2).check(),
    "funds": lambda: SufficientFunds("0.1").check(),
}


def run(flow, respond):
    """Run a flow and return the number of its requests."""
    results, requests = None, 0
    while True:
        try:
            batch = flow.send(results)
        except StopIteration:
            return requests
        requests += len(batch)
        assert requests <= MAX_REQUESTS, "the flow does not end"
        results = [respond(call) for call in batch]


@pytest.mark.parametrize("make", FLOWS.values(), ids=FLOWS)
def test_flow_on_hostile_responses_raises_typed_errors_only(make, request):
    rng = random.Random(request.node.name)
    for _ in range(EXAMPLES // 10):
        try:
            run(make(), lambda call: answer(call, rng, data_for(call, rng)))
        except RenderbusError as error:
            str(error).encode()


ODD_IDS = [0, -5, 10**400, 2**63, "", "x", None, 1.5, True, [1]]
ODD_PATHS = [
    "",
    "/",
    ".",
    "..",
    "/a/../b",
    "a\x00b",
    "\ud800",
    "/" * 5000,
    "x" * 100_000,
    None,
    5,
    [],
    "\\",
    "-x",
]
ODD_COUNTS = [10**12, -1, 0, None, "3", "x", 2**63, 1e308, True, [1], 10**400]
ODD_ITEMS = [[], None, "x", [None], {"a": 1}, [[]]]


def odd_responses():
    """Yield responses of the right shape with one odd value in them."""
    for task_id in ODD_IDS:
        yield {
            "query_task_info": {"items": [{"id": TASK_ID, "respRenderingTaskList": [{"id": task_id}] * 2}]}
        }
        for status in (5, 11, -1, 10**400, None, []):
            frame = {"id": task_id, "frameIndex": "1", "frameStatus": status}
            yield {"query_task_frames": {"items": [frame], "pageCount": 1}}
    for path in ODD_PATHS:
        for is_folder in (True, False, 1, "true", None):
            file = {"fileName": "x", "filePath": path, "directory": is_folder, "fileSize": 10**400}
            yield {"get_output_files": [file]}
    for count in ODD_COUNTS:
        for items in ODD_ITEMS:
            page = {"items": items, "pageCount": count, "total": count}
            yield {"query_task_frames": page, "get_task_list": page, "show_log": page}


@pytest.mark.parametrize("make", FLOWS.values(), ids=FLOWS)
def test_flow_with_one_odd_value_raises_typed_errors_only(make):
    messages = []
    usual = {
        "query_task_info": {"items": [{"id": TASK_ID, "taskStatus": 25}]},
        "query_user_profile": {"userId": 1},
    }
    for odd in odd_responses():
        data = {**usual, **odd}

        def respond(call, data=data):
            body = {"code": 200, "data": data.get(call.name, {"items": []})}
            return read_response(call, 200, json.dumps(body).encode())

        try:
            run(make(), respond)
        except RenderbusError as error:
            messages.append(str(error))
    assert max(map(len, messages), default=0) < 1000


def endless(call):
    """Return data without an end: always more pages, and folders within folders."""
    if call.name == "query_task_info":
        return {"items": [{"id": task_id, "taskStatus": 25} for task_id in call.body["taskIds"]]}
    if call.name == "get_output_files":
        path = call.body["treePath"].rstrip("/")
        return [
            *({"fileName": "d", "filePath": f"{path}/{at}", "directory": True} for at in range(3)),
            *({"fileName": "f", "filePath": f"{path}/{at}.exr", "directory": False} for at in range(20)),
        ]
    if call.name == "query_user_profile":
        return {"userId": 1}
    items = [{"id": at + 1, "frameIndex": str(at), "frameStatus": 5, "taskStatus": 5} for at in range(100)]
    return {"items": items, "pageCount": 10**12}


@pytest.mark.parametrize("make", FLOWS.values(), ids=FLOWS)
def test_flow_on_endless_responses_ends_in_bounded_time_and_memory(make):
    cache = {}

    def respond(call):
        # Only the flow is measured: a page is read once and returned again.
        key = (call.name, call.body.get("treePath"), str(call.body.get("taskIds")))
        if key not in cache:
            cache[key] = read_response(call, 200, json.dumps({"code": 200, "data": endless(call)}).encode())
        return cache[key]

    begin = time.process_time()
    tracemalloc.start()
    try:
        run(make(), respond)
    except RenderbusError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.process_time() - begin < 30
    assert peak < 100 * 2**20
