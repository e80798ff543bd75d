import contextlib
import copy
import json
import subprocess
import sys
import time
from importlib.resources import files

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_renderbus.api.validation import TASK_FILE_NAMES
from airflow_provider_renderbus.task_json.schema import validate
from airflow_provider_renderbus.task_json.software import SOFTWARE
from tests.task_json.shapes import SCENES, described

MISSING = object()
SCHEMAS = {
    name: json.loads((files("airflow_provider_renderbus.task_json") / "schemas" / name).read_text("utf-8"))
    for name in TASK_FILE_NAMES
}
BLENDER = "2007 Blender"


def changed(content, path, value):
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


def refusal(name, content):
    with pytest.raises(ValueError, match=f"^{name}: ") as caught:
        validate(name, content)
    return str(caught.value).replace(f"{name}: ", "").splitlines()


@pytest.mark.parametrize("name", TASK_FILE_NAMES)
def test_the_schemas_are_schemas(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("field", ["scene_info_render", "scene_info"])
@pytest.mark.parametrize("software", SCENES)
def test_the_shape_of_every_software_passes_without_a_warning(software, field):
    assert validate("task.json", described(software, field)) == ()


@pytest.mark.parametrize("software", SCENES)
def test_where_scene_info_render_is_empty_scene_info_counts(software):
    assert validate("task.json", described(software, "scene_info") | {"scene_info_render": {}}) == ()


def test_a_scene_that_does_not_count_is_not_judged():
    assert validate("task.json", described(BLENDER) | {"scene_info": {"common": 1}}) == ()


def test_the_known_software_is_that_of_the_table():
    known = SCHEMAS["task.json"]["properties"]["task_info"]["properties"]["cg_id"]["x-known"]
    assert known == [str(number) for number in SOFTWARE]


@pytest.mark.parametrize(
    ("software", "path", "value", "told"),
    [
        (BLENDER, ["software_config"], MISSING, "$.software_config: an object is wanted, it is missing"),
        (BLENDER, ["software_config"], "Blender", "$.software_config: an object is wanted, not a text"),
        (
            BLENDER,
            ["software_config", "cg_version"],
            4.2,
            "$.software_config.cg_version: a text is wanted, not a number",
        ),
        (
            BLENDER,
            ["software_config", "plugins"],
            [],
            "$.software_config.plugins: an object is wanted, not a list",
        ),
        (
            BLENDER,
            ["software_config", "plugins"],
            {"x": 1},
            "$.software_config.plugins.x: a text is wanted, not a number",
        ),
        (BLENDER, ["task_info"], MISSING, "$.task_info: an object is wanted, it is missing"),
        (BLENDER, ["task_info"], [], "$.task_info: an object is wanted, not a list"),
        (BLENDER, ["task_info", "cg_id"], 2007, "$.task_info.cg_id: a text is wanted, not a number"),
        (
            BLENDER,
            ["task_info", "frames_per_task"],
            1,
            "$.task_info.frames_per_task: a text is wanted, not a number",
        ),
        (BLENDER, ["task_info", "tiles"], None, "$.task_info.tiles: a text is wanted, not null"),
        (BLENDER, ["task_info", "is_picture"], False, "$.task_info.is_picture: a text is wanted, not false"),
        (BLENDER, ["task_info", "of my own"], 1, "$.task_info['of my own']: a text is wanted, not a number"),
        (
            BLENDER,
            ["task_info", "hardwareConfigIds"],
            "7",
            "$.task_info.hardwareConfigIds: a list is wanted, not a text",
        ),
        (
            BLENDER,
            ["task_info", "hardwareConfigIds"],
            ["7", None],
            "$.task_info.hardwareConfigIds[1]: a text or a whole number is wanted, not null",
        ),
        (BLENDER, ["scene_info_render"], MISSING, "$.scene_info_render: an object is wanted, it is missing"),
        (BLENDER, ["scene_info_render"], None, "$.scene_info_render: an object is wanted, not null"),
        (
            BLENDER,
            ["scene_info_render"],
            {},
            "$.scene_info_render.common: an object is wanted, it is missing",
        ),
        (
            BLENDER,
            ["scene_info_render", "common"],
            [],
            "$.scene_info_render.common: an object is wanted, not a list",
        ),
        (
            BLENDER,
            ["scene_info_render", "common", "width"],
            1920,
            "$.scene_info_render.common.width: a text is wanted, not a number",
        ),
        (
            BLENDER,
            ["scene_info_render", "common", "scene_name"],
            "Scene",
            "$.scene_info_render.common.scene_name: a list is wanted, not a text",
        ),
        (
            "2005 Cinema 4D",
            ["scene_info_render", "renderer"],
            "x",
            "$.scene_info_render.renderer: an object is wanted, not a text",
        ),
        (
            "2003 Arnold",
            ["scene_info_render", "common"],
            MISSING,
            "$.scene_info_render.common: an object is wanted, it is missing",
        ),
        ("2000 Maya", ["scene_info_render"], {}, "$.scene_info_render: at least one layer is wanted"),
        ("2000 Maya", ["layers"], "beauty", "$.layers: a list is wanted, not a text"),
        (
            "2000 Maya",
            ["scene_info_render", "beauty", "common"],
            MISSING,
            "$.scene_info_render.beauty.common: an object is wanted, it is missing",
        ),
        (
            "2000 Maya",
            ["scene_info_render", "beauty", "renderable"],
            0,
            "$.scene_info_render.beauty.renderable: a text is wanted, not a number",
        ),
        (
            "2004 Houdini",
            ["scene_info_render"],
            {"node": []},
            "$.scene_info_render: one of rop_node, geo_node, distributedsim_node is wanted",
        ),
        (
            "2004 Houdini",
            ["scene_info_render", "rop_node"],
            {},
            "$.scene_info_render.rop_node: a list is wanted, not an object",
        ),
        (
            "2004 Houdini",
            ["scene_info_render", "rop_node", 0, "frames"],
            1,
            "$.scene_info_render.rop_node[0].frames: a text is wanted, not a number",
        ),
        (
            "2008 V-Ray Standalone",
            ["scene_info_render"],
            MISSING,
            "$.scene_info_render: an object is wanted, it is missing",
        ),
        (
            "2013 Clarisse",
            ["scene_info_render", "image_node", 0, "layers", 0],
            "l",
            "$.scene_info_render.image_node[0].layers[0]: an object is wanted, not a text",
        ),
        (
            "2016 Katana",
            ["scene_info_render", "rendernodes"],
            MISSING,
            "$.scene_info_render.rendernodes: an object is wanted, it is missing",
        ),
        (
            "2020 Unreal Engine",
            ["scene_info_render", "all_movie_pipline_queue", 0, "render_job"],
            MISSING,
            "$.scene_info_render.all_movie_pipline_queue[0].render_job: a list is wanted, it is missing",
        ),
    ],
)
def test_a_missing_object_or_a_wrong_type_is_refused_at_its_place(software, path, value, told):
    assert refusal("task.json", changed(described(software), path, value)) == [told]


def test_every_wrong_place_is_told():
    content = changed(described(BLENDER), ["task_info", "ram"], 64)
    assert refusal("task.json", changed(content, ["task_info", "tiles"], 1)) == [
        "$.task_info.ram: a text is wanted, not a number",
        "$.task_info.tiles: a text is wanted, not a number",
    ]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (["task_info", "cg_id"], "2099", "'2099' is not known; known are '2000', '2001'"),
        (["task_info", "cg_id"], MISSING, "the farm's documents ask for it, it is missing"),
        (["task_info", "tiles_type"], "grid", "'grid' is not known; known are 'block', 'strip'"),
        (["task_info", "stop_after_test"], "3", "'3' is not known; known are '1', '2'"),
        (["task_info", "ram"], "256", "'256' is not known; known are '64', '128'"),
        (["task_info", "is_layer_rendering"], "2", "'2' is not known; known are '0', '1'"),
        (["task_info", "job_stop_time"], "a day", "'a day' is not known; known are whole numbers"),
        (["task_info", "pre_frames"], "1", "'1' is not known; known are priority frames such as"),
        (["task_info", "pre_frames"], "000:9-1", "'000:9-1' is not known; known are priority frames such as"),
        (["task_info", "of_my_own"], "1", "no such field is known"),
        (["software_config", "cg_version"], MISSING, "the farm's documents ask for it, it is missing"),
        (["scene_info_render", "common", "frames"], "1..9", "'1..9' is not known; known are frames such as"),
        (
            ["scene_info_render", "common", "frames"],
            MISSING,
            "the farm's documents ask for it, it is missing",
        ),
        (["scene_info_render", "common", "camera"], "Camera", "no such field is known"),
        (["small_task_id"], "1", "no such field is known"),
    ],
)
def test_what_is_not_known_passes_with_a_warning(path, value, told):
    (warning,) = validate("task.json", changed(described(BLENDER), path, value))
    assert warning.startswith(f"task.json: $.{'.'.join(path)}: {told}")


