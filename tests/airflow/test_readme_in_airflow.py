"""The quickstart and each recipe of the README run as pasted, on the embedded farm."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.farm import Farm
from airflow_provider_renderbus.task_json import build_task_json
from dev.harness.airflow_instance import inherited_environment
from tests.airflow_command import AirflowCommand
from tests.farm.raw_client import LIST, RawClient
from tests.readme import RECIPES, START_FARM, quickstart_in
from tests.transfer_command import transfer_command

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TIMEOUT = 120  # seconds
FARM_SPEED = 600.0  # farm seconds per second

# Runs DAGs one after the other in one process, which saves the start of Airflow.
RUN_DAGS = """
import sys
from tests.airflow_version import load_dags

bag = load_dags(sys.argv[1])
assert not bag.import_errors, bag.import_errors
for dag_id in sys.argv[2:]:
    print("RAN", dag_id, bag.dags[dag_id].test().state, flush=True)
"""
FRAMES = {"night": 24, "in_steps": 4, "layers_and_compositing": 4, "budget": 4, "analysed": 4}
SHOTS = {"night": 3}
"""How many renders a recipe makes, if not one."""


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
    for scene in ("sh010.hip", "sh020.hip", "sh030.hip", "sh020.ma", "sh030/sh030.blend"):
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
    for name, recipe in RECIPES.items():
        (home / "dags" / f"{name}.py").write_text(re.sub(r'(?<=")/mnt/', f"{projects}/", recipe))
    with Farm(home / "farm", speed=FARM_SPEED, scenario={"pictures": False}) as farm:
        connection = farm.connection()
        connection["extra"]["transfer_command"] = str(transfer_command(home / "command"))
        airflow = AirflowCommand(
            sys.executable, home, {"renderbus_default": connection}, PYTHONPATH=str(ROOT)
        )
        output = airflow.run_python("-c", RUN_DAGS, str(home / "dags"), *RECIPES)
        renders = RawClient(farm).call(LIST, pageSize=100)["items"]
    return dict(re.findall(r"^RAN (\w+) (\S+)$", output, re.MULTILINE)), renders[::-1], output


@pytest.mark.parametrize("name", RECIPES)
def test_readme_recipe_succeeds(recipes, name):
    states, _, output = recipes
    assert states.get(name, "").endswith("success"), output


def test_readme_recipes_render_each_shot_once(recipes):
    _, renders, _ = recipes
    expected = [FRAMES[name] for name in RECIPES if name in FRAMES for _ in range(SHOTS.get(name, 1))]
    assert [(each["taskStatus"], each["doneFrames"]) for each in renders] == [
        (TaskStatus.FINISHED, frames) for frames in expected
    ]


def test_readme_composite_has_a_picture_of_each_frame(recipes, projects):
    assert len(list((projects / "frames" / "sh020" / "comp").glob("*.png"))) == 4
