"""Every example DAG loads, and has the settings that its description promises."""

from pathlib import Path

import pytest

from airflow_provider_renderbus.compat import AirflowFailException
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.airflow_version import LINE, assets_of, copy_dag_file, load_dags, schedule_of

FOLDER = Path(__file__).parents[2] / "example_dags"
APPROVAL = FOLDER / "approve_test_frames.py"
TOO_NEW = [APPROVAL] if LINE < (3, 1) else []
EXAMPLES = sorted(file.stem for file in FOLDER.glob("*.py") if file not in TOO_NEW)


@pytest.fixture(scope="module")
def dags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dags")
    for file in FOLDER.glob("*.py"):
        copy_dag_file(file, folder)
    bag = load_dags(folder)
    assert [Path(file).name for file in bag.import_errors] == [file.name for file in TOO_NEW]
    return bag.dags


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_loads_without_embedded_farm(dags, name):
    assert name in dags
    assert "renderbus.farm" not in (FOLDER / f"{name}.py").read_text("utf-8")


def test_example_sensors_cancel_on_kill(dags):
    sensors = [
        task for dag in dags.values() for task in dag.tasks if task.task_type == RenderbusTaskSensor.__name__
    ]
    assert sensors
    assert all(sensor.cancel_on_kill for sensor in sensors)


def test_example_tasks_of_the_provider_have_retries(dags):
    without = [
        f"{dag.dag_id}.{task.task_id}"
        for dag in dags.values()
        for task in dag.tasks
        if (task.task_type.startswith("Renderbus") or task.task_type == "_RenderbusDecoratedOperator")
        and not task.retries
    ]
    assert without == []


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_example_builds_its_task_json(file):
    text = file.read_text("utf-8")
    assert "scene_info_render" not in text
    assert ("build_task_json(" in text) == (file.stem != "stop_leftovers")


def test_nightly_render_has_one_active_run_per_night(dags):
    dag = dags["nightly_render"]
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    assert schedule_of(dag) == "0 2 * * *"
    assert {"frames_folder", "pictures_folder"} <= set(dag.params)
    assert dag.get_task("render").operator_class.custom_operator_name == "@task.renderbus"
    assert dag.get_task("render").partial_kwargs["deferrable"]


def paused(shot, cost="12.4", state="FINISHED_TEST"):
    forecast = {"cost": cost, "low": "9", "high": "120", "spent": "2"} if state == "FINISHED_TEST" else None
    return {
        "render_task_id": 35,
        "scene": f"{shot}.blend",
        "state": state,
        "cost": "2",
        "forecast": forecast,
        "console_url": "http://farm/task/35",
    }


def test_night_budget_with_a_failed_shot_renders_the_others(dags, caplog):
    dag = dags["night_budget"]
    # A mapped instance that has failed fails what comes directly after it, unless that runs anyway.
    after = [dag.get_task(task_id) for task_id in dag.get_task("test_frames").downstream_task_ids]
    assert {task.task_id: task.trigger_rule for task in after} == dict.fromkeys(
        ("give_out", "affordable", "report"), "all_done"
    )
    renders = [paused("sh010"), paused("sh020", "99"), paused("sh030", state="FINISHED")]
    limits = dag.get_task("give_out").python_callable(renders, 30)
    assert limits == {"sh010": "26", "sh020": None, "sh030": None}
    assert dag.get_task("affordable").python_callable(renders, limits) == [
        {"render_task_id": 35, "max_cost": "26"}
    ]
    caplog.set_level("INFO")
    with pytest.raises(AirflowFailException, match="A shot was left out"):
        dag.get_task("report").python_callable(renders, limits)
    lines = caplog.messages[-1].splitlines()[1:]
    assert lines[:2] == [f"{shot}: no test frames, see their task" for shot in ("sh040", "sh050")]
    for line, words in zip(
        lines[2:],
        ("renders up to 26, ", "stays FINISHED_TEST: no money tonight, ", "is FINISHED without a pause, "),
        strict=True,
    ):
        assert words in line


def test_night_budget_that_is_not_given_out_renders_nothing(dags, caplog):
    dag = dags["night_budget"]
    renders = [paused(f"sh0{number}0") for number in range(1, 6)]
    assert dag.get_task("affordable").python_callable(renders, None) == []
    caplog.set_level("INFO")
    with pytest.raises(AirflowFailException):
        dag.get_task("report").python_callable(renders, None)
    assert caplog.text.count("the budget was not given out") == 5


def test_night_budget_reports_each_shot_of_a_night_without_failures(dags):
    dag = dags["night_budget"]
    renders = [paused(f"sh0{number}0") for number in range(1, 6)]
    limits = dag.get_task("give_out").python_callable(renders, "45")
    lines = dag.get_task("report").python_callable(renders, limits).splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"sh0{number}0" for number in range(1, 6)]
    assert sum("no money tonight" in line for line in lines) == 2


def test_preflight_night_checks_before_it_renders(dags):
    dag = dags["preflight_night"]
    assert dag.get_task("preflight").downstream_task_ids == {"render"}
    assert len(dag.get_task("preflight").renders) == 3


def test_render_passes_schedules_compositing(dags):
    (passes,) = dags["render_passes"].get_task("render").outlets
    assert passes.uri == "renderbus://shots/sh010/passes"
    assert [asset.uri for asset in assets_of(dags["composite_on_render"])] == [passes.uri]


@pytest.mark.skipif(LINE < (3, 1), reason="older lines have no approval operator")
def test_approval_branches_to_full_speed_or_abandon(dags):
    ask = dags[APPROVAL.stem].get_task("approve")
    assert ask.options == ["Approve", "Reject"]
    assert set(ask.options_mapping.values()) == ask.downstream_task_ids == {"full_speed", "abandon"}
