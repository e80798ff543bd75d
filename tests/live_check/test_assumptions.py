"""All assumptions hold on the embedded farm; a farm that breaks one sees just its verdict fail."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_provider_renderbus.farm import ManualClock
from airflow_provider_renderbus.farm.calls import ROUTES
from airflow_provider_renderbus.live_check.account_checks import queries_with_several_paths
from airflow_provider_renderbus.live_check.assumption import FAILS, HOLDS, NOT_CHECKED, SOURCES
from airflow_provider_renderbus.live_check.command import FREE, PAID, run_checks
from airflow_provider_renderbus.live_check.sample_render import SampleRender
from tests.live_check.broken_farm import BrokenFarm, refuse, session_of
from tests.transfer_command import transfer_command


@pytest.fixture
def farm(tmp_path):
    with BrokenFarm(tmp_path / "farm", ManualClock(), scenario={"pictures": True}) as running:
        yield running


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    return transfer_command(tmp_path_factory.mktemp("transfer") / "command")


@pytest.fixture(scope="module")
def quick_command(tmp_path_factory):
    """A command that only refuses to run without arguments."""
    path = tmp_path_factory.mktemp("quick") / "rayvision"
    path.write_text("#!/bin/sh\necho an argument is missing\nexit 255\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def sample(tmp_path):
    scene = tmp_path / "shot.blend"
    scene.write_text("a scene")
    return SampleRender.load(scene, Decimal(1000))


def verdicts(session, assumptions):
    return {result.assumption.key: result.verdict for result in run_checks(session, assumptions)}


def seen(session, assumptions):
    return {
        result.assumption.key: f"{result.verdict}: {result.seen}"
        for result in run_checks(session, assumptions)
    }


def test_free_assumptions_hold_on_the_embedded_farm_and_leave_nothing(farm, command):
    session = session_of(farm, command)
    results = seen(session, FREE)
    assert [line for line in results.values() if not line.startswith(HOLDS)] == []
    assert session.clean_up() == []
    assert farm.request_counts["create_task"] == farm.request_counts["delete_task"] > 0
    assert not farm.request_counts["submit_task"]


def test_paid_assumptions_hold_on_the_embedded_farm_and_leave_nothing(farm, command, sample):
    session = session_of(farm, command, sample=sample)
    results = seen(session, [*FREE, *PAID])
    assert [line for line in results.values() if not line.startswith(HOLDS)] == []
    assert session.clean_up() == []
    assert farm.request_counts["submit_task"] == 1
    assert farm.request_counts["create_task"] == farm.request_counts["delete_task"]


def test_keys_are_unique_and_sources_have_a_meaning():
    keys = [each.key for each in (*FREE, *PAID)]
    assert len(set(keys)) == len(keys)
    assert {source for each in (*FREE, *PAID) for source in each.sources} == set(SOURCES)
    assert all(each.claim.endswith(".") and each.settled_by for each in (*FREE, *PAID))


def fields(call, **values):
    """Return what sets fields of a call's data."""

    def rewrite(exchange):
        if exchange.call == call and isinstance(exchange.envelope.get("data"), dict):
            exchange.envelope["data"] |= values

    return rewrite


def items(call, **values):
    """Return what sets fields of the items of a call's page, or of its list."""

    def rewrite(exchange):
        data = exchange.envelope.get("data")
        if exchange.call == call and data:
            for item in data if isinstance(data, list) else data["items"]:
                item.update(values)

    return rewrite


def listed(field, call, **values):
    """Return what sets fields of the entries of a list in a call's data."""

    def rewrite(exchange):
        if exchange.call == call:
            for entry in exchange.envelope["data"][field]:
                entry.update(values)

    return rewrite


def refused(call, code):
    def rewrite(exchange):
        if exchange.call == call:
            exchange.envelope = refuse(code)

    return rewrite


class NotServed(str):
    """A path that the farm does not serve."""

    __slots__ = ()


def other_code(code, other):
    def rewrite(exchange):
        if exchange.envelope.get("code") == code:
            exchange.envelope["code"] = other

    return rewrite


def without(field):
    return lambda exchange: exchange.envelope.pop(field, None) and None


def clock_ahead(exchange):
    exchange.envelope["serverTime"] += 3_600_000


def envelope_for_unknown_path(exchange):
    return (
        (200, {"Content-Type": "application/json"}, b'{"code": 404, "message": "", "data": null}')
        if ("renderbusCheck" in exchange.path)
        else None
    )


def wrong_blender(exchange):
    if exchange.call == "query_software_list":
        for entry in exchange.envelope["data"]["renderInfoList"]:
            if entry["cgId"] == 2007:
                entry["cgName"] = "Maya"


