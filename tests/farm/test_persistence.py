"""A killed farm continues from the same state: nothing is lost, nothing is paid twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import ROUND_HALF_UP, Decimal
from http.client import HTTPConnection, HTTPException

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock, control
from dev.harness.embedded_farm import StockedFarm, put_scene
from tests.farm.raw_client import FRAMES, INFO, PROFILE, STOP, SUBMIT, UPLOAD, RawClient, job, maya_job, post

LONG = 100_000
PROGRAM = [sys.executable, "-m", "airflow_provider_renderbus.farm"]


def visible_state(client):
    """Return everything that a customer can query of tasks, frames and money."""
    task_ids = sorted(client.farm._simulation.tasks)
    return (
        client.call(PROFILE),
        client.call(INFO, taskIds=task_ids)["items"],
        [client.frames(task_id)["items"] for task_id in task_ids],
    )


def copy_storage(client, folder):
    """Copy a farm's storage, as a kill at this time would leave it."""
    storage = client.farm.connections_file.parent
    shutil.copytree(storage, folder)
    return folder


def submit_various(client):
    client.submit(job(frames="1-9[1]", pre_frames="100", stop_after_test="1"))
    client.submit(job("sh020.blend", "1-9[1]"))
    client.submit(maya_job(frames="1-9[1]"))
    client.create(labels=["夜"], artist="Ada")
    stopped = client.submit()
    client.call(STOP, taskIds=[stopped])


@pytest.mark.parametrize("seconds", [0, 59, 60, 150, 210, 400, LONG])
def test_killed_farm_continues_with_same_result(open_client, tmp_path, seconds):
    first = open_client()
    submit_various(first)
    first.farm.advance(seconds)
    second = open_client(copy_storage(first, tmp_path / "image"))
    assert visible_state(second) == visible_state(first)
    for client in (first, second):
        client.farm.advance(LONG)
    assert visible_state(second) == visible_state(first)
    files = [
        sorted(path.name for path in client.farm.output_root.rglob("*.png")) for client in (first, second)
    ]
    assert files[0] == files[1]


def test_killed_farm_continues_passes(open_client, tmp_path):
    scenario = {"frame_seconds": [100, 100], "renders": [{"passes": ["preprocess", "photon"]}]}
    first = open_client(**scenario)
    task_id = first.submit()
    for index, seconds in enumerate((0, 60, 100, 60, 102, 3, LONG)):
        first.farm.advance(seconds)
        second = open_client(copy_storage(first, tmp_path / str(index)), **scenario)
        second.farm.advance(LONG)
        assert [leaf["taskStatus"] for leaf in second.leaves(task_id)] == [25, 25, 25]


def test_killed_farm_keeps_ids_files_and_settings(open_client, tmp_path):
    first = open_client()
    task_id = first.create()
    first.upload(task_id, job())
    first.call("/api/render/project/add", newName="film")
    second = open_client(copy_storage(first, tmp_path / "image"))
    second.call(SUBMIT, taskId=task_id)
    assert second.create() == task_id + 1
    assert second.call_refused("/api/render/project/add", newName="film")[0] == 503


def test_restarted_farm_keeps_nonces(open_client, tmp_path):
    first = open_client()
    headers = first.sign(PROFILE, {}, Host="farm")
    assert first.send(PROFILE, headers, b"{}")["code"] == 200
    second = open_client(copy_storage(first, tmp_path / "image"))
    assert second.send(PROFILE, headers, b"{}")["code"] == 603


def test_manual_clock_continues_in_next_farm(tmp_path):
    clock = ManualClock()
    for _ in "ab":
        with closing(StockedFarm(tmp_path / "farm", clock)) as farm:
            task_id = RawClient(farm).submit()
            farm.advance(30)
    with closing(StockedFarm(tmp_path / "farm", clock)) as farm:
        assert [RawClient(farm).task_state(task) for task in (task_id - 1, task_id)] == [5, 0]


def test_second_farm_on_same_storage_raises(tmp_path):
    first = Farm(tmp_path / "farm", ManualClock())
    with closing(first), pytest.raises(ValueError, match="in use by another farm"):
        Farm(tmp_path / "farm", ManualClock())
    Farm(tmp_path / "farm", ManualClock()).close()


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked at as one", None])
def test_database_unreadable_or_other_version_raises(tmp_path, content):
    Farm(tmp_path / "farm", ManualClock()).close()
    path = tmp_path / "farm" / "farm.db"
    if content:
        path.write_bytes(content)
    else:
        with closing(sqlite3.connect(path)) as sql:
            sql.execute("UPDATE facts SET value = '99' WHERE name = 'format'")
            sql.commit()
    with pytest.raises(ValueError, match=r"cannot be used|must have format 4"):
        Farm(tmp_path / "farm", ManualClock())
    path.unlink()
    Farm(tmp_path / "farm", ManualClock()).close()


