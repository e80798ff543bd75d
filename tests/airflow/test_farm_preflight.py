"""Renders are compared with the farm's lists before a number exists: typos, odd lists, whole nights."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.calls import account as account_calls
from airflow_provider_renderbus.api.models.account import read_user_profile
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, TaskDeferred
from airflow_provider_renderbus.operators import (
    RenderbusPreflightOperator,
    RenderbusRenderOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.operators.task_files import TaskFiles
from airflow_provider_renderbus.preflight import farm_lists
from airflow_provider_renderbus.task_json import build_task_json
from tests.airflow.context import StateStore, context
from tests.farm.raw_client import maya_job
from tests.scenes import make_task_json

LISTS = Counter(query_software_list=1, query_software_detail=1, query_platforms=1)
STEPS = Counter(query_user_profile=1, create_task=1, upload_task_json=1, submit_task=1, query_task_info=1)

pytestmark = [
    pytest.mark.usefixtures("connection"),
    pytest.mark.filterwarnings("ignore:task.json"),  # the builder warns of some typos too
]


def blender(**arguments):
    scene = {
        "software": "Blender",
        "version": "4.2",
        "scene": "/mnt/a.blend",
        "frames": "1-4",
        "image_format": "PNG",
    }
    return lambda: {"task_json": build_task_json(**scene | arguments)}


def maya(**arguments):
    scene = {"software": "Maya", "version": "2024", "scene": "/mnt/a.ma", "frames": "1-4"}
    scene |= {"width": 64, "height": 36, "renderer": "arnold", "plugins": {"mtoa": "5.3.4"}}
    return lambda: {"task_json": build_task_json(**scene | arguments)}


def houdini(version):
    scene = {"software": "Houdini", "scene": "/mnt/a.hip", "frames": "1-4", "rop_nodes": ["/out/karma"]}
    return lambda: {"task_json": build_task_json(**scene, version=version, width=64, height=36)}


def written_by_hand(**changes):
    """A task.json of which a TD has changed fields by hand; ``cg_name`` and such are of software_config."""

    def arguments():
        task_json = make_task_json()
        for name, value in changes.items():
            section = "software_config" if name in {"cg_name", "cg_version", "plugins"} else "task_info"
            task_json[section][name] = value
        return {"task_json": task_json}

    return arguments


def with_arguments(**arguments):
    return lambda: {"task_json": make_task_json(), **arguments}


TYPOS = {
    "a version read as a number": (blender(version="4.20"), "did you mean '4.2'?"),
    "a comma in the version": (blender(version="4,2"), "did you mean '4.2'?"),
    "a version to come": (blender(version="5.9"), "must be a version of Blender on the farm"),
    "a digit missing in the year": (maya(version="224"), "did you mean '2024'?"),
    "digits of the year swapped": (maya(version="2042"), "did you mean '2024'?"),
    "a build that the farm lacks": (houdini("20.0.725"), "did you mean '20.0.724'?"),
    "a build that is not named": (houdini("20.0"), "'20.0.547'"),
    "the name of another product": (houdini("R20"), "must be a version of Houdini"),
    "a letter missing in the software": (blender(software="Blendr"), "did you mean 'Blender'?"),
    "a letter too many in the software": (maya(software="Mayaa"), "did you mean 'Maya'?"),
    "an id with digits swapped": (written_by_hand(cg_id="2070"), "did you mean '2007' (Blender)?"),
    "the name of other software": (
        written_by_hand(cg_name="Houdini"),
        "got 'Houdini' (2004)",
    ),
    "a name that does not fit the id": (written_by_hand(cg_name="Blander"), "did you mean 'Blender'?"),
    "a letter too many in the plug-in": (maya(plugins={"mtoaa": "5.3.4"}), "did you mean 'mtoa'?"),
    "the renderer for its plug-in": (maya(plugins={"arnold": "5.3.4"}), "did you mean 'mtoa'?"),
    "a part of the plug-in's name": (
        maya(plugins={"mtoa": "5.3.4", "yeti": "4.2.8"}),
        "did you mean 'pgYetiMaya'?",
    ),
    "the plug-in of other software": (blender(plugins={"mtoa": "5.3.4"}), "must be plug-ins of Blender 4.2"),
    "digits of the plug-in's version swapped": (maya(plugins={"mtoa": "5.4.3"}), "did you mean '5.3.4"),
    "a plug-in's version to come": (maya(plugins={"mtoa": "9.0.0"}), "must have a version of 'mtoa'"),
    "a letter missing in the renderer": (maya(renderer="arnld"), "did you mean 'arnold'?"),
    "a letter missing in the extension": (blender(scene="/mnt/a.blen"), "did you mean 'a.blend'?"),
    "a backup as the scene": (blender(scene="/mnt/a.blend1"), "did you mean 'a.blend'?"),
    "the scene of other software": (
        written_by_hand(input_cg_file="/mnt/a.ma"),
        "it is a scene of Maya (2000)",
    ),
    "a cache as the scene": (maya(scene="/mnt/a.abc"), "must end in .ma or .mb for Maya"),
    "Linux for software without": (written_by_hand(os_name="0"), "must be '1' (Windows)"),
    "an unknown image format": (blender(image_format="PNGG"), "did you mean 'PNG'?"),
    "a scene that is not there": (with_arguments(assets=["/mnt/nowhere/a.blend"]), "/mnt/nowhere/a.blend"),
    "more memory than machines have": (with_arguments(hardware={"ram": 640}), "available: Default, 64GB"),
    "a model that the platform lacks": (
        with_arguments(hardware={"model": "2080Ti"}),
        "available: Default, 64GB",
    ),
    "ids of machines with a typo": (
        written_by_hand(hardwareConfigIds=["310"]),
        "did you mean '301'?",
    ),
    "a letter too many in the project": (with_arguments(project_name="Sunn"), "did you mean 'Sun'?"),
    "a project with a typo in the file": (written_by_hand(project_name="Sn"), "did you mean 'Sun'?"),
    "a hardware filter with a typo": (with_arguments(hardware={"rams": 64}), "did you mean 'ram'?"),
    "a hardware filter as the farm writes it": (
        with_arguments(hardware={"gpuNum": 2}),
        "did you mean 'gpu_num'?",
    ),
    "an operating system that does not exist": (written_by_hand(os_name="2"), "must be '0' (Linux) or '1'"),
}


@pytest.fixture
def projects(client):
    for name in ("Sun", "Night"):
        client.send(calls.add_project(name))


def render(**arguments):
    operator = RenderbusRenderOperator(task_id="render", deferrable=True, **arguments)
    with pytest.raises(TaskDeferred):
        operator.execute({**context(), "task_state_store": StateStore()})


def refusal(arguments):
    """Return the error of a render, from the function that builds its task.json or from the operator."""
    with pytest.raises((AirflowFailException, ValueError, TypeError)) as raised:
        RenderbusRenderOperator(task_id="render", deferrable=True, **arguments()).execute(
            {**context(), "task_state_store": StateStore()}
        )
    return str(raised.value)


@pytest.mark.usefixtures("projects", "transfers")
@pytest.mark.parametrize("typo", TYPOS)
def test_typo_is_caught_with_a_suggestion_before_a_number_exists(typo, farm):
    arguments, suggestion = TYPOS[typo]
    error = refusal(arguments)
    assert suggestion in error
    assert farm.request_counts["create_task"] == 0


def test_typos_are_at_least_thirty():
    assert len(TYPOS) >= 30


def test_all_typos_of_a_render_are_in_one_error(farm):
    error = refusal(written_by_hand(cg_version="4.20", input_cg_file="/mnt/a.blen", os_name="2"))
    assert (error.count("did you mean"), error.count("must be")) == (2, 2)
    assert "set preflight=False" in error


def test_render_queries_each_list_once_an_hour(farm):
    """The first render of the hour queries the lists, and the others send no request more."""
    render(task_json=make_task_json())
    assert +farm.request_counts == STEPS + LISTS
    for count in (2, 3):
        render(task_json=make_task_json())
        assert +farm.request_counts == Counter(dict.fromkeys(STEPS, count)) + LISTS


def test_render_without_preflight_queries_no_list(farm):
    task_json = make_task_json()
    task_json["software_config"]["cg_version"] = "4.20"
    render(task_json=task_json, preflight=False)
    assert +farm.request_counts == STEPS


def test_mapped_renders_query_each_list_once(farm):
    for number in range(100):
        operator = RenderbusRenderOperator(task_id="render", task_json=make_task_json(f"sh{number:03}"))
        operator.load_connection()
        operator.check_job()
        operator.hook.close()
    assert (
        farm.request_counts - Counter(query_user_profile=farm.request_counts["query_user_profile"]) == LISTS
    )


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "code", "code": 605},
        {"fault": "code", "code": 500},
        {"fault": "status", "status": 503},
        {"fault": "html"},
        {"fault": "cut"},
        {"fault": "drop"},
        {"fault": "missing", "fields": ["data"]},
        {"fault": "missing", "fields": ["renderInfoList", "cgVersion"]},
        {"fault": "types", "fields": ["renderInfoList", "cgVersion", "cgId", "platform"]},
        {"fault": "types", "fields": ["cgName", "cgType", "isSupportLinux", "status", "id", "pluginName"]},
    ],
    ids=str,
)
def test_list_that_cannot_be_had_does_not_stop_a_render(fault, farm, caplog):
    farm.inject(**fault, calls=["query_software_*", "query_platforms"])
    with caplog.at_level(logging.WARNING):
        render(task_json=make_task_json())
    assert farm.request_counts["submit_task"] == 1


def test_refused_list_is_a_warning(farm, caplog):
    farm.inject(fault="code", code=605, calls=["query_software_*"])
    with caplog.at_level(logging.WARNING):
        render(task_json=make_task_json())
    assert (
        "$.task_info.cg_id: must be a software of the farm (none), got '2007'; not certain, since"
        in caplog.text
    )


def test_project_that_was_added_since_is_found(farm, client, hook_sleeps, monkeypatch):
    """The list is older than the project: it is queried again before the render is refused."""
    monkeypatch.setattr(farm_lists, "CONFIRM_AGE", -1.0)
    client.send(calls.add_project("Sun"))
    render(**written_by_hand(project_name="Sun")())
    client.send(calls.add_project("Moon"))
    render(**written_by_hand(project_name="Moon")())


def test_project_argument_may_be_one_of_the_main_account(farm, client):
    class SubAccount:
        def send(self, call):
            names = ["Sun", "Moon"] if call.body["flag"] else ["Sun"]
            return call.read({"projectNameList": [{"projectId": 7, "projectName": name} for name in names]})

    files = TaskFiles({"task.json": make_task_json()}, "Moon", {})
    profile = client.send(calls.query_user_profile())
    assert files.look_up(SubAccount(), profile).project_id == 7
    with pytest.raises(ValueError, match="did you mean 'Moon'"):
        TaskFiles({"task.json": {}}, "Moom", {}).look_up(SubAccount(), profile)


def upload(client, task_json, **arguments):
    (task_id,) = client.send(calls.create_task()).ids
    operator = RenderbusUploadTaskJsonOperator(
        task_id="upload", render_task_id=task_id, task_json=task_json, **arguments
    )
    return operator.execute(context())


def test_upload_of_a_typo_uploads_nothing(farm, client):
    wrong = written_by_hand(cg_version="4.20")()["task_json"]
    with pytest.raises(AirflowFailException, match=r"did you mean '4\.2'"):
        upload(client, wrong)
    assert not farm.request_counts["upload_task_json"]
    assert upload(client, wrong, preflight=False).keys() == {"task.json"}


def night(count=3):
    return [make_task_json(f"sh{number:03}") for number in range(1, count + 1)]


def check(renders, **arguments):
    return RenderbusPreflightOperator(task_id="preflight", renders=renders, **arguments).execute(context())


def test_preflight_operator_returns_a_table_and_creates_nothing(farm):
    first, second = night(2)
    first["task_info"]["os_name"] = "1"
    renders = [first, second, {"task_json": maya()()["task_json"], "hardware": {"ram": 64}, "max_cost": "20"}]
    table = check(renders)
    assert [(row["render"], row["software"], row["version"], row["hardware"]) for row in table] == [
        ("render 1 (sh001.blend)", "Blender", "4.2", None),
        ("render 2 (sh002.blend)", "Blender", "4.2", None),
        ("render 3 (a.ma)", "Maya", "2024", "Default, 64GB, no GPU"),
    ]
    assert table[0]["price_per_hour"] is None
    assert (float(table[2]["price_per_hour"]) > 0, table[2]["currency"]) == (True, "RMB")
    assert any("os_name" in warning for warning in table[0]["warnings"])
    assert not farm.request_counts["create_task"]


def test_preflight_operator_of_a_thousand_renders_sends_each_query_once(farm):
    check([{"task_json": each, "hardware": {"ram": 64}} for each in night(1000)])
    assert +farm.request_counts == LISTS + Counter(query_user_profile=1, list_hardware_configs=1)


def test_preflight_operator_reports_all_faults_of_all_renders(farm, tmp_path):
    renders = night(5)
    renders[1]["software_config"]["cg_version"] = "4.20"
    renders[1]["task_info"]["input_cg_file"] = "/mnt/sh002.blen"
    renders[2] = {"task_json": renders[2], "max_cost": -1}
    renders[3] = {"task_json": renders[3], "max_costs": "20"}
    renders[4] = "no.json"
    with pytest.raises(AirflowFailException) as raised:
        check(renders)
    lines = str(raised.value).splitlines()
    assert lines[0] == "4 of 5 renders are wrong; nothing was created:"
    assert not any(line.startswith("render 1 ") for line in lines)
    for expected in (
        "render 2 (sh002.blen): task.json: $.software_config.cg_version: must be",
        "render 2 (sh002.blen): task.json: $.task_info.input_cg_file: must end in .blend",
        "render 3 (sh003.blend): max_cost: must be",
        "render 5 (no.json): task_json: cannot read no.json",
    ):
        assert any(line.startswith(expected) for line in lines), (expected, lines)
    assert any(line.startswith("render 4 (sh004.blend): ") and "max_costs" in line for line in lines)
    assert not farm.request_counts["create_task"]


@pytest.mark.parametrize("one", [make_task_json(), {"task_json": make_task_json()}])
def test_preflight_operator_that_is_mapped_checks_one_render(one, farm):
    assert [row["render"] for row in check(one)] == ["render 1 (sh010.blend)"]


@pytest.mark.parametrize("renders", [None, 7, b"{}"])
def test_preflight_operator_with_wrong_renders_fails(renders, farm):
    with pytest.raises(AirflowFailException, match="renders: must be a list of renders"):
        check(renders)


@pytest.mark.parametrize(
    "renders",
    [{"sh010": make_task_json()}, [{"taskjson": make_task_json()}], [{"max_cost": 5}]],
    ids=["by name", "typing error", "without task.json"],
)
def test_preflight_operator_with_renders_by_name_or_without_task_json_fails(renders, farm):
    with pytest.raises(
        AirflowFailException, match=r"render 1: renders: must have a task.json, or arguments with"
    ):
        check(renders)


@pytest.mark.parametrize("name", ["task_id", "renderbus_conn_id", "preflight"])
def test_preflight_operator_with_its_own_argument_in_a_render_fails(name, farm):
    with pytest.raises(AirflowFailException, match=f"must have arguments of a render, got {name}"):
        check([{"task_json": make_task_json(), name: "x"}])


def test_preflight_operator_may_be_retried_if_the_farm_does_not_respond(farm):
    farm.inject(fault="html", calls=["query_user_profile"])
    with pytest.raises(AirflowException) as raised:
        check(night())
    assert type(raised.value) is AirflowException


def test_preflight_operator_checks_layered_renders(farm, monkeypatch):
    monkeypatch.setattr(
        account_calls, "read_user_profile", lambda data: read_user_profile({**data, "cpuPrice": None})
    )
    (row,) = check([{"task_json": maya_job(), "hardware": {"ram": 64}}])
    assert row["price_per_hour"] is None


@pytest.mark.usefixtures("transfers")
def test_scene_that_is_not_among_the_assets_is_a_warning(farm, tmp_path, caplog):
    scene = tmp_path / "sh010.blend"
    scene.write_bytes(b"a scene")
    task_json = make_task_json()
    for name, count in (("sh01.blend", 1), ("sh010.blend", 0)):
        task_json["task_info"]["input_cg_file"] = str(tmp_path / name)
        caplog.clear()
        (row,) = check([{"task_json": task_json, "assets": [str(tmp_path)]}])
        hint = f"did you mean {str(scene)!r}"
        assert (caplog.text.count(hint), "\n".join(row["warnings"]).count(hint)) == (count, count)
