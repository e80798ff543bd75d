import contextlib
import copy
import json
import subprocess
import sys
import time
from importlib.resources import files

import jsonschema
import pytest
from hypothesis import given, strategies as st

from airflow_provider_renderbus.api.validation import TASK_FILE_NAMES
from airflow_provider_renderbus.task_json.schema import validate
from airflow_provider_renderbus.task_json.software import SOFTWARE
from airflow_provider_renderbus.task_json.task_schema import task_schema
from tests.task_json.shapes import SCENES, make_task_json

MISSING = object()
SCHEMAS = {
    name: json.loads((files("airflow_provider_renderbus.task_json") / "schemas" / name).read_text("utf-8"))
    for name in TASK_FILE_NAMES
    if name != "task.json"
} | {"task.json": task_schema()}
BLENDER = "2007 Blender"


def with_value(content, path, value):
    content = copy.deepcopy(content)
    *holders, last = path
    holder = content
    for part in holders:
        holder = holder[part]
    if value is MISSING:
        del holder[last]
    else:
        holder[last] = value
    return content


def rejection(name, content):
    with pytest.raises(ValueError, match=f"^{name}: ") as caught:
        validate(name, content)
    return str(caught.value).replace(f"{name}: ", "").splitlines()


@pytest.mark.parametrize("name", TASK_FILE_NAMES)
def test_schemas_are_valid_json_schemas(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("field", ["scene_info_render", "scene_info"])
@pytest.mark.parametrize("software", SCENES)
def test_validate_every_software_passes_without_warnings(software, field):
    assert validate("task.json", make_task_json(software, field)) == ()


@pytest.mark.parametrize("software", SCENES)
def test_validate_empty_scene_info_render_uses_scene_info(software):
    assert validate("task.json", make_task_json(software, "scene_info") | {"scene_info_render": {}}) == ()


def test_validate_unused_scene_info_is_not_checked():
    assert validate("task.json", make_task_json(BLENDER) | {"scene_info": {"common": 1}}) == ()


def test_schema_known_software_is_that_of_the_table():
    known_ids = SCHEMAS["task.json"]["properties"]["task_info"]["properties"]["cg_id"]["x-known-values"]
    assert known_ids == [str(cg_id) for cg_id in SOFTWARE]


@pytest.mark.parametrize(
    ("software", "path", "value", "message"),
    [
        (BLENDER, ["software_config"], MISSING, "$.software_config: must be an object, got nothing"),
        (BLENDER, ["software_config"], "Blender", "$.software_config: must be an object, got string"),
        (
            BLENDER,
            ["software_config", "cg_version"],
            4.2,
            "$.software_config.cg_version: must be a string, got number",
        ),
        (
            BLENDER,
            ["software_config", "plugins"],
            [],
            "$.software_config.plugins: must be an object, got list",
        ),
        (
            BLENDER,
            ["software_config", "plugins"],
            {"x": 1},
            "$.software_config.plugins.x: must be a string, got number",
        ),
        (BLENDER, ["task_info"], MISSING, "$.task_info: must be an object, got nothing"),
        (BLENDER, ["task_info"], [], "$.task_info: must be an object, got list"),
        (BLENDER, ["task_info", "cg_id"], 2007, "$.task_info.cg_id: must be a string, got number"),
        (
            BLENDER,
            ["task_info", "frames_per_task"],
            1,
            "$.task_info.frames_per_task: must be a string, got number",
        ),
        (BLENDER, ["task_info", "tiles"], None, "$.task_info.tiles: must be a string, got null"),
        (
            BLENDER,
            ["task_info", "is_picture"],
            False,
            "$.task_info.is_picture: must be a string, got boolean",
        ),
        (BLENDER, ["task_info", "of my own"], 1, "$.task_info['of my own']: must be a string, got number"),
        (
            BLENDER,
            ["task_info", "hardwareConfigIds"],
            "7",
            "$.task_info.hardwareConfigIds: must be a list, got string",
        ),
        (
            BLENDER,
            ["task_info", "hardwareConfigIds"],
            ["7", None],
            "$.task_info.hardwareConfigIds[1]: must be a string or an integer, got null",
        ),
        (BLENDER, ["scene_info_render"], MISSING, "$.scene_info_render: must be an object, got nothing"),
        (BLENDER, ["scene_info_render"], None, "$.scene_info_render: must be an object, got null"),
        (
            BLENDER,
            ["scene_info_render"],
            {},
            "$.scene_info_render.common: must be an object, got nothing",
        ),
        (
            BLENDER,
            ["scene_info_render", "common"],
            [],
            "$.scene_info_render.common: must be an object, got list",
        ),
        (
            BLENDER,
            ["scene_info_render", "common", "width"],
            1920,
            "$.scene_info_render.common.width: must be a string, got number",
        ),
        (
            BLENDER,
            ["scene_info_render", "common", "scene_name"],
            "Scene",
            "$.scene_info_render.common.scene_name: must be a list, got string",
        ),
        (
            "2005 Cinema 4D",
            ["scene_info_render", "renderer"],
            "x",
            "$.scene_info_render.renderer: must be an object, got string",
        ),
        (
            "2003 Arnold",
            ["scene_info_render", "common"],
            MISSING,
            "$.scene_info_render.common: must be an object, got nothing",
        ),
        (
            "2000 Maya",
            ["scene_info_render", "beauty", "option"],
            1,
            "$.scene_info_render.beauty.option: must be a string or an object, got number",
        ),
        (
            "2015 Nuke",
            ["scene_info_render", "write_nodes"],
            MISSING,
            "$.scene_info_render.write_nodes: must be a list, got nothing",
        ),
        ("2015 Nuke", ["concurrent_tasks"], 1, "$.concurrent_tasks: must be a string, got number"),
        ("2000 Maya", ["scene_info_render"], {}, "$.scene_info_render: must have at least one layer"),
        ("2000 Maya", ["layers"], "beauty", "$.layers: must be a list, got string"),
        (
            "2000 Maya",
            ["scene_info_render", "beauty", "common"],
            MISSING,
            "$.scene_info_render.beauty.common: must be an object, got nothing",
        ),
        (
            "2000 Maya",
            ["scene_info_render", "beauty", "renderable"],
            0,
            "$.scene_info_render.beauty.renderable: must be a string, got number",
        ),
        (
            "2004 Houdini",
            ["scene_info_render"],
            {"node": []},
            "$.scene_info_render: must have one of rop_node, geo_node, distributedsim_node",
        ),
        (
            "2004 Houdini",
            ["scene_info_render", "rop_node"],
            {},
            "$.scene_info_render.rop_node: must be a list, got object",
        ),
        (
            "2004 Houdini",
            ["scene_info_render", "rop_node", 0, "frames"],
            1,
            "$.scene_info_render.rop_node[0].frames: must be a string, got number",
        ),
        (
            "2008 V-Ray Standalone",
            ["scene_info_render"],
            MISSING,
            "$.scene_info_render: must be an object, got nothing",
        ),
        (
            "2013 Clarisse",
            ["scene_info_render", "image_node", 0, "layers", 0],
            "l",
            "$.scene_info_render.image_node[0].layers[0]: must be an object, got string",
        ),
        (
            "2016 Katana",
            ["scene_info_render", "rendernodes"],
            MISSING,
            "$.scene_info_render.rendernodes: must be an object, got nothing",
        ),
        (
            "2020 Unreal Engine",
            ["scene_info_render", "all_movie_pipline_queue", 0, "render_job"],
            MISSING,
            "$.scene_info_render.all_movie_pipline_queue[0].render_job: must be a list, got nothing",
        ),
    ],
)
def test_validate_missing_object_or_wrong_type_is_rejected_with_path(software, path, value, message):
    assert rejection("task.json", with_value(make_task_json(software), path, value)) == [message]


def test_validate_errors_are_all_reported():
    content = with_value(make_task_json(BLENDER), ["task_info", "ram"], 64)
    assert rejection("task.json", with_value(content, ["task_info", "tiles"], 1)) == [
        "$.task_info.ram: must be a string, got number",
        "$.task_info.tiles: must be a string, got number",
    ]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["task_info", "cg_id"], "2099", "should be one of '2000', '2001'"),
        (["task_info", "cg_id"], MISSING, "missing, although the farm's documentation asks for it"),
        (["task_info", "tiles_type"], "grid", "should be one of 'block', 'strip', got 'grid'"),
        (["task_info", "stop_after_test"], "3", "should be one of '1', '2', got '3'"),
        (["task_info", "ram"], "256", "should be one of '64', '128', got '256'"),
        (["task_info", "is_layer_rendering"], "2", "should be one of '0', '1', got '2'"),
        (["task_info", "job_stop_time"], "a day", "should be a whole number, got 'a day'"),
        (["task_info", "pre_frames"], "1", "should be test frames such as"),
        (["task_info", "pre_frames"], "000:9-1", "should be test frames such as"),
        (["task_info", "of_my_own"], "1", "unknown field"),
        (
            ["software_config", "cg_version"],
            MISSING,
            "missing, although the farm's documentation asks for it",
        ),
        (["scene_info_render", "common", "frames"], "1..9", "should be frames such as"),
        (
            ["scene_info_render", "common", "frames"],
            MISSING,
            "missing, although the farm's documentation asks for it",
        ),
        (["scene_info_render", "common", "camera"], "Camera", "unknown field"),
        (["small_task_id"], "1", "unknown field"),
    ],
)
def test_validate_unknown_value_passes_with_a_warning(path, value, message):
    (warning,) = validate("task.json", with_value(make_task_json(BLENDER), path, value))
    assert warning.startswith(f"task.json: $.{'.'.join(path)}: {message}")
    if message.startswith("should be"):
        assert warning.endswith(f", got {value!r}")