def bare_plugin_versions(exchange):
    if exchange.call == "query_software_detail":
        for plugin in exchange.envelope["data"]["cgPlugin"]:
            for version in plugin["pluginVersions"]:
                version["pluginVersion"] = version["pluginVersion"].rpartition(" ")[2]


def unsubmitted_in_list(exchange):
    if exchange.call == "get_task_list" and exchange.body.get("searchKeyword", "").isdecimal():
        task = {"id": int(exchange.body["searchKeyword"]), "taskStatus": 0}
        exchange.envelope["data"] |= {"items": [task], "total": 1, "pageCount": 1}


def task_of_any_number(exchange):
    if exchange.call == "query_task_info" and exchange.body["taskIds"][0] > 10**9:
        task = {"id": exchange.body["taskIds"][0], "taskStatus": 0}
        exchange.envelope["data"] |= {"items": [task], "total": 1, "pageCount": 1}


def falling_funds():
    cents = itertools.count(1)

    def rewrite(exchange):
        if exchange.call == "query_user_profile" and exchange.envelope.get("data"):
            exchange.envelope["data"]["rmbbalance"] -= next(cents) / 100

    return rewrite


def lost_thumbnail(exchange):
    if exchange.call == "load_frame_thumbnail":
        exchange.envelope["data"] = ["/nowhere/1.jpg"]


BREAKS = {
    "signature": refused("query_user_profile", 611),
    "envelope": without("message"),
    "clock": clock_ahead,
    "signed_body": refused("get_task_list", 611),
    "wrong_key": other_code(611, 100),
    "expired_signature": other_code(610, 100),
    "unknown_path": envelope_for_unknown_path,
    "paths": NotServed("/api/rendering/user/client/queryUserSetting"),
    "profile": fields("query_user_profile", zone=3),
    "funds": fields("query_user_profile", rmbbalance=None),
    "platforms": items("query_platforms", name="W9"),
    "software": wrong_blender,
    "extensions": listed("renderInfoList", "query_software_list", cgType="ma|mb"),
    "versions": listed("cgPlugin", "query_software_detail", cvId=None),
    "plugin_versions": bare_plugin_versions,
    "hardware": items("list_hardware_configs", ram="64"),
    "projects": fields("list_projects", projectNameList=None),
    "transfer_line": fields("get_transfer_config", resqEngines=[]),
    "transfer_command": Path("/bin/true"),
    "create": fields("create_task", aliasTaskIdList=["2W7"]),
    "unsubmitted": items("query_task_info", submitDate=1_700_000_000_000),
    "labels": items("query_task_info", labels="{}"),
    "artist": items("query_task_info", producer="somebody"),
    "upload": refused("upload_task_json", 601),
    "list": unsubmitted_in_list,
    "unknown_number": task_of_any_number,
    "order_paths": NotServed("/api/render/task/createTask"),
    "stop": refused("stop_task", 403),
    "delete": items("query_task_info", isDelete=1),
    "funds_unchanged": falling_funds(),
    "scene_upload": Path("/bin/false"),
    "states": items("query_task_info", taskStatus=45),
    "listed": fields("get_task_list", items=[]),
    "producer": items("query_task_info", producer="somebody"),
    "frames": items("query_task_frames", frameIndex="0001"),
    "log": fields("show_log", items=[]),
    "thumbnail": lost_thumbnail,
    "download": refused("get_output_files", 403),
    "cost": items("query_task_info", renderConsume=99.0),
}
NEEDED = {"profile"}
"""The checks that those with a render need."""


def test_every_assumption_has_a_farm_that_breaks_it():
    assert list(BREAKS) == [each.key for each in (*FREE, *PAID)]


@pytest.mark.parametrize("key", BREAKS)
def test_broken_assumption_fails(key, farm, command, quick_command, sample):
    assumptions, runs = FREE, quick_command
    if key in {each.key for each in PAID}:
        assumptions, runs = [*(each for each in FREE if each.key in NEEDED), *PAID], command
    how = BREAKS[key]
    session = session_of(farm, how if isinstance(how, Path) else runs, sample=sample)
    if isinstance(how, NotServed):
        farm.not_served = how
    elif not isinstance(how, Path):
        farm.rewrite = how
    results = verdicts(session, assumptions)
    farm.rewrite = None
    assert results[key] == FAILS
    assert session.clean_up() == []
    assert farm.request_counts["delete_task"] >= farm.request_counts["create_task"]


