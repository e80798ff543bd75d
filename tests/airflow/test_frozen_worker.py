"""A worker that was frozen for longer than the heartbeat timeout spends nothing and stops nothing."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.compat import (
    AirflowException,
    AirflowFailException,
    ReplacedError,
    TaskDeferred,
    conf,
)
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook, heartbeat_timeout
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.operators.transfers import RenderbusUploadAssetsOperator
from airflow_provider_renderbus.renders.results import Outcome, WaitResult
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.airflow.context import context
from tests.airflow_version import LINE
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")
FROZEN_SECONDS = 3600.0


class FreezingClient(Client):
    """A client of a process that is frozen before or after its first call of a name."""

    def __init__(self, settings, hook, clock, call, moment):
        super().__init__(settings, lost_time=hook.lost_time)
        self._clock, self._call, self._moment = clock, call, moment

    def send(self, call):
        if call.name == self._call and self._moment == "before":
            self._freeze()
        result = super().send(call)
        if call.name == self._call and self._moment == "after":
            self._freeze()
        return result

    def _freeze(self):
        self._clock.freeze(FROZEN_SECONDS)
        self._call = None


class FrozenClock:
    """The clock of a process, which advances while the process sleeps, or while it is frozen."""

    def __init__(self):
        self.time = datetime.now(UTC).timestamp()
        self.at_next_sleep = lambda: None

    def freeze(self, seconds):
        self.time += seconds

    def sleep(self, seconds):
        self.time += seconds
        self.at_next_sleep()


@pytest.fixture
def clock(monkeypatch):
    clock = FrozenClock()
    now = lambda: clock.time  # noqa: E731 - three functions that do the same
    monkeypatch.setattr(RenderbusHook, "clock", Clock(now=now, monotonic=now, sleep=clock.sleep))
    return clock


@pytest.fixture
def frozen(settings, clock):
    """Gives an operator a client that freezes the process at a call."""
    clients = []

    def frozen(operator, call, moment):
        clients.append(FreezingClient(settings, operator.hook, clock, call, moment))
        operator.hook.client = clients[-1]
        return operator

    yield frozen
    for client in clients:
        client.close()


def render(**options):
    return RenderbusRenderOperator(task_id="render", task_json=make_task_json(), poll_interval=60, **options)


def submit(render_task_id, **options):
    return RenderbusSubmitTaskOperator(
        task_id="submit", render_task_id=render_task_id, wait_for_completion=True, poll_interval=60, **options
    )


def test_heartbeat_timeout_is_airflows_own():
    name = "task_instance_heartbeat_timeout" if LINE >= (3, 0) else "scheduler_zombie_task_threshold"
    assert heartbeat_timeout() == conf.getfloat("scheduler", name)


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("call", "moment"),
    [
        ("create_task", "before"),
        ("create_task", "after"),
        ("upload_task_json", "before"),
        ("upload_task_json", "after"),
        ("submit_task", "before"),
    ],
)
def test_render_frozen_until_submit_submits_nothing(call, moment, deferrable, frozen, farm, submitted_ids):
    operator = frozen(render(deferrable=deferrable), call, moment)
    with pytest.raises(AirflowException, match="submit_task: not sent: this process has lost time") as raised:
        operator.execute(context())
    assert not isinstance(raised.value, AirflowFailException)
    assert submitted_ids() == []
    assert farm.request_counts["stop_task"] == 0


@pytest.fixture
def started_late(clock):
    started_late = context()
    started_late["ti"].start_date = datetime.fromtimestamp(clock.time, UTC) - timedelta(hours=1)
    return started_late


def test_render_frozen_before_its_first_line_is_killed_before_it_creates_anything(started_late, clock, farm):
    operator = render()
    clock.at_next_sleep = operator.on_kill
    with pytest.raises(SystemExit, match="no render was submitted yet"):
        operator.execute(started_late)
    assert farm.request_counts["create_task"] == 0


def test_render_on_worker_with_wrong_clock_renders_after_a_minute(started_late, clock, farm):
    started = clock.time
    with pytest.raises(TaskDeferred):
        render(deferrable=True).execute(started_late)
    assert 60 < clock.time - started < 90
    assert farm.request_counts["submit_task"] == 1


def test_render_that_is_resumed_after_hours_has_lost_no_time(started_late, clock, farm):
    """Airflow keeps the time at which a try was started over its deferrals."""
    started = clock.time
    event = WaitResult(Outcome.SUCCEEDED, "available funds 50 RMB").to_dict()
    with pytest.raises(TaskDeferred):
        render(deferrable=True).resume_execution("execute_with_funds", {"event": event}, started_late)
    assert clock.time - started < 60
    assert farm.request_counts["submit_task"] == 1


@pytest.mark.parametrize("kind", ["render", "submit"])
def test_sigterm_after_lost_time_stops_nothing_and_names_the_render(
    kind, frozen, clock, farm, created, state, caplog
):
    operator = frozen(render() if kind == "render" else submit(created), None, "")

    def freeze_and_kill():
        clock.freeze(FROZEN_SECONDS)
        operator.on_kill()

    clock.at_next_sleep = freeze_and_kill
    with pytest.raises(SystemExit, match="was not stopped, because this process has lost time"):
        operator.execute(context())
    (render_task_id,) = operator.owned_render_task_ids
    assert farm.request_counts["stop_task"] == 0
    assert state(render_task_id) != "STOP"
    assert f"render {render_task_id} was not stopped" in caplog.text


def test_sigterm_of_sensor_after_lost_time_stops_nothing(clock, client, farm, submitted):
    sensor = RenderbusTaskSensor(task_id="wait", render_task_id=submitted, cancel_on_kill=True)
    sensor.owned_render_task_ids = [submitted]
    assert sensor.hook.lost_time
    clock.freeze(FROZEN_SECONDS)
    with pytest.raises(SystemExit, match="was not stopped, because this process has lost time"):
        sensor.on_kill()
    assert farm.request_counts["stop_task"] == 0


@pytest.mark.parametrize(
    ("option", "reason"), [({"timeout": 120}, "Timed out"), ({"max_cost": "0.0001"}, "exceeds max_cost")]
)
@pytest.mark.parametrize("is_killed", [True, False])
def test_end_after_lost_time_stops_only_if_the_process_is_not_killed(
    option, reason, is_killed, frozen, clock, farm
):
    """Airflow kills the process if a newer try runs. Otherwise nobody else would stop the render."""
    operator = frozen(render(**option), None, "")

    def freeze():
        clock.at_next_sleep = operator.on_kill if is_killed else lambda: None
        clock.freeze(FROZEN_SECONDS)
        farm.advance(170)  # some of the frames

    clock.at_next_sleep = freeze
    with pytest.raises(SystemExit if is_killed else AirflowException, match=None if is_killed else reason):
        operator.execute(context())
    assert farm.request_counts["stop_task"] == (0 if is_killed else 1)


def test_stop_by_a_newer_try_is_no_final_failure(frozen, clock, client, created):
    """Airflow 2 would put the final failure over the state of the newer try."""
    operator = submit(created)

    def freeze():
        clock.at_next_sleep = operator.on_kill
        clock.freeze(FROZEN_SECONDS)
        client.send(calls.stop_task([created]))

    clock.at_next_sleep = freeze
    with pytest.raises(SystemExit):
        frozen(operator, None, "").execute(context())


@pytest.mark.parametrize("is_killed", [True, False])
def test_deferral_after_lost_time_waits_to_be_killed(is_killed, frozen, clock, farm):
    """Airflow 2 would put it over the state of the newer try."""
    operator = frozen(render(deferrable=True), "submit_task", "after")
    if is_killed:
        clock.at_next_sleep = operator.on_kill
    with pytest.raises(SystemExit if is_killed else TaskDeferred):
        operator.execute(context())
    assert farm.request_counts["stop_task"] == 0


def test_retry_frozen_before_its_restart_restarts_nothing(frozen, client, submitted, farm):
    client.send(calls.stop_task([submitted]))
    operator = RenderbusSubmitTaskOperator(
        task_id="submit", render_task_id=submitted, wait_for_completion=True
    )
    with pytest.raises(AirflowException, match="start_task: not sent: this process has lost time"):
        frozen(operator, "start_task", "before").execute(context(2))
    assert farm.request_counts["start_task"] == 0
    assert farm.request_counts["stop_task"] == 1


def test_submit_refused_as_expired_stops_nothing(frozen, farm, created, submitted_ids):
    """Both clocks stood still in a paused machine, so only the farm has noticed."""
    farm.inject("code", code=610, calls=["submit_task"])
    operator = submit(created)
    with pytest.raises(AirflowException, match=r"610.*was not stopped, because .*refused its request as exp"):
        frozen(operator, None, "").execute(context())
    assert farm.request_counts["submit_task"] == 1
    assert farm.request_counts["stop_task"] == 0
    assert submitted_ids() == []


class TestStopOfFrozenTry:
    """A woken process of the try before may stop the render late; the newer try restarts it once."""

    def stop_at(self, clock, farm, seconds, *stops):
        """Stop the render in these ways, so many seconds after the start and after each other."""
        start, pending = clock.time, list(stops)

        def at_sleep():
            if pending and clock.time >= start + seconds * (len(stops) - len(pending) + 1):
                pending.pop(0)()
            elif not pending and clock.time > start + 1000:
                farm.advance(600)

        clock.at_next_sleep = at_sleep

    def test_newer_try_on_worker_restarts_late_api_stop_once(self, clock, farm, client, submitted):
        self.stop_at(clock, farm, 100, lambda: client.send(calls.stop_task([submitted])))
        result = submit(submitted).execute(context(2))
        assert result["state"] == "FINISHED"
        assert farm.request_counts["start_task"] == 1

    def test_newer_try_on_worker_second_api_stop_fails(self, clock, farm, client, submitted):
        stop = lambda: client.send(calls.stop_task([submitted]))  # noqa: E731 - twice the same
        self.stop_at(clock, farm, 200, stop, stop)
        with pytest.raises(AirflowFailException, match="stop type: through the API"):
            submit(submitted).execute(context(2))
        assert farm.request_counts["start_task"] == 1

    @pytest.mark.parametrize("by", ["user", "administrator"])
    @pytest.mark.parametrize("seconds", [1, 100])
    def test_newer_try_stop_by_a_user_is_final(self, by, seconds, clock, farm, submitted):
        self.stop_at(clock, farm, seconds, lambda: farm.stop(submitted, by))
        with pytest.raises(AirflowFailException, match=f"stop type: by .*{by}"):
            submit(submitted).execute(context(2))
        assert farm.request_counts["start_task"] == 0

    def test_first_try_api_stop_is_final(self, clock, farm, client, created):
        self.stop_at(clock, farm, 100, lambda: client.send(calls.stop_task([created])))
        with pytest.raises(AirflowFailException, match="stop type: through the API"):
            submit(created).execute(context())

    def test_newer_try_deferred_passes_it_on(self, submitted):
        with pytest.raises(TaskDeferred) as deferred:
            submit(submitted, deferrable=True).execute(context(2))
        assert deferred.value.trigger.ignore_api_stop
        assert deferred.value.kwargs["wait"]["ignore_api_stop"]


@pytest.mark.parametrize(("call", "stored"), [("create_task", None), ("submit_task", "started")])
def test_woken_process_replaces_nothing_that_a_newer_try_has_stored(call, stored, frozen, clock):
    operator = frozen(render(), call, "after")
    clock.at_next_sleep = operator.on_kill
    its_context = context()
    with pytest.raises(SystemExit):
        operator.execute(its_context)
    record = its_context["ti"].pushed.get("renderbus_render")
    assert (record and record["outcome"]) == stored


_PROCESS = """
from airflow_provider_renderbus.hooks import renderbus
from airflow_provider_renderbus.task_result import records_end