def test_validate_ids_completed_later_may_be_numbers():
    content = with_value(make_task_json(BLENDER), ["task_info", "task_id"], 28474141)
    assert validate("task.json", with_value(content, ["task_info", "user_id"], 100150764)) == ()


def test_validate_long_value_is_truncated_in_the_warning():
    (warning,) = validate(
        "task.json", with_value(make_task_json(BLENDER), ["task_info", "pre_frames"], "9" * 10_000)
    )
    assert len(warning) < 250


def test_validate_reports_at_most_twenty_lines():
    assert len(rejection("upload.json", {"asset": [1] * 1000})) == 21
    unknown_fields = {f"field_{number}": "1" for number in range(30)}
    content = with_value(
        make_task_json(BLENDER), ["task_info"], {"cg_id": "2007", "input_cg_file": "x", **unknown_fields}
    )
    warnings = validate("task.json", content)
    assert len(warnings) == 21
    assert warnings[-1] == "task.json: … and more"


@pytest.mark.parametrize(
    "scene", [{"local": "a", "server": "b", "hash": "c"}, [{"local": "a", "server": "b"}]]
)
def test_validate_upload_json_passes(scene):
    assert (
        validate("upload.json", {"asset": [{"local": "D:/a", "server": "/D/a"}], "scene": scene, "vrmap": []})
        == ()
    )


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        ({}, ["$.asset: must be a list, got nothing"]),
        ({"asset": {}}, ["$.asset: must be a list, got object"]),
        ({"asset": [{"local": "a", "server": "b"}, "c"]}, ["$.asset[1]: must be an object, got string"]),
        (
            {"asset": [{"local": None}]},
            [
                "$.asset[0].local: must be a string, got null",
                "$.asset[0].server: must be a string, got nothing",
            ],
        ),
        ({"asset": [], "scene": "a"}, ["$.scene: must be an object, got string"]),
    ],
)
def test_validate_invalid_upload_json_is_rejected(content, messages):
    assert rejection("upload.json", content) == messages


