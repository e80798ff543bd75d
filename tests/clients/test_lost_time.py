"""Lost time: what shows that a process was frozen, and what it does not send then."""

import time

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.lost_time import LostTimeWatch, TimeLostError, tick_in_background


class Clocks:
    """The monotonic clock and the wall clock of a process."""

    def __init__(self):
        self.monotonic, self.now = 1000.0, 1_700_000_000.0

    def watch(self, heartbeat_timeout=300):
        return LostTimeWatch(heartbeat_timeout, lambda: self.monotonic, lambda: self.now)

    def advance(self, seconds):
        self.monotonic += seconds
        self.now += seconds


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def watch(clocks):
    return clocks.watch()


@pytest.mark.parametrize("clock", ["monotonic", "now"])
@pytest.mark.parametrize(("seconds", "is_lost"), [(10, False), (300, False), (301, True)])
def test_watch_gap_of_either_clock_is_lost_time(clock, seconds, is_lost, clocks, watch):
    setattr(clocks, clock, getattr(clocks, clock) + seconds)
    assert bool(watch.reason) is is_lost
    assert ("it stood still for 301 s, and the heartbeat timeout is 300 s" in watch.reason) is is_lost


def test_watch_ticks_keep_time(clocks, watch):
    for _ in range(1000):
        clocks.advance(10)
        watch.tick()
    assert watch.reason == ""


def test_watch_clock_that_is_set_back_is_no_lost_time(clocks, watch):
    clocks.now -= 3600
    assert watch.reason == ""


def test_watch_lost_time_counts_until_airflow_would_have_killed_the_process(clocks, watch):
    clocks.advance(301)
    for _ in range(7):
        with pytest.raises(TimeLostError, match="submit_task: not sent: this process has lost time"):
            watch.check("submit_task")
        clocks.advance(10)
    watch.check("submit_task")


def test_watch_frozen_again_counts_again(clocks, watch):
    for _ in range(2):
        clocks.advance(301)
        assert watch.reason
        watch.wait_to_be_killed(clocks.advance)
        assert not watch.reason


@pytest.mark.parametrize("change", ["clock set forward", "start by a clock that is behind"])
def test_watch_clock_that_is_wrong_counts_for_a_minute(change, clocks, watch):
    if change == "clock set forward":
        clocks.now += 3600
    else:
        watch.note_start(clocks.now - 3600)
    assert watch.reason
    watch.wait_to_be_killed(clocks.advance)
    assert watch.reason == ""


@pytest.mark.parametrize("seconds", [-900, 900])
def test_watch_farm_whose_clock_is_wrong_for_a_moment_counts_for_a_minute_at_most(seconds, clocks, watch):
    for wrong in (0, 0, seconds, 0, 0):
        watch.note_server_time(clocks.monotonic + wrong)
        clocks.advance(20)
        watch.tick()
    assert watch.reason == "" or seconds > 0
    watch.wait_to_be_killed(clocks.advance)
    watch.note_server_time(clocks.monotonic)
    assert watch.reason == ""


@pytest.mark.parametrize(("seconds", "is_lost"), [(300, False), (301, True)])
def test_watch_farm_that_advances_alone_is_lost_time(seconds, is_lost, clocks, watch):
    """In a paused virtual machine both clocks stand still."""
    watch.note_server_time(5000.0)
    clocks.advance(10)
    watch.note_server_time(5010.0)
    watch.note_server_time(5010.0 + seconds)
    assert bool(watch.reason) is is_lost


def test_watch_farm_that_advances_alike_is_no_lost_time(clocks, watch):
    watch.note_server_time(5000.0)
    for _ in range(400):
        clocks.advance(1)
        watch.tick()
    watch.note_server_time(5400.0)
    assert watch.reason == ""


@pytest.mark.parametrize(("seconds", "is_lost"), [(300, False), (301, True)])
def test_watch_start_long_ago_is_lost_time(seconds, is_lost, clocks, watch):
    watch.note_start(clocks.now - seconds)
    assert bool(watch.reason) is is_lost


@pytest.mark.parametrize(("timeout", "interval"), [(300, 10), (20, 5)])
def test_watch_tick_interval_is_at_most_ten_seconds(timeout, interval, clocks):
    assert clocks.watch(timeout).tick_interval == interval


def test_watch_ticking_sleep_ticks_while_it_sleeps(clocks, watch):
    sleeps = []

    def sleep(seconds):
        sleeps.append(seconds)
        clocks.advance(seconds)

    watch.ticking(sleep)(3600)
    assert sum(sleeps) == 3600
    assert max(sleeps) <= 20
    assert watch.reason == ""


def test_watch_ticks_in_the_background():
    watch = LostTimeWatch(0.2, time.monotonic, time.time)
    ticked = []
    watch.tick = lambda: ticked.append(True)
    tick_in_background(watch)
    deadline = time.monotonic() + 30
    while len(ticked) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def frozen_client(settings, clocks, watch):
    """A client of a process that was frozen after it had queried the profile."""
    with Client(settings, lost_time=watch) as client:
        client.send(calls.query_user_profile())
        clocks.advance(301)
        yield client


@pytest.mark.parametrize(
    "call",
    [
        calls.submit_task(35),
        calls.start_task([35]),
        calls.full_speed([35]),
        calls.recommit_failed_frames([35]),
        calls.recommit_frames(ids=[1]),
    ],
    ids=lambda call: call.name,
)
def test_client_lost_time_sends_nothing_that_spends(call, farm, frozen_client):
    with pytest.raises(TimeLostError):
        frozen_client.send(call)
    assert farm.request_counts[call.name] == 0
    frozen_client.send(calls.query_user_profile())


def test_client_refused_submit_as_expired_is_lost_time(farm, settings, watch):
    farm.inject("code", code=610, calls=["submit_task"])
    with Client(settings, lost_time=watch) as client:
        (task_id,) = client.send(calls.create_task()).ids
        with pytest.raises(Exception, match="610"):
            client.send(calls.submit_task(task_id))
    assert farm.request_counts["submit_task"] == 1
    assert "the farm refused its request as expired" in watch.reason


def test_client_first_request_refused_as_expired_is_no_lost_time(farm, settings, watch):
    """The clock of this machine is wrong."""
    farm.inject("code", code=610, calls=["query_user_profile"], times=1)
    with Client(settings, lost_time=watch) as client:
        client.send(calls.query_user_profile())
    assert watch.reason == ""


def test_watch_before_it_recovers_asks_once_whether_there_is_a_newer_try(clocks):
    asked = []
    watch = LostTimeWatch(300, lambda: clocks.monotonic, lambda: clocks.now, lambda: asked.append(True))
    clocks.advance(301)
    assert watch.reason
    clocks.advance(60)
    assert watch.reason
    assert not asked
    clocks.advance(1)
    assert not watch.reason
    assert not watch.reason
    assert asked == [True]