def test_what_is_filled_in_later_may_be_a_number():
    content = changed(described(BLENDER), ["task_info", "task_id"], 28474141)
    assert validate("task.json", changed(content, ["task_info", "user_id"], 100150764)) == ()


def test_a_long_value_is_not_told_whole():
    (warning,) = validate("task.json", changed(described(BLENDER), ["task_info", "pre_frames"], "9" * 10_000))
    assert len(warning) < 250


def test_only_twenty_places_are_told():
    assert len(refusal("upload.json", {"asset": [1] * 1000})) == 21
    doubtful = {f"field_{number}": "1" for number in range(30)}
    content = changed(described(BLENDER), ["task_info"], {"cg_id": "2007", "input_cg_file": "x", **doubtful})
    warnings = validate("task.json", content)
    assert len(warnings) == 21
    assert warnings[-1] == "task.json: … and more"


@pytest.mark.parametrize(
    "scene", [{"local": "a", "server": "b", "hash": "c"}, [{"local": "a", "server": "b"}]]
)
def test_an_upload_json_passes(scene):
    assert (
        validate("upload.json", {"asset": [{"local": "D:/a", "server": "/D/a"}], "scene": scene, "vrmap": []})
        == ()
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, ["$.asset: a list is wanted, it is missing"]),
        ({"asset": {}}, ["$.asset: a list is wanted, not an object"]),
        ({"asset": [{"local": "a", "server": "b"}, "c"]}, ["$.asset[1]: an object is wanted, not a text"]),
        (
            {"asset": [{"local": None}]},
            [
                "$.asset[0].local: a text is wanted, not null",
                "$.asset[0].server: a text is wanted, it is missing",
            ],
        ),
        ({"asset": [], "scene": "a"}, ["$.scene: an object is wanted, not a text"]),
    ],
)
def test_a_wrong_upload_json_is_refused(content, told):
    assert refusal("upload.json", content) == told


