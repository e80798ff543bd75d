"""A farm that was killed goes on where it was: nothing is lost, nothing is paid twice."""

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
from tests.farm.raw_client import FRAMES, INFO, PROFILE, STOP, SUBMIT, UPLOAD, RawClient, job, maya_job, post

LONG = 100_000
PROGRAM = [sys.executable, "-m", "airflow_provider_renderbus.farm"]


def everything(client):
    """All that a customer can see of tasks, frames and money."""
    numbers = sorted(client.farm._simulation.tasks)
    return (
        client.call(PROFILE),
        client.call(INFO, taskIds=numbers)["items"],
        [client.frames(number)["items"] for number in numbers],
    )


def image_of(client, folder):
    """A farm's storage as a kill at this moment would leave it."""
    storage = client.farm.connections_file.parent
    shutil.copytree(storage, folder)
    return folder


def busy(client):
    client.submit(job(frames="1-9[1]", pre_frames="100", stop_after_test="1"))
    client.submit(job("sh020.blend", "1-9[1]"))
    client.submit(maya_job(frames="1-9[1]"))
    client.create(labels=["夜"], artist="Ada")
    stopped = client.submit()
    client.call(STOP, taskIds=[stopped])


@pytest.mark.parametrize("moment", [0, 59, 60, 150, 210, 400, LONG])
def test_a_farm_that_was_killed_has_the_same_future(open_client, tmp_path, moment):
    first = open_client()
    busy(first)
    first.farm.advance(moment)
    second = open_client(image_of(first, tmp_path / "image"))
    assert everything(second) == everything(first)
    for client in (first, second):
        client.farm.advance(LONG)
    assert everything(second) == everything(first)
    files = [
        sorted(path.name for path in client.farm.output_root.rglob("*.png")) for client in (first, second)
    ]
    assert files[0] == files[1]


def test_passes_go_on_after_a_kill(open_client, tmp_path):
    scenario = {"frame_seconds": [100, 100], "renders": [{"passes": ["preprocess", "photon"]}]}
    first = open_client(**scenario)
    number = first.submit()
    for place, seconds in enumerate((0, 60, 100, 60, 102, 3, LONG)):
        first.farm.advance(seconds)
        second = open_client(image_of(first, tmp_path / str(place)), **scenario)
        second.farm.advance(LONG)
        assert [leaf["taskStatus"] for leaf in second.leaves(number)] == [25, 25, 25]


def test_the_next_farm_knows_its_numbers_frames_files_and_settings(open_client, tmp_path):
    first = open_client()
    number = first.create()
    first.upload(number, job())
    first.call("/api/render/project/add", newName="film")
    second = open_client(image_of(first, tmp_path / "image"))
    second.call(SUBMIT, taskId=number)
    assert second.create() == number + 1
    assert second.call_refused("/api/render/project/add", newName="film")[0] == 503


def test_a_nonce_is_remembered_over_a_restart(open_client, tmp_path):
    first = open_client()
    headers = first.sign(PROFILE, {}, Host="farm")
    assert first.send(PROFILE, headers, b"{}")["code"] == 200
    second = open_client(image_of(first, tmp_path / "image"))
    assert second.send(PROFILE, headers, b"{}")["code"] == 603


def test_one_clock_can_serve_one_farm_after_the_other(tmp_path):
    clock = ManualClock()
    for _ in "ab":
        with closing(Farm(tmp_path / "farm", clock)) as farm:
            number = RawClient(farm).submit()
            farm.advance(30)
    with closing(Farm(tmp_path / "farm", clock)) as farm:
        assert [RawClient(farm).task_state(task) for task in (number - 1, number)] == [5, 0]


def test_two_farms_never_share_a_storage(tmp_path):
    first = Farm(tmp_path / "farm", ManualClock())
    with closing(first), pytest.raises(ValueError, match="in use by another farm"):
        Farm(tmp_path / "farm", ManualClock())
    Farm(tmp_path / "farm", ManualClock()).close()


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked at as one", None])
def test_books_of_others_are_told(tmp_path, content):
    Farm(tmp_path / "farm", ManualClock()).close()
    path = tmp_path / "farm" / "farm.db"
    if content:
        path.write_bytes(content)
    else:
        with closing(sqlite3.connect(path)) as sql:
            sql.execute("UPDATE facts SET value = '99' WHERE name = 'format'")
            sql.commit()
    with pytest.raises(ValueError, match=r"cannot be used|must have format 2"):
        Farm(tmp_path / "farm", ManualClock())
    path.unlink()
    Farm(tmp_path / "farm", ManualClock()).close()


