"""The farm refuses to render what the live farm cannot, and the log of a frame says why."""

from __future__ import annotations

import copy
import re
import warnings
from contextlib import closing

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.task_json import build_task_json
from dev.harness.embedded_farm import put_scene
from tests.farm.raw_client import LOG, RECOMMIT_FAILED, SUBMIT, RawClient, job
from tests.task_json.builds import BUILDS

FINISHED, FINISHED_HAS_FAILED = 25, 30
FRAME_FAILED = 5


@pytest.fixture
def open_farm(tmp_path):
    """Opens a farm with an empty input storage, and returns its client."""
    farms = []

    def open_farm(**scenario):
        farm = Farm(tmp_path / "farm", ManualClock(), scenario={"pictures": False, **scenario})
        farms.append(farm)
        return RawClient(farm)

    yield open_farm
    for farm in farms:
        farm.close()


def logs_of(client, task_id):
    return {
        "\n".join(client.call(LOG, id=frame["id"], pageNum=1, pageSize=1)["items"])
        for frame in client.frames(task_id)["items"]
    }


def render(client, task_json):
    task_id = client.submit(task_json)
    client.farm.advance(10_000)
    return task_id


def with_scene(path):
    task_json = job()
    task_json["task_info"]["input_cg_file"] = path
    return task_json


def test_scene_is_not_in_input_storage_fails_all_frames(open_farm):
    client = open_farm()
    task_id = render(client, job(frames="1-3[1]"))
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["failedFrames"], info["doneFrames"]) == (FINISHED_HAS_FAILED, 3, 0)
    assert info["renderConsume"] == 0
    for log in logs_of(client, task_id):
        assert "Error: the scene '/mnt/shots/sh010.blend' is not in the input storage" in log
        assert "upload it to 'mnt/shots/sh010.blend'" in log
        assert log.endswith("has failed")


def test_scene_that_is_uploaded_later_renders_after_a_recommit(open_farm, tmp_path):
    client = open_farm()
    task_id = render(client, job(frames="1-3[1]"))
    put_scene(tmp_path / "farm", "/mnt/shots/sh010.blend")
    client.call(RECOMMIT_FAILED, taskIds=[task_id])
    client.farm.advance(10_000)
    info = client.task_info(task_id)
    assert (info["taskStatus"], info["doneFrames"]) == (FINISHED, 3)
    assert all("Error" not in log for log in logs_of(client, task_id))


def test_scene_that_vanishes_while_a_frame_renders_does_not_fail_it(open_farm, tmp_path):
    client = open_farm()
    put_scene(tmp_path / "farm", "/mnt/shots/sh010.blend")
    task_id = client.submit(job(frames="1"))
    client.farm.advance(70)
    (scene,) = (tmp_path / "farm" / "input").rglob("sh010.blend")
    scene.unlink()
    client.farm.advance(10_000)
    assert client.task_state(task_id) == FINISHED


def test_failed_frame_keeps_its_reason_when_the_farm_restarts(open_farm, tmp_path):
    client = open_farm()
    task_id = client.submit(job(frames="1"))
    client.farm.advance(70)
    client.farm.close()
    put_scene(tmp_path / "farm", "/mnt/shots/sh010.blend")
    with closing(Farm(tmp_path / "farm", ManualClock())) as farm:
        client = RawClient(farm)
        farm.advance(10_000)
        assert client.frame_states(task_id) == {"1": FRAME_FAILED}
        assert "is not in the input storage" in logs_of(client, task_id).pop()


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        ("D:/shots/a.blend", "D/shots/a.blend"),
        ("D:\\shots\\a.blend", "D/shots/a.blend"),
        ("/mnt/a.blend", "mnt/a.blend"),
        ("//mnt/a.blend", "mnt/a.blend"),
        ("\\\\srv\\share\\a.blend", "srv/share/a.blend"),
        ("a.blend", "a.blend"),
        ("/mnt/衣帽间.blend", "mnt/衣帽间.blend"),
    ],
)
def test_scene_path_on_a_machine_names_a_file_of_the_input_storage(open_farm, tmp_path, path, stored):
    client = open_farm()
    file = next((tmp_path / "farm" / "input").iterdir()) / stored
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"any")
    assert client.task_state(render(client, with_scene(path))) == FINISHED


@pytest.mark.parametrize(
    "path", ["", "/", "/mnt", "D:", "/mnt/../../account.json", "/mnt/link.blend", "a\nb", "x" * 300, "\ud800"]
)
def test_path_that_is_no_file_of_the_input_storage_fails(open_farm, tmp_path, path):
    client = open_farm()
    inputs = next((tmp_path / "farm" / "input").iterdir())
    (inputs / "mnt").mkdir()
    (inputs / "mnt" / "link.blend").symlink_to(tmp_path / "farm" / "account.json")
    assert client.task_state(render(client, with_scene(path))) == FINISHED_HAS_FAILED