def test_validate_two_files_for_one_server_path_pass_with_a_warning():
    twice = {"local": "a", "server": "/x"}
    warnings = validate("upload.json", {"asset": [twice, twice, {"local": "b", "server": "/x"}]})
    assert warnings == (
        "upload.json: $.asset[2].server: should be unique, got '/x' for another local file too",
    )


def test_validate_unknown_field_of_every_item_is_reported_once():
    files_ = [{"local": f"{number}", "server": f"/{number}", "md5": "x"} for number in range(100)]
    assert validate("upload.json", {"asset": files_}) == ("upload.json: $.asset[0].md5: unknown field",)


def test_validate_upload_json_of_100_000_files_takes_less_than_two_seconds():
    files_ = [{"local": f"D:/a/{number}.png", "server": f"/D/a/{number}.png"} for number in range(100_000)]
    began = time.process_time()
    assert validate("upload.json", {"asset": files_}) == ()
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tips.json", {}),
        ("tips.json", {"35001": "d:/a.jpg", "15031": ["x", "y"]}),
        ("asset.json", {"whatever": [1]}),
    ],
)
def test_validate_tips_and_assets_pass(name, content):
    assert validate(name, content) == ()


def test_validate_invalid_tips_are_rejected():
    assert rejection("tips.json", {"1": ["x", 2], "2": {}}) == [
        "$['1'][1]: must be a string, got number",
        "$['2']: must be a list or a string, got object",
    ]
    assert validate("tips.json", {"e1": "x"}) == ("tips.json: $: should be a whole number, got 'e1'",)


def test_validate_unknown_file_name_is_rejected():
    with pytest.raises(ValueError, match=r"^name: must be one of 'task.json'"):
        validate("notes.json", {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
entries = st.dictionaries(st.sampled_from(["local", "server", "hash", "x"]), json_values, max_size=4)


@given(json_values)
def test_validate_any_content_raises_only_value_errors(content):
    for name in TASK_FILE_NAMES:
        with contextlib.suppress(ValueError):
            validate(name, content)


@given(st.lists(entries | json_values, max_size=6), entries)
def test_validate_upload_json_agrees_with_jsonschema(assets, scene):
    content = {"asset": assets, "scene": scene}
    try:
        validate("upload.json", content)
        passed = True
    except ValueError:
        passed = False
    assert passed == jsonschema.Draft202012Validator(SCHEMAS["upload.json"]).is_valid(content)


@given(
    st.sampled_from(sorted(SCENES)),
    st.dictionaries(st.sampled_from(["tiles", "ram", "x", "hardwareConfigIds", "user_id"]), json_values),
    st.dictionaries(st.sampled_from(["scene_info", "scene_info_render", "layers", "x"]), json_values),
)
def test_validate_task_json_agrees_with_jsonschema(software, info, fields):
    content = make_task_json(software) | fields
    content["task_info"] = content["task_info"] | info
    try:
        validate("task.json", content)
        passed = True
    except ValueError:
        passed = False
    assert passed == jsonschema.Draft202012Validator(SCHEMAS["task.json"]).is_valid(content)


def test_import_of_the_package_does_not_load_jsonschema():
    code = """
import importlib, pkgutil, sys
import airflow_provider_renderbus.task_json as package
for module in pkgutil.iter_modules(package.__path__):
    if module.name != "schema_keywords":
        importlib.import_module(f"{package.__name__}.{module.name}")
assert "jsonschema" not in sys.modules and "airflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