class Task:
    @records_end
    def execute(self, context):
        renderbus.is_replaced = lambda: True
        self.hook = renderbus.RenderbusHook().watch_lost_time()
        self.hook.wait_to_be_killed()
        print("runs", flush=True)
        self.hook.lost_time.note_expired_request()
        try:
            self.hook.wait_to_be_killed()
            print("waited", flush=True)
        finally:
            print("cleaned up", flush=True)

Task().execute({})
"""


def test_woken_process_that_airflow_does_not_kill_kills_itself():
    """Airflow 2 would put any other end over the state of the newer try."""
    ended = subprocess.run([sys.executable, "-c", _PROCESS], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert "runs" in ended.stdout
    assert "cleaned up" in ended.stdout
    assert "waited" not in ended.stdout


@pytest.mark.parametrize(
    "operator",
    [
        partial(render, cancel_on_kill=True),
        partial(render, cancel_on_kill=False),
        partial(RenderbusUploadAssetsOperator, task_id="upload", assets="/mnt/shots/*.blend"),
    ],
    ids=["render", "render without cancel_on_kill", "upload"],
)
def test_sigterm_of_replaced_process_leaves_the_end_to_the_newer_try(operator, clock, monkeypatch):
    monkeypatch.setattr("airflow_provider_renderbus.hooks.renderbus.is_replaced", lambda: True)
    operator = operator()
    assert operator.hook.lost_time
    clock.freeze(FROZEN_SECONDS)
    with pytest.raises(ReplacedError):
        operator.on_kill()
