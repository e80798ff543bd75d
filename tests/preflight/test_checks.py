"""Preflight of a task.json beside the farm's lists: errors, and warnings if a list is odd."""

from __future__ import annotations

import pytest

from airflow_provider_renderbus.api.errors import NoResponse, api_error
from airflow_provider_renderbus.preflight.checks import Findings, check_project, check_render
from tests.preflight import lists as farm
from tests.preflight.lists import lists, maya, task_json

REFUSED = api_error("call", 605, "no right")


def findings(content, platform=2, **data):
    return check_render(content, lists(**data), platform)


@pytest.mark.parametrize(
    "content",
    [
        task_json(),
        maya(plugins={"mtoa": "5.3.4", "vrayformaya": "6.20.00"}),
        maya("2020", {"pgYetiMaya": "3.6.2"}),
        maya(plugins={"mtoa": "5.3.4"}, scene="D:\\shots\\SH010.MB"),
        maya(os_name="0"),
        task_json("2005", "R21", "/mnt/a.c4d", name="C4d"),
        task_json("2005", "R21", "/mnt/a.c4d", name="Cinema 4D"),
        task_json("2004", "20.0.724", "/mnt/a.hiplc", name="SideFX Houdini"),
        task_json(hardwareConfigIds=["301"], project_name="Sun"),
        task_json(scene="{{ params.scene }}"),
        task_json(project_name=""),
        {"software_config": {}, "task_info": {"cg_id": None}},
        {
            "software_config": {"cg_name": None, "cg_version": None, "plugins": None},
            "task_info": {"cg_id": "2007"},
        },
    ],
    ids=str,
)
def test_render_that_the_farm_has_is_without_findings(content):
    assert findings(content) == Findings()


@pytest.mark.parametrize(
    ("content", "path", "suggestion"),
    [
        (task_json(version="4.20"), "cg_version", "did you mean '4.2'?"),
        (task_json(version="4,2"), "cg_version", "did you mean '4.2'?"),
        (task_json(version="4.22"), "cg_version", "did you mean '4.2'?"),
        (task_json(version="5.0"), "cg_version", "('4.1', '4.2')"),
        (task_json(version="latest"), "cg_version", "('4.1', '4.2')"),
        (maya("2042"), "cg_version", "did you mean '2024'?"),
        (maya("224"), "cg_version", "did you mean '2024'?"),
        (task_json("2004", "20.0.742", "/mnt/a.hip"), "cg_version", "did you mean '20.0.724'?"),
        (task_json("2004", "20.0", "/mnt/a.hip"), "cg_version", "'20.0.547'"),
        (task_json("2077"), "cg_id", "did you mean '2007' (Blender)?"),
        (
            task_json("2001", "2024", "/mnt/a.max", name="Maya"),
            "cg_name",
            "got 'Maya' (2000) for",
        ),
        (task_json(name="Blendr"), "cg_name", "did you mean 'Blender'?"),
        (task_json(name="Maya"), "cg_name", "'Blender'"),
        (maya(plugins={"mtoaa": "5.3.4"}), "plugins", "did you mean 'mtoa'?"),
        (maya(plugins={"arnold": "5.3.4"}), "plugins", "did you mean 'mtoa'?"),
        (maya("2020", {"yeti": "3.6.2"}), "plugins", "did you mean 'pgYetiMaya'?"),
        (maya(plugins={"mtoa": "5.4.3"}), "plugins", "did you mean '5.3.4'?"),
        (maya(plugins={"mtoa": "4.0.4.2"}), "plugins", "Maya 2024 on the farm ('5.3.4')"),
        (maya(scene="/mnt/a.mp"), "input_cg_file", "did you mean 'a.ma'?"),
        (maya(scene="/mnt/a.blend"), "input_cg_file", "it is a scene of Blender (2007)"),
        (task_json(scene="D:/shots/a.BLEND1"), "input_cg_file", "did you mean 'a.blend'?"),
        (
            task_json("2015", "13.2v9", "/mnt/a.ma", name="Nuke"),
            "input_cg_file",
            "must end in .nk for Nuke, got '/mnt/a.ma'; it is a scene of Maya (2000)",
        ),
        (task_json(os_name="0"), "os_name", "'1' (Windows)"),
        (task_json(hardwareConfigIds=["310"]), "hardwareConfigIds", "did you mean '301'?"),
        (task_json(hardwareConfigIds=["3037"]), "hardwareConfigIds", "did you mean '301'?"),
        (task_json(hardwareConfigIds=["303"]), "hardwareConfigIds", "switched on"),
        (task_json(hardwareConfigIds=["337"]), "hardwareConfigIds", "can render software 2007"),
        (task_json(project_name="Sunn"), "project_name", "did you mean 'Sun'?"),
    ],
    ids=str,
)
def test_render_with_typo_has_one_error_with_suggestion(content, path, suggestion):
    (error,) = findings(content).errors
    assert path in error.partition(":")[2].partition(": must")[0]
    assert suggestion in error


