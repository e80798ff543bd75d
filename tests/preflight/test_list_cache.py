"""The file of the farm's lists: how long it counts, what breaks it, who may read it, several processes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from airflow_provider_renderbus.api.errors import NoResponse, api_error
from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.preflight import list_cache
from airflow_provider_renderbus.preflight.list_cache import ListCache, account_name
from airflow_provider_renderbus.preflight.listings import Listing
from tests.preflight.lists import FakeFarm, lists

ACCOUNT = account_name("task.renderbus.com", "my-access-id", 2)


class Now:
    """A clock that only moves when it is set or slept on."""

    def __init__(self):
        self.seconds = 1_000_000.0

    @property
    def clock(self):
        return Clock(now=lambda: self.seconds, monotonic=lambda: self.seconds, sleep=self.sleep)

    def sleep(self, seconds):
        self.seconds += seconds


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "farm-lists"


@pytest.fixture
def cached_lists(now, folder):
    """Returns the lists of a farm for another render on the same worker."""
    return lambda farm: lists(farm, ListCache(folder, ACCOUNT, now.clock), now.clock)


def test_lists_are_queried_once_an_hour(cached_lists, now):
    farm = FakeFarm()
    for _ in range(3):
        assert [each.cg_id for each in cached_lists(farm).software().values] == [2000, 2004, 2005, 2007]
        cached_lists(farm).software_detail(2007, "windows")
        cached_lists(farm).software_detail(2000, "windows")
    assert farm.requests == ["query_software_list", "query_software_detail", "query_software_detail"]
    now.seconds += 3601
    cached_lists(farm).software()
    assert len(farm.requests) == 4


def test_lists_from_the_future_are_queried_again(cached_lists, now):
    farm = FakeFarm()
    cached_lists(farm).software()
    now.seconds -= 7200
    cached_lists(farm).software()
    assert farm.requests == ["query_software_list"] * 2


def test_refused_list_is_queried_again_after_minutes(cached_lists, now):
    farm = FakeFarm(list_projects=api_error("list_projects", 605, "no right"))
    for _ in range(3):
        assert "no right" in cached_lists(farm).projects().gap
    assert farm.requests == ["list_projects"]
    now.seconds += 301
    farm.data["list_projects"] = {"projectNameList": [{"projectName": "Sun"}]}
    assert cached_lists(farm).projects() == Listing(("Sun",))


def test_farm_that_does_not_respond_is_asked_once(cached_lists):
    farm = FakeFarm(query_software_list=NoResponse("query_software_list", "timed out"))
    own = cached_lists(farm)
    assert "timed out" in own.software().gap
    assert own.hardware().gap == "the farm did not respond"
    assert farm.requests == ["query_software_list"]


def test_renew_queries_what_is_older_than_a_minute(cached_lists, now):
    farm = FakeFarm()
    cached_lists(farm).projects()
    now.seconds += 30
    young = cached_lists(farm)
    young.projects()
    assert not young.renew()
    now.seconds += 60
    old = cached_lists(farm)
    old.projects()
    assert old.renew()
    old.projects()
    assert farm.requests == ["list_projects"] * 2


BROKEN = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe",
    b'{"format": 1}',
    b'{"format": 1, "lists": []}',
    b'{"format": 1, "lists": {"query_software_list": 7}}',
    b'{"format": 1, "lists": {"query_software_list": {"time": "soon", "data": {}, "error": ""}}}',
    b'{"format": 2, "lists": {"query_software_list": {"time": 1000000, "data": {}, "error": ""}}}',
    b'{"format": 1, "lists": {"query_software_list": {"time": %s, "data": {}, "error": ""}}}' % (b"9" * 400),
    b"[" * 100_000,
]


@pytest.mark.parametrize("content", BROKEN, ids=lambda content: ascii(content[:40]))
def test_file_that_cannot_be_read_is_replaced(content, cached_lists, folder):
    folder.mkdir(parents=True)
    (folder / f"{ACCOUNT}.json").write_bytes(content)
    farm = FakeFarm()
    assert cached_lists(farm).software().values
    assert cached_lists(farm).software().values
    assert farm.requests == ["query_software_list"]


def test_file_is_private_and_holds_neither_access_id_nor_parts_of_files(cached_lists, folder):
    cached_lists(FakeFarm()).software()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert {path.name for path in folder.iterdir()} == {f"{ACCOUNT}.json", f"{ACCOUNT}.lock"}
    assert "my-access-id" not in (folder / f"{ACCOUNT}.json").read_text() + ACCOUNT
    assert json.loads((folder / f"{ACCOUNT}.json").read_text())["lists"].keys() == {"query_software_list"}


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_folder_that_others_can_write_to_is_not_used(mode, cached_lists, folder):
    cached_lists(FakeFarm(query_software_list={"renderInfoList": [{"cgId": 1}]})).software()
    (folder / f"{ACCOUNT}.lock").unlink()
    folder.chmod(mode)
    farm = FakeFarm()
    for _ in range(2):
        assert len(cached_lists(farm).software().values) == 4
    assert farm.requests == ["query_software_list"] * 2
    assert [path.name for path in folder.iterdir()] == [f"{ACCOUNT}.json"]


def test_folder_that_cannot_be_created_is_no_error(now):
    cache = ListCache(Path("/proc/renderbus/farm-lists"), ACCOUNT, now.clock)
    assert lists(FakeFarm(), cache, now.clock).software().values


def test_accounts_and_platforms_have_files_of_their_own():
    names = {
        account_name(domain, access_id, platform)
        for domain in ("task.renderbus.com", "task.foxrenderfarm.com")
        for access_id in ("a", "b")
        for platform in (2, 21)
    }
    assert len(names) == 8


def test_process_waits_for_the_one_that_queries(folder):
    """Two renders begin at once: the second one takes what the first one queried."""
    asked, release = threading.Event(), threading.Event()

    class SlowFarm(FakeFarm):
        def send(self, call):
            asked.set()
            release.wait(30)
            return super().send(call)

    farm = SlowFarm()
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        release.set()

    first = lists(farm, ListCache(folder, ACCOUNT, Clock()), Clock())
    thread = threading.Thread(target=first.software)
    thread.start()
    assert asked.wait(30)
    clock = Clock(sleep=sleep)
    second = lists(farm, ListCache(folder, ACCOUNT, clock), clock)
    assert second.software().values
    thread.join(30)
    assert farm.requests == ["query_software_list"]
    assert slept


def test_process_does_not_wait_forever_for_a_frozen_one(folder, now):
    with ListCache(folder, ACCOUNT, Clock()).lock():
        farm = FakeFarm()
        assert lists(farm, ListCache(folder, ACCOUNT, now.clock), now.clock).software().values
    assert farm.requests == ["query_software_list"]
    assert 15 <= now.seconds - 1_000_000 < 16


WRITER = """
import sys
from pathlib import Path
from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.preflight.list_cache import CachedList, ListCache
cache = ListCache(Path(sys.argv[1]), "account", Clock())
for count in range(100):
    cache.save({f"{sys.argv[2]} {count}": CachedList(Clock().now(), ["x" * 5000])})
    assert cache.load(), "half a file"
"""


def test_file_is_whole_while_two_processes_write_it(folder):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(folder), name], env={**os.environ})
        for name in ("a", "b")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert ListCache(folder, "account", Clock()).load()
    assert [path.name for path in folder.iterdir()] == ["account.json"]


def test_limits_of_ages_are_ordered():
    assert list_cache.MAX_FAILURE_AGE < list_cache.MAX_AGE
