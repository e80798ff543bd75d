from pathlib import Path

import pytest

from tests.airflow_version import load_dags, schedule_of

FOLDER = Path(__file__).parents[2] / "example_dags"
EXAMPLES = sorted(file.stem for file in FOLDER.glob("*.py"))


@pytest.fixture(scope="module")
def dags():
    bag = load_dags(FOLDER)
    assert not bag.import_errors
    return bag.dags


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_loads_and_knows_nothing_of_the_farm(dags, name):
    assert name in dags
    assert "renderbus.farm" not in (FOLDER / f"{name}.py").read_text("utf-8")


def test_the_nightly_render_is_one_run_a_night(dags):
    dag = dags["nightly_render"]
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    assert schedule_of(dag) == "0 2 * * *"
    assert {"frames_folder", "pictures_folder"} <= set(dag.params)
    assert dag.get_task("render_shot.wait").deferrable