@pytest.mark.parametrize(("platform", "suggestion"), [(22, "did you mean 2"), (62, "(2 (W2), 21 (GPU)")])
def test_platform_that_no_zone_lists_is_an_error(platform, suggestion):
    (error,) = findings(task_json(), platform).errors
    assert error.startswith("platform of the connection: must be ")
    assert suggestion in error


def test_platform_that_is_off_or_in_another_zone_is_a_warning():
    (warning,) = findings(task_json(), 21).warnings
    assert "switched off" in warning
    other_zone = {"query_platforms 1": [{"platform": 21, "name": "GPU"}], "query_platforms 2": farm.PLATFORMS}
    found = findings(task_json(), 2, **other_zone)
    assert (found.errors, "another zone" in found.warnings[0]) == ([], True)


def test_version_that_is_there_for_the_other_system_only_names_the_system():
    data = {
        "query_software_detail linux": {"cgVersion": [{"id": 1, "cgVersion": "2018"}], "cgPlugin": []},
        "query_software_detail windows": farm.MAYA,
    }
    (error,) = findings(maya(os_name="0"), **data).errors
    assert "os_name: must be '1' for Maya '2024', which the farm has for Windows only" in error


ODD = {
    "refused": dict.fromkeys(farm.DATA, REFUSED),
    "no response": {name: NoResponse("call", "timed out") for name in farm.DATA},
    "empty": {name: [] if isinstance(data, list) else {} for name, data in farm.DATA.items()},
    "empty lists": {
        "query_software_list": {"renderInfoList": []},
        **{name: {"cgVersion": [], "cgPlugin": []} for name in farm.DATA if "detail" in name},
        **{name: [] for name in ("query_platforms", "list_hardware_configs")},
        "list_projects": {"projectNameList": []},
    },
    "null": dict.fromkeys(farm.DATA),
    "null lists": {
        "query_software_list": {"renderInfoList": None},
        **{name: {"cgVersion": None, "cgPlugin": None} for name in farm.DATA if "detail" in name},
        "list_projects": {"projectNameList": None},
        **dict.fromkeys(("query_platforms", "list_hardware_configs")),
    },
    "text": dict.fromkeys(farm.DATA, "SUCCESS"),
    "entries that cannot be read": {
        "query_software_list": {"renderInfoList": [None, {"cgId": None, "cgName": None}, 7]},
        **{
            name: {
                "cgVersion": [{"id": 1, "cgVersion": None}],
                "cgPlugin": [{"cvId": None, "pluginName": None}],
            }
            for name in farm.DATA
            if "detail" in name
        },
        "query_platforms": [{"platform": None}],
        "list_hardware_configs": [{"id": "x"}],
        "list_projects": {"projectNameList": [{"projectName": None}]},
    },
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "content",
    [
        task_json(hardwareConfigIds=["301"], project_name="Moon"),
        maya(plugins={"mtoa": "5.3.4"}),
        task_json("2099", "1.0", "/mnt/a.xyz"),
    ],
    ids=["blender", "maya", "unknown"],
)
def test_list_that_cannot_be_had_is_a_warning_and_no_error(odd, content):
    found = findings(content, **ODD[odd])
    assert found.errors == []
    assert any("not certain, since" in warning for warning in found.warnings), found.warnings


