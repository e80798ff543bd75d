import warnings

import pytest

from airflow_provider_renderbus.farm import software as farm_software
from airflow_provider_renderbus.task_json import build_task_json
from airflow_provider_renderbus.task_json.names import known_name, path_system, software_id, software_of
from airflow_provider_renderbus.task_json.software import SOFTWARE
from tests.task_json.builds import BUILDS


@pytest.mark.parametrize("cg_id", SOFTWARE)
def test_software_id_accepts_id_and_name(cg_id):
    software = SOFTWARE[cg_id]
    names = [software.name, *([software.cg_name] if software.cg_name else []), *software.aliases]
    for given_name in (cg_id, str(cg_id), *names, *map(str.upper, names)):
        assert software_id("software", given_name) == cg_id


@pytest.mark.parametrize(
    ("name", "cg_id"),
    [
        # The names of the vendor's documents, packages and released client.
        ("Maya", 2000),
        ("maya", 2000),
        ("3ds Max", 2001),
        ("3ds max", 2001),
        ("Max", 2001),
        ("lightwave", 2002),
        ("Arnold Standalone", 2003),
        ("arnold", 2003),
        ("Houdini", 2004),
        ("C4d", 2005),
        ("CINEMA 4D", 2005),
        ("cinema4d", 2005),
        ("softimage", 2006),
        ("VR Standalone", 2008),
        ("vr_standalone", 2008),
        ("mr_standalone", 2009),
        ("sketchup", 2010),
        ("Octane Render", 2014),
        ("octane_render", 2014),
        ("Unreal engine", 2020),
        ("unreal engine", 2020),
        # And of people.
        ("V-Ray", 2008),
        ("vray standalone", 2008),
        ("3dsMax", 2001),
        ("Cinema4D", 2005),
        ("UE5", 2020),
        ("Clarisse iFX", 2013),
    ],
)
def test_software_id_accepts_names_of_the_vendor_and_of_people(name, cg_id):
    assert software_id("software", name) == cg_id


@pytest.mark.parametrize(
    "software", ["Pov", "", " ", 0, -2007, 2099, True, 2007.0, None, b"Blender", ["Blender"]]
)
def test_software_id_unknown_is_rejected(software):
    with pytest.raises(
        ValueError, match=r"^software: must be a name or id of a software, one of Maya \(2000\), "
    ):
        software_id("software", software)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Blendr", "Blender"),
        ("Houdinni", "Houdini"),
        ("Cinma 4D", "Cinema 4D"),
        ("Klarisse", "Clarisse"),
        ("V-Ray Standalon", "V-Ray Standalone"),
        ("Unreal Enigne", "Unreal Engine"),
        ("3d max 2024", "3ds Max"),
        ("Maya 2024.1", "Maya"),
        ("3ds", "3ds Max"),
    ],
)
def test_software_id_wrong_name_error_has_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=f"got '{name}'; did you mean '{nearest}'\\?$"):
        software_id("software", name)


def test_software_id_digits_of_other_scripts_are_rejected():
    with pytest.raises(ValueError, match=r"^software: must be "):
        software_id("software", "\u0662\u0660\u0660\u0667")


@pytest.mark.parametrize("cg_id", [None, "", "2099", 2007, [], {}])
def test_software_of_unknown_id_is_none(cg_id):
    assert software_of({"cg_id": cg_id}) is None


@pytest.mark.parametrize(
    ("path", "system"),
    [
        ("D:/shots/a.blend", "windows"),
        ("d:\\shots\\a.blend", "windows"),
        ("\\\\server\\share\\a.blend", "windows"),
        ("//server/share/a.blend", "windows"),
        ("/mnt/shots/a.blend", "linux"),
        ("shots/a.blend", None),
        ("{{ params.scene }}", None),
        ("", None),
    ],
)
def test_path_system_of_all_forms(path, system):
    assert path_system(path) == system


def test_known_name_is_returned_as_the_software_writes_it():
    known = {"openexr": "OPEN_EXR", "png": "PNG"}
    assert [known_name("format", name, known) for name in ("open_exr", "OpenEXR", "Png", "webp")] == [
        "OPEN_EXR",
        "OPEN_EXR",
        "PNG",
        "webp",
    ]
    with pytest.raises(
        ValueError, match=r"^format: must be a name that exists, got 'PNGG'; did you mean 'PNG'\?$"
    ):
        known_name("format", "PNGG", known)


@pytest.mark.parametrize(
    ("software", "given", "written"),
    [
        ("Maya", "Arnold", "arnold"),
        ("Maya", "RenderMan", "renderMan"),
        ("3ds Max", "V-Ray", "vray"),
        ("3ds Max", "V_Ray_5", "V_Ray_5"),
        ("3ds Max", "V-Ray GPU", "V-Ray GPU"),
        ("3ds Max", "VRayRT", "VRayRT"),
        ("3ds Max", "Redshift 3D", "Redshift 3D"),
        ("3ds Max", "Finalrender", "Finalrender"),
        ("Cinema 4D", "Physical Render", "Physical Render"),
        ("Cinema 4D", "physical", "Physical"),
    ],
)
def test_build_renderer_is_written_as_the_software_writes_it(software, given, written):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        built = build_task_json(software=software, **(BUILDS[software] | {"renderer": given}))
    scene = built["scene_info_render"]
    assert written == (
        scene["defaultRenderLayer"]["common"]["renderer"] if software == "Maya" else scene["renderer"]["name"]
    )


@pytest.mark.parametrize(
    ("software", "given", "near"),
    [
        ("Maya", "arnoldd", "arnold"),
        ("Maya", "vary", "vray"),
        ("Maya", "V-Ray 6", "vray"),
        ("Maya", "Arnold 7", "arnold"),
        ("3ds Max", "coronna", "corona"),
        ("Cinema 4D", "phisical", "Physical"),
    ],
)
def test_build_renderer_with_a_typing_error_names_the_right_one(software, given, near):
    with pytest.raises(ValueError, match=f"renderer: must be .*, got '{given}'; did you mean '{near}'"):
        build_task_json(software=software, **(BUILDS[software] | {"renderer": given}))


@pytest.mark.parametrize("software", [each for each in BUILDS if SOFTWARE[software_id("", each)].formats])
def test_build_accepts_all_formats_of_the_farm(software):
    for given in farm_software.SOFTWARE[software_id("", software)].formats:
        build_task_json(software=software, **(BUILDS[software] | {"image_format": given}))


@pytest.mark.parametrize("given", ["tifff", "tiffff", "exrr", "exr16"])
def test_build_format_with_something_too_much_is_rejected(given):
    with pytest.raises(ValueError, match="did you mean"):
        build_task_json(software="Maya", **(BUILDS["Maya"] | {"image_format": given}))
