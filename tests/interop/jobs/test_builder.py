"""The vendor's job check accepts what the builder makes, for each software that it has."""

from __future__ import annotations

import json

import pytest

from airflow_provider_renderbus.task_json import build_task_json
from tests.interop.jobs.test_jobs import FINISHED
from tests.task_json.builds import BUILDS


@pytest.mark.parametrize("software", BUILDS)
def test_built_task_json_passes_the_check_and_is_rendered(customer, tmp_path, software):
    machine = next(each for each in customer.call("user.get_hardware_config") if each["platform"] == 2)
    hardware = {name: machine[name] for name in ("model", "ram", "gpuNum")}
    built = build_task_json(software=software, **BUILDS[software], project_name="night")
    file = tmp_path / "task.json"
    file.write_text(json.dumps(built), "utf-8")
    number = customer.call("check", workspace=str(tmp_path), hardware_config=hardware, task_json=str(file))
    checked = json.loads(file.read_text("utf-8"))
    assert checked["software_config"] == built["software_config"]
    assert checked.get("scene_info_render") == built.get("scene_info_render")
    customer.call("transmit.upload_json_content", task_id=number, content=json.dumps(checked))
    customer.call("task.submit_task", task_id=number)
    customer.wait(number)
    info = customer.info(number)
    leaves = info["respRenderingTaskList"] or [info]
    assert {leaf["taskStatus"] for leaf in leaves} == {FINISHED}