LEGITIMATE = {
    "documented software that the list lacks": (
        task_json("2015", "13.2v9", "/mnt/a.nk", name="Nuke", os_name="0"),
        {"query_software_detail 2015": {"cgVersion": [], "cgPlugin": []}},
    ),
    "documented software that the list lacks, with versions": (
        task_json("2008", "standalone_vray5.00.05", "D:/a.vrscene", name="VR Standalone"),
        {"query_software_detail 2008": {"cgVersion": [{"id": 1, "cgVersion": "standalone_vray5.00.05"}]}},
    ),
    "scene of a kind that no document has, of documented software that the list lacks": (
        task_json("2003", "7.1.4.3", "/mnt/a.usda", name="Arnold Standalone"),
        {"query_software_detail 2003": {"cgVersion": [{"id": 1, "cgVersion": "7.1.4.3"}], "cgPlugin": []}},
    ),
    "two entries for one software": (
        task_json(scene="/mnt/a.blendz", os_name="0"),
        {
            "query_software_list": {
                "renderInfoList": [
                    {"cgId": 2007, "cgName": None, "cgType": "blend", "isSupportLinux": 0},
                    {"cgId": 2007, "cgName": "Blender", "cgType": "blendz", "isSupportLinux": 1},
                ]
            }
        },
    ),
    "version with a build of Python": (
        task_json("2004", "20.0.547-py3", "/mnt/a.hip"),
        {},
    ),
    "version with a build of Python in the list": (
        task_json("2004", "19.5.435", "/mnt/a.hip"),
        {"query_software_detail 2004": {"cgVersion": [{"id": 1, "cgVersion": "19.5.435-py3"}]}},
    ),
    "plug-in version with build metadata": (maya(plugins={"mtoa": "5.3.4+b77"}), {}),
    "plug-in version with build metadata in the list": (
        maya(plugins={"mtoa": "5.3.4"}),
        {
            "query_software_detail 2000": {
                **farm.MAYA,
                "cgPlugin": [
                    {"cvId": 2, "pluginName": "mtoa", "pluginVersions": [{"pluginVersion": "mtoa 5.3.4+b77"}]}
                ],
            }
        },
    ),
    "ids as text": (
        task_json(),
        {
            "query_software_list": {
                "renderInfoList": [{"cgId": "2007", "cgName": "BLENDER", "cgType": ".blend"}]
            }
        },
    ),
    "software without name and extensions": (
        task_json(name="Blender 4"),
        {"query_software_list": {"renderInfoList": [{"cgId": 2007, "cgName": None, "cgType": None}]}},
    ),
    "name of another edition": (task_json("2004", "20.0.547", "/mnt/a.hip", name="Houdini Core"), {}),
    "bare list of software": (task_json(), {"query_software_list": farm.SOFTWARE["renderInfoList"]}),
    "extensions in other forms": (
        maya(),
        {
            "query_software_list": {
                "renderInfoList": [{"cgId": 2000, "cgName": "Maya", "cgType": "*.ma | *.MB"}]
            }
        },
    ),
    "documented extension that the list lacks": (
        task_json("2004", "20.0.547", "/mnt/a.hiplc"),
        {"query_software_list": {"renderInfoList": [{"cgId": 2004, "cgName": "Houdini", "cgType": "hip"}]}},
    ),
    "version with the name of the software": (
        maya(),
        {"query_software_detail 2000": {"cgVersion": [{"id": 1, "cgVersion": "Maya 2024"}]}},
    ),
    "version as a number": (
        task_json(),
        {"query_software_detail 2007": {"cgVersion": [{"id": 1, "cgVersion": 4.2}]}},
    ),
    "version with a patch in the list": (
        task_json(version="4.2"),
        {"query_software_detail 2007": {"cgVersion": [{"cgVersion": "4.2.1"}, {"cgVersion": "4.1.0"}]}},
    ),
    "version with a patch in the file": (maya("2024.2"), {}),
    "version with words": (task_json(version="4.2 LTS"), {}),
    "version with a letter in front": (task_json("2005", "21", "/mnt/a.c4d"), {}),
    "version among entries that cannot be read": (
        task_json(version="4.5"),
        {"query_software_detail 2007": {"cgVersion": [{"cgVersion": None}, {"cgVersion": "4.2"}]}},
    ),
    "no word about Linux": (
        task_json(os_name="0"),
        {
            "query_software_list": {
                "renderInfoList": [{"cgId": 2007, "cgName": "Blender", "isSupportLinux": None}]
            }
        },
    ),
    "plug-ins of no version": (
        maya(plugins={"mtoa": "5.3.4", "pgYetiMaya": "3.6.2"}),
        {
            "query_software_detail 2000": {
                **farm.MAYA,
                "cgPlugin": [{**each, "cvId": None} for each in farm.MAYA["cgPlugin"]],
            }
        },
    ),
    "plug-in of no version among those of the version": (
        maya(plugins={"mtoa": "5.3.4", "pgYetiMaya": "4.2.8"}),
        {
            "query_software_detail 2000": {
                **farm.MAYA,
                "cgPlugin": [
                    *farm.MAYA["cgPlugin"],
                    {
                        "cvId": None,
                        "pluginName": "pgYetiMaya",
                        "pluginVersions": [{"pluginVersion": "pgYetiMaya 4.2.8"}],
                    },
                ],
            }
        },
    ),
    "plug-in of an unknown version": (
        maya(plugins={"ornatrix": "4"}),
        {
            "query_software_detail 2000": {
                **farm.MAYA,
                "cgPlugin": [*farm.MAYA["cgPlugin"], {"cvId": 99, "pluginName": "Ornatrix"}],
            }
        },
    ),
    "plug-in version with words": (
        maya(plugins={"vrayformaya": "4.30.02 Next"}),
        {
            "query_software_detail 2000": {
                **farm.MAYA,
                "cgPlugin": [
                    {
                        "cvId": 2,
                        "pluginName": "vrayformaya",
                        "pluginVersions": [{"pluginVersion": "vrayformaya 4.30.02 (Next)"}],
                    }
                ],
            }
        },
    ),
    "plug-in with a name in Chinese": (
        maya(plugins={"插件毛发": "1.0"}),
        {
            "query_software_detail 2000": {
                **farm.MAYA,
                "cgPlugin": [
                    {
                        "cvId": 2,
                        "pluginName": "插件 毛发",
                        "pluginVersions": [{"pluginVersion": "插件 毛发 1.0"}],
                    }
                ],
            }
        },
    ),
    "documented plug-in in upper case that the list lacks": (maya(plugins={"Redshift": "3.5"}), {}),
    "version with a patch in the file, and words in the list": (
        maya("2022.3"),
        {"query_software_detail 2000": {"cgVersion": [{"id": 1, "cgVersion": "2022 稳定版 [推荐]"}]}},
    ),
    "no plug-ins for the version": (
        maya("2020", plugins={"my_plugin": "1"}),
        {"query_software_detail 2000": {**farm.MAYA, "cgPlugin": farm.MAYA["cgPlugin"][2:]}},
    ),
    "plug-in without versions": (
        maya(plugins={"mtoa": "5.3.4"}),
        {
            "query_software_detail 2000": {
                **farm.MAYA,
                "cgPlugin": [{"cvId": 2, "pluginName": "mtoa", "pluginVersions": None}],
            }
        },
    ),
    "plug-in without a version in the file": (maya(plugins={"mtoa": ""}), {}),
    "plug-in version without the plug-in's name": (
        maya(plugins={"mtoa": "5.3.4"}),
        {
            "query_software_detail 2000": {
                **farm.MAYA,
                "cgPlugin": [
                    {"cvId": 2, "pluginName": "mtoa", "pluginVersions": [{"pluginVersion": "5.3.4"}]}
                ],
            }
        },
    ),
    "documented plug-in that the list lacks": (maya(plugins={"RenderMan_for_Maya": "24.4"}), {}),
    "hardware of another platform": (task_json(hardwareConfigIds=["339"]), {}),
    "hardware with a status that is not documented": (
        task_json(hardwareConfigIds=["9"]),
        {"list_hardware_configs": [{"id": 9, "platform": 2, "status": 2}]},
    ),
    "hardware without platform and status": (
        task_json(hardwareConfigIds=["9"]),
        {"list_hardware_configs": [{"id": "9", "notSupportCgId": None}]},
    ),
    "project of the main account": (
        task_json(project_name="Moon"),
        {
            "list_projects 0": farm.PROJECTS,
            "list_projects 2": {"projectNameList": [{"projectId": 3, "projectName": "Moon"}]},
        },
    ),
}