class Remote(RawClient):
    """A client of a farm in another process, over one connection after the other."""

    def __init__(self, storage):
        super().__init__(self)
        self.kept = json.loads((storage / "connections.json").read_text())["renderbus_default"]
        self.address = f"{self.kept['host']}:{self.kept['port']}"

    def connection(self):
        return self.kept

    def handle(self, path, headers, body):
        with closing(HTTPConnection(self.address, timeout=30)) as http:
            status, answer = post(http, path, headers, body)
        return status, {}, answer


@pytest.fixture
def start(tmp_path):
    started = []

    def start(speed):
        """A farm as a process, and a client of it."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        command = [*PROGRAM, "--port", "0", "--speed", str(speed), "--storage", str(tmp_path / "farm")]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(process)
        process.stdout.readline()
        return process, Remote(tmp_path / "farm")

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_farm_killed_in_the_middle_goes_on(start, tmp_path):
    """Killed with SIGKILL again and again while frames are rendered and calls come in."""
    numbers, kills = [], 6
    for kill in range(kills):
        process, client = start(300)
        number = client.call("/api/render/submit/createTask")["taskIdList"][0]
        client.call(UPLOAD, taskId=number, content=json.dumps(job(f"sh0{kill}0.blend", "1-40[1]")))
        client.call(SUBMIT, taskId=number)
        numbers.append(number)
        known = client.call(INFO, taskIds=numbers)["items"]
        while client.call(INFO, taskIds=numbers)["items"] == known:
            pass
        known = client.call(INFO, taskIds=numbers)["items"]
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        if kill:
            assert [info["id"] for info in known] == numbers
    process, client = start(20_000)
    for _ in range(20_000):
        infos = client.call(INFO, taskIds=numbers)["items"]
        assert [info["doneFrames"] for info in infos] >= [0] * kills
        if all(info["taskStatus"] == 25 for info in infos):
            break
    assert [(info["taskStatus"], info["doneFrames"]) for info in infos] == [(25, 40)] * kills

    profile, paid = client.call(PROFILE), Decimal(0)
    for info in infos:
        frames = client.call(FRAMES, taskId=info["id"])["items"]
        assert {frame["recommitFlag"] for frame in frames} == {0}
        costs = [Decimal(str(frame["feeAmount"])) + Decimal(str(frame["couponFee"])) for frame in frames]
        assert costs == [_cost(frame["frameExecuteTime"]) for frame in frames]
        assert sum(costs) == Decimal(str(info["renderConsume"]))
        paid += sum(costs)
        folder = tmp_path / "farm" / "output" / "20201-100001" / info["outputFileName"]
        assert len(list(folder.iterdir())) == 40
    assert Decimal(str(profile["rmbbalance"])) + Decimal(str(profile["coupon"])) == 510 - paid


@pytest.mark.parametrize("effect", [False, True])
def test_a_farm_can_be_killed_and_started_again_at_a_request(start, effect):
    process, client = start(60)
    number = client.create()
    client.upload(number, job())
    restart = {"fault": "restart", "calls": ["submit_task"], "times": 1, "executes_call": effect}
    control.send_command(client.connection(), {"inject": restart})
    with pytest.raises((ConnectionError, HTTPException)):
        client.call(SUBMIT, taskId=number)
    for _ in range(50_000):
        try:
            info = client.task_info(number)
            break
        except (ConnectionError, HTTPException):
            pass
    assert (info["submitDate"] is not None) == effect
    assert process.poll() is None
    process.terminate()
    assert process.wait(30) == 0
    assert process.stdout.read() == b""


def _cost(seconds):
    return (Decimal("0.67") * seconds / 3600).quantize(Decimal("0.0001"), ROUND_HALF_UP)