class RemoteClient(RawClient):
    """A client of a farm in another process, with a connection per request."""

    def __init__(self, storage):
        super().__init__(self)
        self._connection = json.loads((storage / "connections.json").read_text())["renderbus_default"]
        self.address = f"{self._connection['host']}:{self._connection['port']}"

    def connection(self):
        return self._connection

    def handle(self, path, headers, body):
        with closing(HTTPConnection(self.address, timeout=30)) as http:
            status, answer = post(http, path, headers, body)
        return status, {}, answer


@pytest.fixture
def start(tmp_path):
    processes = []

    def start(speed):
        """Start a farm process, and return it with its client."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        command = [*PROGRAM, "--port", "0", "--speed", str(speed), "--storage", str(tmp_path / "farm")]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        processes.append(process)
        process.stdout.readline()
        return process, RemoteClient(tmp_path / "farm")

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_process_killed_repeatedly_loses_and_repeats_nothing(start, tmp_path):
    """Kill the farm with SIGKILL repeatedly, while frames are rendered and calls arrive."""
    task_ids, kills = [], 6
    for kill in range(kills):
        process, client = start(300)
        task_id = client.call("/api/render/submit/createTask")["taskIdList"][0]
        put_scene(tmp_path / "farm", f"/mnt/shots/sh0{kill}0.blend")
        client.call(UPLOAD, taskId=task_id, content=json.dumps(job(f"sh0{kill}0.blend", "1-40[1]")))
        client.call(SUBMIT, taskId=task_id)
        task_ids.append(task_id)
        before_kill = client.call(INFO, taskIds=task_ids)["items"]
        while client.call(INFO, taskIds=task_ids)["items"] == before_kill:
            pass
        before_kill = client.call(INFO, taskIds=task_ids)["items"]
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        if kill:
            assert [info["id"] for info in before_kill] == task_ids
    process, client = start(20_000)
    for _ in range(20_000):
        infos = client.call(INFO, taskIds=task_ids)["items"]
        assert [info["doneFrames"] for info in infos] >= [0] * kills
        if all(info["taskStatus"] == 25 for info in infos):
            break
    assert [(info["taskStatus"], info["doneFrames"]) for info in infos] == [(25, 40)] * kills

    profile, paid = client.call(PROFILE), Decimal(0)
    for info in infos:
        frames = client.call(FRAMES, taskId=info["id"])["items"]
        assert {frame["recommitFlag"] for frame in frames} == {0}
        costs = [Decimal(str(frame["feeAmount"])) + Decimal(str(frame["couponFee"])) for frame in frames]
        assert costs == [cost(frame["frameExecuteTime"]) for frame in frames]
        assert sum(costs) == Decimal(str(info["renderConsume"]))
        paid += sum(costs)
        folder = tmp_path / "farm" / "output" / "20201-100001" / info["outputFileName"]
        assert len(list(folder.iterdir())) == 40
    assert Decimal(str(profile["rmbbalance"])) + Decimal(str(profile["coupon"])) == 510 - paid


@pytest.mark.parametrize("executes_call", [False, True])
def test_fault_restart_before_or_after_execution(start, executes_call):
    process, client = start(60)
    task_id = client.create()
    client.upload(task_id, job())
    restart = {"fault": "restart", "calls": ["submit_task"], "times": 1, "executes_call": executes_call}
    control.send_command(client.connection(), {"inject": restart})
    with pytest.raises((ConnectionError, HTTPException)):
        client.call(SUBMIT, taskId=task_id)
    for _ in range(50_000):
        try:
            info = client.task_info(task_id)
            break
        except (ConnectionError, HTTPException):
            pass
    assert (info["submitDate"] is not None) == executes_call
    assert process.poll() is None
    process.terminate()
    assert process.wait(30) == 0
    assert process.stdout.read() == b""


def cost(seconds):
    return (Decimal("0.67") * seconds / 3600).quantize(Decimal("0.0001"), ROUND_HALF_UP)