@pytest.mark.parametrize("name", LEGITIMATE)
def test_legitimate_render_is_not_refused_for_an_odd_list(name):
    content, data = LEGITIMATE[name]
    assert findings(content, **data).errors == []


@pytest.mark.parametrize("name", ["MtoA", "mtoa ", "m-toa"])
def test_plugin_that_is_written_otherwise_is_a_warning(name):
    assert findings(maya(plugins={name: "5.3.4"})) == Findings(
        [], [f"task.json: $.software_config.plugins: the farm's list has 'mtoa', got {name!r}"]
    )
    (error,) = findings(maya(plugins={name: "5.4.3"})).errors
    assert error.endswith("did you mean '5.3.4'?")


@pytest.mark.parametrize("name", ["mtoa", "my plug", "redshift_GPU", "p2"])
@pytest.mark.parametrize("form", ["{name} {version}", "{name}-{version}", "{name}{version}", "{version}"])
@pytest.mark.parametrize(
    "version", ["19.5.435-py3", "5.3.4.1+b77", "5, update 2.1", "2024(\u7a33\u5b9a\u7248)", "latest", "1/2"]
)
def test_plugin_version_as_in_the_list_is_without_findings(name, form, version):
    listed = [form.format(name=name, version=each) for each in (version, f"{version} beta", "1.0")]
    plugin = {"cvId": 2, "pluginName": name, "pluginVersions": [{"pluginVersion": each} for each in listed]}
    data = {"query_software_detail 2000": {**farm.MAYA, "cgPlugin": [plugin]}}
    assert findings(maya(plugins={name: listed[0]}), **data) == Findings()
    if name != "p2":  # of p219.5 nobody can say where the name ends
        assert findings(maya(plugins={name: version}), **data).errors == []


