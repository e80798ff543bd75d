import json

import pytest

from airflow_provider_renderbus.api.models.hardware import HardwareConfig
from airflow_provider_renderbus.task_json.files import complete_task_json
from airflow_provider_renderbus.task_json.schema import validate
from tests.task_json.shapes import described

KNOWN = {"task_id": 35736251, "user_id": 10001136, "platform": 2}
CPU = HardwareConfig(id=7, platform=2, ram="64GB", gpu_num=None)
GPUS = HardwareConfig(id=21, platform=21, ram="128GB", gpu_num="2*GPU")


def info(task_json=None, **more):
    completed = json.loads(complete_task_json(task_json or described("2007 Blender"), **KNOWN, **more))
    assert validate("task.json", completed) == ()
    return completed["task_info"]


@pytest.mark.parametrize("as_given", [dict, json.dumps])
def test_account_platform_and_number_are_filled_in_as_text(as_given):
    given = described("2007 Blender")
    given["task_info"]["task_id"] = 1
    assert info(as_given(given)) == {
        **described("2007 Blender")["task_info"],
        "task_id": "35736251",
        "user_id": "10001136",
        "platform": "2",
    }
    assert given["task_info"]["task_id"] == 1


def test_a_file_is_completed(tmp_path):
    file = tmp_path / "task.json"
    file.write_text(json.dumps(described("2007 Blender")), "utf-8")
    assert info(file)["task_id"] == "35736251"


def test_names_in_any_script_stay_readable():
    given = described("2007 Blender")
    given["task_info"]["input_cg_file"] = "/mnt/衣帽间.blend"
    assert "衣帽间" in complete_task_json(given, **KNOWN)


def test_the_project_is_filled_in():
    filled = info(project_id=3316, project_name="night")
    assert (filled["project_id"], filled["project_name"]) == ("3316", "night")


def test_machines_are_filled_in_under_the_newer_name():
    given = described("2007 Blender")
    given["task_info"] |= {"hardwareConfigId": "5", "ram": "64", "graphics_cards_num": "1"}
    filled = info(given, hardware=[GPUS])
    assert filled["hardwareConfigIds"] == ["21"]
    assert (filled["ram"], filled["graphics_cards_num"]) == ("128", "2")
    assert "hardwareConfigId" not in filled


def test_machines_without_gpu_leave_the_number_of_cards():
    filled = info(hardware=[CPU, CPU])
    assert filled["hardwareConfigIds"] == ["7", "7"]
    assert filled["ram"] == "64"
    assert "graphics_cards_num" not in filled


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{", "task_json: JSON text is wanted; line 1, column 2: "),
        ("[]", "task_json: a JSON object is wanted, not a list"),
        ({}, "task_json: an object task_info is wanted in it, there is none"),
        ({"task_info": []}, "task_json: an object task_info is wanted in it, there is a list"),
    ],
)
def test_what_cannot_be_completed_is_refused(given, told):
    with pytest.raises(ValueError, match=f"^{told}"):
        complete_task_json(given, **KNOWN)
