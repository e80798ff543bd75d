"""Texts of the farm in messages: each message is one printable line of bounded length."""

import json
import logging

import pytest

from airflow_provider_renderbus.api.envelope import read_response
from airflow_provider_renderbus.api.models.account import HardwareConfig
from airflow_provider_renderbus.api.models.frames import Frame
from airflow_provider_renderbus.api.models.projects import Project, ProjectList
from airflow_provider_renderbus.api.models.tasks import ErrorDetail, read_task
from airflow_provider_renderbus.api.models.transfer import EngineLine, TransferConfig, TransferEngine
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.operators.task_files import TaskFiles
from airflow_provider_renderbus.renders import recommit
from airflow_provider_renderbus.renders.failure_report import add_failure_report
from airflow_provider_renderbus.renders.policy import Facts, RenderPolicy, WaitState
from airflow_provider_renderbus.renders.results import evaluate_task
from airflow_provider_renderbus.task_json.files import check_findings
from airflow_provider_renderbus.transfer.endpoints import select_line
from airflow_provider_renderbus.transfer.folder import split_path
from dev.harness.flows import run_flow

FORGED = (
    "\r\n[2026-11-28] INFO - Task succeeded\x1b[2J\x1b]8;;javascript:1\x07\u202e\u2028\x85\t" + "x" * 10_000
)
MANY = [f"{FORGED}{number}" for number in range(1000)]
TASK_ID = 35000001


class FakeClient:
    """Responds to each call as a hostile farm."""

    clock = None

    def console_url(self, _):
        return "https://farm.test/"

    def run(self, flow):
        return run_flow(flow, self.send)

    def send(self, call):
        frames = [
            {"id": number + 1, "frameIndex": name, "frameStatus": 5, "frameType": 6}
            for number, name in enumerate(MANY[:100])
        ]
        data = {
            "query_task_info": {"items": [{"id": TASK_ID, "taskStatus": 30, "sceneName": FORGED}]},
            "query_task_frames": {"items": frames, "pageCount": 1, "total": 100},
            "show_log": {"items": ["a", FORGED[:40], "b"], "pageCount": 1},
        }[call.name]
        return read_response(call, 200, json.dumps({"code": 200, "data": data}).encode())


CLIENT = FakeClient()
FRAMES = tuple(
    Frame(id=number + 1, name=name, status_code=5, frame_type=6) for number, name in enumerate(MANY)
)
TASK = read_task({"id": TASK_ID, "taskStatus": 30, "sceneName": FORGED, "failedFrames": 5})


def raised(function, *arguments):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - its message is what is tested
        function(*arguments)
    return str(caught.value)


def project_error():
    client = FakeClient()
    client.send = lambda call: ProjectList(tuple(Project(1, name) for name in MANY))
    return raised(TaskFiles({}, "shots", {})._project_id, client)


def hardware_error():
    client = FakeClient()
    client.send = lambda call: tuple(HardwareConfig(1, 2, name, name, name) for name in MANY)
    return raised(client.run, flows.select_hardware(2, 2007, model="Default"))


def line_error():
    lines = tuple(EngineLine("s", "1", name) for name in MANY)
    config = TransferConfig(None, None, None, None, (TransferEngine("raysync", lines),))
    return raised(select_line, config, "line")


def policy_message():
    wait = WaitState(TASK_ID, 1, 1e9, None, 0, None, False)
    policy = RenderPolicy(on_failed_frames="recommit")
    return policy.next_step(
        evaluate_task(TASK), wait, now=0, facts=Facts(failed_frames=FRAMES)
    ).result.message


def logged_recommit(caplog):
    with caplog.at_level(logging.INFO):
        raised(recommit.recommit, CLIENT, TASK_ID, FRAMES)
    return caplog.messages[0]


MESSAGES = {
    "state": lambda _: evaluate_task(TASK).message,
    "frames": lambda _: raised(CLIENT.run, flows.frames_by_name(TASK_ID, ["7", "8"])),
    "failed frames": lambda _: policy_message(),
    "recommit": logged_recommit,
    "project": lambda _: project_error(),
    "hardware": lambda _: hardware_error(),
    "line": lambda _: line_error(),
    "finding": lambda _: check_findings({"1": MANY}, [ErrorDetail("1", description=FORGED, solution=FORGED)])[
        0
    ],
    "blocking finding": lambda _: raised(
        check_findings, {"1": MANY}, [ErrorDetail("1", kind=1, description=FORGED)]
    ),
    "file name": lambda _: raised(split_path, f"a/{FORGED}"),
    "option": lambda _: raised(split_path, f"-{FORGED}"),
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_message_with_texts_of_the_farm_is_one_printable_line(message, caplog):
    text = message(caplog)
    assert text.isprintable(), repr(text[:500])
    assert 10 < len(text) < 10_000


def test_failure_with_frames_and_logs_has_only_lines_of_its_own():
    result = add_failure_report(CLIENT, evaluate_task(TASK))
    lines = result.message.split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("[2026") for line in lines)
    assert len(result.message) < 20_000
