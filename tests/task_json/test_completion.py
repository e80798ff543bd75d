import json

import pytest

from airflow_provider_renderbus.api.models.account import HardwareConfig
from airflow_provider_renderbus.task_json.files import complete_task_json
from airflow_provider_renderbus.task_json.schema import validate
from tests.task_json.shapes import make_task_json

IDS = {"task_id": 35736251, "user_id": 10001136, "platform": 2}
CPU = HardwareConfig(id=7, platform=2, ram="64GB", gpu_num=None)
GPU = HardwareConfig(id=21, platform=21, ram="128GB", gpu_num="2*GPU")


def info(task_json=None, **more):
    completed = json.loads(complete_task_json(task_json or make_task_json("2007 Blender"), **IDS, **more))
    assert validate("task.json", completed) == ()
    return completed["task_info"]


@pytest.mark.parametrize("as_given", [dict, json.dumps])
def test_complete_sets_ids_as_strings(as_given):
    given = make_task_json("2007 Blender")
    given["task_info"]["task_id"] = 1
    assert info(as_given(given)) == {
        **make_task_json("2007 Blender")["task_info"],
        "task_id": "35736251",
        "user_id": "10001136",
        "platform": "2",
    }
    assert given["task_info"]["task_id"] == 1


def test_complete_accepts_path(tmp_path):
    file = tmp_path / "task.json"
    file.write_text(json.dumps(make_task_json("2007 Blender")), "utf-8")
    assert info(file)["task_id"] == "35736251"


def test_complete_non_ascii_text_is_not_escaped():
    given = make_task_json("2007 Blender")
    given["task_info"]["input_cg_file"] = "/mnt/衣帽间.blend"
    assert "衣帽间" in complete_task_json(given, **IDS)


def test_complete_with_project_sets_id_and_name():
    completed_info = info(project_id=3316, project_name="night")
    assert (completed_info["project_id"], completed_info["project_name"]) == ("3316", "night")


def test_complete_with_hardware_sets_the_newer_field():
    given = make_task_json("2007 Blender")
    given["task_info"] |= {"hardwareConfigId": "5", "ram": "64", "graphics_cards_num": "1"}
    completed_info = info(given, hardware=[GPU])
    assert completed_info["hardwareConfigIds"] == ["21"]
    assert (completed_info["ram"], completed_info["graphics_cards_num"]) == ("128", "2")
    assert "hardwareConfigId" not in completed_info


def test_complete_with_cpu_hardware_sets_no_gpu_field():
    completed_info = info(hardware=[CPU, CPU])
    assert completed_info["hardwareConfigIds"] == ["7", "7"]
    assert completed_info["ram"] == "64"
    assert "graphics_cards_num" not in completed_info


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{", "task_json: must be JSON; line 1, column 2: "),
        ("[]", "task_json: must be a JSON object, got list"),
        ({}, "task_json: task_info must be an object, got nothing"),
        ({"task_info": []}, "task_json: task_info must be an object, got list"),
    ],
)
def test_complete_invalid_task_json_is_rejected(given, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        complete_task_json(given, **IDS)