def test_lenient_farm_renders_without_a_scene(open_farm):
    client = open_farm(lenient=True)
    assert client.task_state(render(client, job())) == FINISHED


def test_preprocessing_pass_without_scene_fails_the_task(open_farm):
    client = open_farm(renders=[{"passes": ["preprocess"]}])
    leaves = client.leaves(render(client, job()))
    assert {leaf["taskStatus"] for leaf in leaves} == {45}


def built(software, **arguments):
    """Return what the builder makes, with changes by dotted path: `{"task_info.cg_id": "2012"}`."""
    changes = arguments.pop("changes", {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task_json = build_task_json(software=software, **{**BUILDS[software], **arguments})
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = task_json
        for parent in parents:
            place = place[int(parent) if isinstance(place, list) else parent]
        if value is MISSING:
            del place[last]
        else:
            place[last] = value
    return task_json


MISSING = object()
SCENE, LAYER = "scene_info_render", "scene_info_render.defaultRenderLayer"
# What the farm cannot render: software, changes, and what the log of its frames says.
IMPOSSIBLE = {
    "version with a digit too many": (
        "Blender",
        {"software_config.cg_version": "4.22"},
        "software_config.cg_version: must be one of 2.78, .*, got '4.22'",
    ),
    "no such version": ("Blender", {"software_config.cg_version": "9999"}, "cg_version: must be one of"),
    "no version": (
        "Maya",
        {"software_config.cg_version": MISSING},
        "cg_version: must be one of .*, got None",
    ),
    "version that is a number": ("Maya", {"software_config.cg_version": 2024}, "cg_version: must be one of"),
    "software without documents": (
        "Blender",
        {"task_info.cg_id": "2012"},
        "task_info.cg_id: must be the id of a software of this farm, got '2012'",
    ),
    "name of other software": (
        "Blender",
        {"software_config.cg_name": "Maya"},
        "cg_name: must be 'Blender' as in cg_id, got 'Maya'",
    ),
    "Maya scene in Blender": (
        "Blender",
        {"task_info.input_cg_file": "D:/shots/sh010.ma"},
        "input_cg_file: must end in .blend for Blender, got 'D:/shots/sh010.ma'",
    ),
    "scene without extension": ("Nuke", {"task_info.input_cg_file": "/mnt/nk"}, "must end in .nk for Nuke"),
    "Blender on Linux": (
        "Blender",
        {"task_info.os_name": "0"},
        "os_name: must be '1': the farm has no Linux machines for Blender",
    ),
    "V-Ray Standalone on Linux": ("V-Ray Standalone", {"task_info.os_name": "0"}, "no Linux machines for VR"),
    "unknown renderer of Maya": (
        "Maya",
        {f"{LAYER}.common.renderer": "arnoldd"},
        "renderer: must be one of arnold, vray, .*, got 'arnoldd'",
    ),
    "unknown renderer of 3ds Max": (
        "3ds Max",
        {f"{SCENE}.renderer.name": "coronna"},
        "renderer.name: must be one of vray, corona, .*, got 'coronna'",
    ),
    "unknown renderer of Cinema 4D": (
        "Cinema 4D",
        {f"{SCENE}.renderer.name": "Phisical"},
        "renderer.name: must",
    ),
    "no renderer of Cinema 4D": (
        "Cinema 4D",
        {f"{SCENE}.renderer": MISSING},
        "renderer.name: must .*, got None",
    ),
    "no renderer of a Maya layer": (
        "Maya",
        {f"{LAYER}.common.renderer": MISSING},
        "renderer: is missing, but the render script of Maya reads it",
    ),
    "no plug-in of the renderer": (
        "Maya",
        {"software_config.plugins": {}},
        "plugins: must have 'mtoa' for the renderer 'arnold'",
    ),
    "null in place of the plug-in": ("Maya", {"software_config.plugins": None}, "plugins: must have 'mtoa'"),
    "unknown plug-in": (
        "Maya",
        {"software_config.plugins": {"mtoaa": "5.3.4"}},
        "plugins: must be one of mtoa, .*, got 'mtoaa'",
    ),
    "unknown version of a plug-in": (
        "Maya",
        {"software_config.plugins": {"mtoa": "99"}},
        "plugins.mtoa: must be one of .*, got '99'",
    ),
    "plug-ins in a list": (
        "Blender",
        {"software_config.plugins": ["htoa"]},
        r"software_config.plugins: must be an object, got \['htoa'\]",
    ),
    "system that is none": ("Maya", {"task_info.os_name": "2"}, "os_name: must be '0' or '1', got '2'"),
    "null in place of the system": ("Nuke", {"task_info.os_name": None}, "os_name: must be .*, got None"),
    "plug-in of other software": (
        "Blender",
        {"software_config.plugins": {"mtoa": "5.3.4"}},
        "plugins: must be",
    ),
    "unknown format of Blender": (
        "Blender",
        {f"{SCENE}.common.Render_Format": "EXRR"},
        "Render_Format: must be one of BMP, .*, got 'EXRR'",
    ),
    "format of Blender by a short name": (
        "Blender",
        {f"{SCENE}.common.Render_Format": "EXR"},
        "must be one of",
    ),
    "unknown format of Maya": (
        "Maya",
        {f"{LAYER}.common.image_format": "exrr"},
        "image_format: must be one of",
    ),
    "unknown format of 3ds Max": (
        "3ds Max",
        {f"{SCENE}.common.output_file_type": ".exrr"},
        "output_file_type",
    ),
    "unknown format of Nuke": (
        "Nuke",
        {f"{SCENE}.write_nodes.0.file_type": "exrr"},
        "file_type: must be one of",
    ),
    "frames only of Cinema 4D": (
        "Cinema 4D",
        {f"{SCENE}.common": {"frames": "1-4[1]"}},
        "multipass_save_enabled: is missing, but the render script of Cinema 4D reads it",
    ),
    "scene of other software": (
        "Houdini",
        {SCENE: {"common": {"frames": "1"}}},
        "the scene: must have rop_node or geo_node or distributedsim_node for Houdini",
    ),
    "empty scene": ("Blender", {SCENE: {}}, "the scene: must have common for Blender"),
    "no level of a job": (
        "Unreal Engine",
        {f"{SCENE}.all_movie_pipline_queue.0.render_job.0.job_map": MISSING},
        "job_map: is missing",
    ),
    "negative frames of Blender": (
        "Blender",
        {f"{SCENE}.common.frames": "1-3[1],-5--4[1]"},
        "frames: must not be negative, .*, got '1-3",
    ),
    "tiles of Katana": ("Katana", {"task_info.tiles": "4"}, "tiles: must be '1': Katana renders no tiles"),
    "distributed Katana": (
        "Katana",
        {"task_info.is_distribute_render": "1"},
        "is_distribute_render: must be '0'",
    ),
}


@pytest.mark.parametrize(("software", "changes", "message"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_the_farm_cannot_render_fails_with_a_log(stocked, open_client, software, changes, message):
    task_json = built(software, changes=changes)
    task_id = render(stocked, task_json)
    info = stocked.task_info(task_id)
    assert (info["taskStatus"], info["doneFrames"], info["renderConsume"]) == (FINISHED_HAS_FAILED, 0, 0)
    assert all(re.search(f"Error: .*{message}", log) for log in logs_of(stocked, task_id))


@pytest.fixture
def stocked(open_client):
    """The client of a farm that has the scene of each task.json."""
    return open_client()


@pytest.mark.parametrize("software", BUILDS)
def test_lenient_farm_renders_what_the_farm_cannot(open_client, software):
    changes = {"software_config.cg_version": "none", "task_info.input_cg_file": "/mnt/shot.any"}
    client = open_client(lenient=True)
    assert client.task_state(render(client, built(software, changes=changes))) == FINISHED


@pytest.mark.parametrize(
    ("software", "changes"),
    [
        ("Cinema 4D", {"software_config.cg_name": "C4d", f"{SCENE}.renderer.name": "Octane Renderer"}),
        ("Cinema 4D", {f"{SCENE}.common.regular_image_saveimage_path": None}),
        ("3ds Max", {f"{SCENE}.renderer.name": "V_Ray_5"}),
        ("3ds Max", {f"{SCENE}.renderer.name": "Default Scanline Renderer"}),
        ("V-Ray Standalone", {"software_config.plugins": None}),
        ("Maya", {"software_config.plugins": {"MTOA": "5.3.4"}, f"{LAYER}.common.image_format": "EXR"}),
        ("Arnold Standalone", {"task_info.input_cg_file": "/mnt/SH010.ASS.GZ"}),
    ],
)
def test_names_as_the_vendor_writes_them_are_rendered(stocked, software, changes):
    task_id = render(stocked, built(software, changes=changes))
    assert stocked.task_state(task_id) == FINISHED, logs_of(stocked, task_id)


def test_versions_and_plugins_of_the_scenario_are_rendered(open_client):
    changes = {"software_config.cg_version": "5.0", "software_config.plugins": {"new": "1"}}
    task_json = built("Blender", changes=changes)
    client = open_client(software={"Blender": {"versions": ["5.0"], "plugins": {"new": ["1"]}}})
    assert client.task_state(render(client, task_json)) == FINISHED


def test_layer_with_a_mistake_fails_alone(stocked):
    task_json = built("Maya", layers=["beauty", "shadow"])
    task_json["scene_info_render"]["shadow"] = copy.deepcopy(task_json["scene_info_render"]["shadow"])
    task_json["scene_info_render"]["shadow"]["common"]["renderer"] = "arnoldd"
    leaves = stocked.leaves(render(stocked, task_json))
    assert {leaf["layerName"]: leaf["taskStatus"] for leaf in leaves} == {"beauty": 25, "shadow": 30}


def test_layer_that_is_not_in_the_scene_fails(stocked):
    task_json = built("Maya", layers=["beauty"], changes={"layers": ["beauty", "shadow"]})
    leaves = stocked.leaves(render(stocked, task_json))
    assert {leaf["layerName"]: leaf["taskStatus"] for leaf in leaves} == {"beauty": 25, "shadow": 30}
    (log,) = logs_of(stocked, leaves[1]["id"])
    assert "Error: layers: must be layers of the scene, got 'shadow'" in log


@pytest.mark.parametrize(("enable_layered", "width"), [("1", 64), ("0", 32)])
def test_layers_have_a_size_of_their_own_only_if_layers_are_on(stocked, enable_layered, width):
    changes = {"task_info.enable_layered": enable_layered}
    task_json = built("Maya", layers=["defaultRenderLayer", "beauty"], changes=changes)
    scene = copy.deepcopy(task_json["scene_info_render"])
    scene["defaultRenderLayer"]["common"]["width"] = "32"
    client = stocked
    leaves = client.leaves(render(client, {**task_json, "scene_info_render": scene}))
    (log,) = {
        log
        for leaf in leaves
        if leaf["layerName"] == "beauty"
        for log in map(str, logs_of(client, leaf["id"]))
        if "frame 1 " in log
    }
    assert f"{width}x36 pixels" in log


@pytest.mark.parametrize(
    ("software", "field"),
    [
        ("Maya", "scene_info_render.defaultRenderLayer.common.render_camera"),
        ("3ds Max", "scene_info_render.common.renderable_camera"),
    ],
)
def test_submit_camera_that_the_analysis_did_not_find_is_refused(stocked, software, field):
    place = field.rpartition(".")[0]
    task_id = stocked.create()
    for cameras in (["Camera002", "Camera003"], "Camera003"):
        changes = {f"{place}.all_camera": ["Camera001", "Camera002"], field: cameras}
        stocked.upload(task_id, built(software, changes=changes))
        code, message = stocked.call_refused(SUBMIT, taskId=task_id)
        assert code == 530
        assert message.endswith("must be among Camera001, Camera002, got 'Camera003'")
    stocked.upload(task_id, built(software, changes=changes | {field: ["Camera002"]}))
    stocked.call(SUBMIT, taskId=task_id)


@pytest.mark.parametrize("camera", ["Camera.001", '<bpy_struct, Object("Camera.001") at 0x7f>'])
@pytest.mark.parametrize(("cameras", "state"), [(["Camera"], 30), (["Camera", "Camera.001"], 25), ([], 30)])
def test_camera_that_is_not_in_the_scene_of_the_scenario_fails(open_client, camera, cameras, state):
    client = open_client(renders=[{"cameras": cameras}])
    task_id = render(client, built("Blender", camera=camera))
    assert client.task_state(task_id) == state
    missing = {
        "Error: the scene has no camera 'Camera.001'; it has" in log for log in logs_of(client, task_id)
    }
    assert missing == {state == FINISHED_HAS_FAILED}


@pytest.mark.parametrize(
    ("software", "arguments", "state"),
    [
        ("Maya", {"layers": ["beauty"]}, 25),
        ("Maya", {"layers": ["shadow"]}, 30),
        ("Houdini", {"rop_nodes": ["/out/mantra1"]}, 30),
    ],
)
def test_layer_that_is_not_in_the_scene_of_the_scenario_fails(open_client, software, arguments, state):
    client = open_client(renders=[{"layers": ["beauty", "depth"]}])
    task_id = render(client, built(software, **arguments))
    assert client.task_state(task_id) == state
    says_why = {
        bool(re.search("Error: the scene has no layer '.*'; it has beauty, depth", log))
        for log in logs_of(client, task_id)
    }
    assert says_why == {state == FINISHED_HAS_FAILED}