@pytest.mark.parametrize("scene", ["", "/mnt/sh010", "/mnt/v1.2/sh010", "D:\\shots\\"])
def test_scene_without_extension_is_a_warning(scene):
    assert findings(task_json(scene=scene)) == Findings(
        [],
        [
            (
                f"task.json: $.task_info.input_cg_file: must end in .blend for Blender, got {scene!r}; "
                "not certain, since it has no extension"
            )
        ],
    )


@pytest.mark.parametrize(
    ("cg_id", "hint"),
    [
        ("Blender", "; did you mean '2007'?"),
        (" 2007", "; did you mean '2007'?"),
        ("02007", "; did you mean '2007'?"),
        ("maia", ""),
        ("", ""),
    ],
)
def test_id_of_software_that_is_no_number_is_an_error(cg_id, hint):
    assert findings(task_json(cg_id)).errors == [
        f"task.json: $.task_info.cg_id: must be the id of a software, got {cg_id!r}{hint}"
    ]


def test_empty_version_is_an_error():
    (error,) = findings(task_json(version="")).errors
    assert error.startswith(
        "task.json: $.software_config.cg_version: must be a version of Blender on the farm"
    )


def test_version_zero_is_not_a_version_without_a_number():
    data = {"query_software_detail 2000": {"cgVersion": [{"id": 1, "cgVersion": "latest"}]}}
    assert findings(maya("0"), **data).errors


def test_project_argument_is_named_in_the_error():
    found = Findings()
    check_project(found, lists(), "project_name", "Nihgt")
    assert found.errors == [
        "project_name: must be a project of the account ('Sun', 'Night'), got 'Nihgt'; did you mean 'Night'?"
    ]


@pytest.mark.parametrize(
    "content",
    [
        task_json(version="4" * 100_000),
        task_json(name="B" * 100_000),
        task_json(project_name="p" * 100_000),
        task_json(os_name="2" * 100_000),
        task_json("2" * 100_000),
        task_json(hardwareConfigIds=["3" * 100_000]),
        maya(plugins={"mtoa": "5" * 100_000}),
        maya(plugins={"m" * 100_000: "5"}),
    ],
    ids=["version", "name", "project", "os", "id", "hardware", "plug-in version", "plug-in"],
)
def test_finding_quotes_the_beginning_of_a_long_value(content):
    found = findings(content)
    (line,) = found.errors + found.warnings
    assert len(line) < 400
