"""The quickstart and each recipe of the README run as pasted, on the embedded farm."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.farm import Farm
from airflow_provider_renderbus.task_json import build_task_json
from dev.harness.airflow_instance import inherited_environment
from dev.harness.embedded_farm import settings_of
from tests.airflow_command import AirflowCommand
from tests.airflow_version import HAS_APPROVAL
from tests.readme import RECIPES, START_FARM, quickstart_in
from tests.transfer_command import transfer_command

pytestmark = pytest.mark.dag_runs

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TIMEOUT = 120  # seconds
FARM_SPEED = 600.0  # farm seconds per second

# Runs DAGs one after the other in one process, which saves the start of Airflow.
RUN_DAGS = """
import sys
from datetime import UTC, datetime

from tests.airflow_version import load_dags

if "approval" in sys.argv:
    from airflow.providers.standard.operators.hitl import HITLOperator

    def answer(self, context):  # as a user does
        event = {"chosen_options": ["Approve"], "params_input": {}, "responded_by_user": None}
        return self.execute_complete(context, event | {"responded_at": datetime.now(UTC)})

    HITLOperator.execute = answer

bag = load_dags(sys.argv[1])
assert not bag.import_errors, bag.import_errors
for dag_id in sys.argv[2:]:
    print("RAN", dag_id, bag.dags[dag_id].test().state, flush=True)
"""
SCENARIO = {"pictures": False, "renders": [{"scene": "broken*", "fail_frames": "2"}]}
FRAMES = {
    "night": 24,
    "in_steps": 4,
    "layers_and_compositing": 8,
    "budget": 4,
    "approval": 8,
    "analysed": 4,
    "reported": 4,
}
SHOTS = {"night": 3, "reported": 3}
"""How many renders a recipe makes, if not one."""
RUN = [name for name in RECIPES if name != "approval" or HAS_APPROVAL]


def test_readme_quickstart_runs_as_pasted(tmp_path):
    environment = {**inherited_environment(), "PATH": f"{BIN}:{os.environ['PATH']}"}
    command = START_FARM.replace(". .venv/bin/activate\n", "").strip()
    farm = subprocess.Popen(
        [*shlex.split(command), "--port", "0", "--speed", str(FARM_SPEED)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        printed = farm.stdout.readline()
        script = f"{printed}\n{quickstart_in(tmp_path / 'quickstart')}"
        process = subprocess.run(
            ["bash", "-euc", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    finally:
        farm.send_signal(signal.SIGTERM)
        farm.wait(TIMEOUT)
        farm.stdout.close()
    output = process.stdout + process.stderr
    assert process.returncode == 0, output
    assert "8 of 8 frames done" in output
    assert re.findall(r"sh010_000\d\.png", process.stdout.splitlines()[-8:].__str__()), output
    assert len(list((tmp_path / "quickstart" / "frames").rglob("*.png"))) == 8


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    """The folder that replaces `/mnt`, with the scenes of the recipes and an analysis."""
    mnt = tmp_path_factory.mktemp("mnt")
    projects = mnt / "projects"
    (projects / "sh030").mkdir(parents=True)
    for scene in ("sh010.hip", "sh020.hip", "sh030.hip", "broken.hip", "sh020.ma", "sh030/sh030.blend"):
        (projects / scene).write_text("a scene")
    scene = projects / "sh030" / "sh030.blend"
    analysis = {
        "task.json": build_task_json(
            software="Blender", version="4.2", scene=f"D:{scene}", frames="1-100", width=640, height=360
        ),
        "upload.json": {"asset": [{"local": str(scene), "server": f"/D{scene}"}]},
    }
    for name, content in analysis.items():
        (projects / "sh030" / name).write_text(json.dumps(content))
    return mnt


@pytest.fixture(scope="module")
def recipes(projects, tmp_path_factory):
    """The farm's renders and the states of the DAG runs, after all recipes have run."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    for name in RUN:
        recipe = re.sub(r'(?<=")/mnt/', f"{projects}/", RECIPES[name])
        (home / "dags" / f"{name}.py").write_text(recipe)
    with Farm(home / "farm", speed=FARM_SPEED, scenario=SCENARIO) as farm:
        connection = farm.connection()
        connection["extra"]["transfer_command"] = str(transfer_command(home / "command"))
        airflow = AirflowCommand(
            sys.executable, home, {"renderbus_default": connection}, PYTHONPATH=str(ROOT)
        )
        output = airflow.run_python("-c", RUN_DAGS, str(home / "dags"), *RUN)
        with closing(Client(settings_of(farm.connection()))) as client:
            render_task_ids = [each.id for each in client.send(calls.get_task_list(page_size=100)).items]
            renders = client.run(flows.get_tasks(render_task_ids))
    by_age = [renders[task_id] for task_id in sorted(renders)]
    return dict(re.findall(r"^RAN (\w+) (\S+)$", output, re.MULTILINE)), by_age, output


@pytest.mark.parametrize("name", RUN)
def test_readme_recipe_succeeds(recipes, name):
    states, _, output = recipes
    assert states.get(name, "").endswith("success"), output


def test_readme_recipes_render_each_shot_once(recipes):
    _, renders, _ = recipes
    whole = [each for each in renders if "broken" not in each.scene_name]
    expected = [FRAMES[name] for name in RUN if name in FRAMES for _ in range(SHOTS.get(name, 1))]
    assert [(each.status, each.progress.done) for each in whole] == [
        (TaskStatus.FINISHED, frames) for frames in expected[:-1]
    ]


def test_readme_report_has_the_shot_that_failed(recipes):
    _, _, output = recipes
    assert re.search(r"broken.*frames? 2|broken.*\b2\b.*", output), output


def test_readme_composite_has_a_picture_of_each_frame(recipes, projects):
    assert len(list((projects / "frames" / "sh020" / "comp").glob("*.png"))) == 4