def test_checks_that_need_an_earlier_one_are_not_checked(farm, command):
    farm.rewrite = refused("create_task", 403)
    results = verdicts(session_of(farm, command), FREE)
    assert results["create"] == FAILS
    assert {results[key] for key in ("unsubmitted", "labels", "upload", "list", "stop", "delete")} == {
        NOT_CHECKED
    }


def test_farm_of_nonsense_fails_every_check_that_reads_an_answer(farm, command):
    farm.rewrite = lambda exchange: (
        200,
        {"Content-Type": "application/json"},
        b'{"code": 200, "data": [[7]]}',
    )
    results = verdicts(session_of(farm, command), FREE)
    assert set(results.values()) <= {FAILS, NOT_CHECKED, HOLDS}
    assert [key for key, verdict in results.items() if verdict == HOLDS] <= [
        "signature",
        "signed_body",
        "transfer_command",
    ]


def test_render_over_its_cost_is_stopped_and_deleted(farm, command, sample):
    farm.rewrite = items("query_task_info", renderConsume=99.0)
    session = session_of(farm, command, sample=SampleRender(sample.scene, Decimal(20)))
    results = seen(session, [*(each for each in FREE if each.key in NEEDED), *PAID])
    assert "stopped, since --max-cost is exceeded" in results["states"]
    assert session.clean_up() == []
    assert farm.request_counts["stop_task"] >= 1
    assert farm.request_counts["delete_task"] >= 1


def answer_is_lost(call):
    """A proxy answers in the place of the farm, which has executed the call."""
    return lambda exchange: (
        (200, {"Content-Type": "text/html"}, b"<html>proxy</html>") if exchange.call == call else None
    )


def test_render_is_stopped_and_deleted_if_the_answer_to_its_submit_is_lost(farm, command, sample):
    farm.rewrite = answer_is_lost("submit_task")
    session = session_of(farm, command, sample=sample)
    results = verdicts(session, [*(each for each in FREE if each.key in NEEDED), *PAID])
    assert (results["states"], farm.request_counts["submit_task"]) == (FAILS, 1)
    assert session.clean_up() == []
    assert (farm.request_counts["stop_task"], farm.request_counts["delete_task"]) == (1, 1)


def test_number_that_could_not_be_deleted_is_not_the_one_to_render(farm, command, sample):
    def rewrite(exchange):
        if exchange.call == "query_task_info" and not farm.request_counts["submit_task"]:
            for item in exchange.envelope["data"]["items"]:
                item["isDelete"] = 1

    farm.rewrite = rewrite
    session = session_of(farm, command, sample=sample)
    results = verdicts(session, [*FREE, *PAID])
    assert [key for key, verdict in results.items() if verdict != HOLDS] == ["delete"]
    assert session.clean_up() == []


@pytest.mark.parametrize("url", ["http://[::bad/1.jpg", "http://a\0b/1.jpg"])
def test_check_with_an_unexpected_error_fails_alone(url, farm, command, sample):
    farm.rewrite = lambda exchange: (
        exchange.envelope.update(data=[url]) if exchange.call == "load_frame_thumbnail" else None
    )
    session = session_of(farm, command, sample=sample)
    results = seen(session, [*(each for each in FREE if each.key in NEEDED), *PAID])
    assert results["thumbnail"] == f"{FAILS}: an answer of another form (InvalidURL)"
    assert results["cost"].startswith(HOLDS)
    assert session.clean_up() == []


def test_paths_of_all_calls_that_cost_nothing_are_checked():
    """A call with several paths is tried at all of them, or costs money."""
    several = {}
    for path, call in ((path, function.__name__) for path, function in ROUTES.items()):
        several.setdefault(call, []).append(path)
    names = {name for name, paths in several.items() if len(paths) > 1}
    tried = {call.name for call in queries_with_several_paths()} | {
        "create_task",
        "stop_task",
        "delete_task_label",
    }
    assert names - tried == {"submit_task", "start_task", "recommit_failed_frames"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.blend", None, "must be a scene on this machine"),
        ("a.txt", "x", "must be a scene file of a software, or a task.json"),
        ("a.json", "{", "must be JSON"),
        ("a.json", '{"task_info": {"input_cg_file": "/mnt/nowhere.ma"}}', "must be a scene on this machine"),
    ],
)
def test_sample_that_cannot_be_rendered_is_refused(name, content, message, tmp_path):
    file = Path(tmp_path / name)
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=message):
        SampleRender.load(file, Decimal(1))


def test_sample_that_needs_a_task_json_says_so(tmp_path):
    scene = tmp_path / "a.ma"
    scene.touch()
    with pytest.raises(ValueError, match=r"give a task\.json of the scene instead"):
        SampleRender.load(scene, Decimal(1)).task_json("2024")