def test_two_files_for_one_place_are_doubtful():
    twice = {"local": "a", "server": "/x"}
    warnings = validate("upload.json", {"asset": [twice, twice, {"local": "b", "server": "/x"}]})
    assert warnings == ("upload.json: $.asset[2].server: '/x' is the place of another local file too",)


def test_a_field_of_its_own_in_every_entry_is_told_once():
    files_ = [{"local": f"{number}", "server": f"/{number}", "md5": "x"} for number in range(100)]
    assert validate("upload.json", {"asset": files_}) == (
        "upload.json: $.asset[0].md5: no such field is known",
    )


def test_a_hundred_thousand_files_are_checked_in_two_seconds():
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
def test_tips_and_assets_pass(name, content):
    assert validate(name, content) == ()


def test_tips_are_texts_by_code():
    assert refusal("tips.json", {"1": ["x", 2], "2": {}}) == [
        "$['1'][1]: a text is wanted, not a number",
        "$['2']: a list or a text is wanted, not an object",
    ]
    assert validate("tips.json", {"e1": "x"}) == ("tips.json: $: 'e1' is not known; known are whole numbers",)


def test_another_file_is_refused():
    with pytest.raises(ValueError, match=r"^name: one of 'task.json'"):
        validate("notes.json", {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
entries = st.dictionaries(st.sampled_from(["local", "server", "hash", "x"]), json_values, max_size=4)


@given(json_values)
def test_nothing_but_a_value_error_ever_comes_out(content):
    for name in TASK_FILE_NAMES:
        with contextlib.suppress(ValueError):
            validate(name, content)


@given(st.lists(entries | json_values, max_size=6), entries)
def test_another_validator_refuses_the_same_files(assets, scene):
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
def test_another_validator_refuses_the_same_task_json(software, info, fields):
    content = described(software) | fields
    content["task_info"] = content["task_info"] | info
    try:
        validate("task.json", content)
        passed = True
    except ValueError:
        passed = False
    assert passed == jsonschema.Draft202012Validator(SCHEMAS["task.json"]).is_valid(content)


def test_importing_the_room_does_not_import_jsonschema():
    code = """
import importlib, pkgutil, sys
import airflow_provider_renderbus.task_json as jobs
for module in pkgutil.iter_modules(jobs.__path__):
    if module.name != "schema_keywords":
        importlib.import_module(f"{jobs.__name__}.{module.name}")
assert "jsonschema" not in sys.modules and "airflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
