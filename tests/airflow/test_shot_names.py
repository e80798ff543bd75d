"""A mapped task has the name of its shot: of its labels or its scene, on every line of Airflow."""

import json
import os

import pytest

from airflow_provider_renderbus.compat import DAG, TaskDeferred
from airflow_provider_renderbus.decorators import renderbus_task
from airflow_provider_renderbus.operators import (
    RenderbusCreateTaskOperator,
    RenderbusRenderOperator,
    RenderbusSubmitTaskOperator,
)
from airflow_provider_renderbus.renders.results import Outcome, WaitResult
from airflow_provider_renderbus.sensors import RenderbusTaskSensor
from airflow_provider_renderbus.shot_names import MAX_NAME_CHARS, shot_name
from tests.airflow.context import context
from tests.airflow.run_to_completion import STEP, run_to_completion
from tests.scenes import make_task_json

SCENE = {"task_info": {"input_cg_file": "D:\\projects\\sh010.blend"}}


def mapped_context(map_index=0, **values):
    built = {**context(), "params": {"shot": "sh010"}, **values}
    built["ti"].map_index = map_index
    return built


def shown(built, native=False):
    """Return the name as Airflow renders it."""
    template = built.get("map_index_template")
    with DAG("d", schedule=None, render_template_as_native_obj=native) as dag:
        return template and dag.get_template_env().from_string(template).render(built)


def rendered(operator_class, built, native=False, **arguments):
    with DAG("d", schedule=None, render_template_as_native_obj=native) as dag:
        operator = operator_class(task_id="t", **arguments)
    built["dag"] = dag
    operator.render_template_fields(built, dag.get_template_env())
    return shown(built, native)


@pytest.mark.parametrize(
    ("labels", "task_json", "name"),
    [
        (["sh010"], SCENE, "sh010"),
        (["nightly", "", " sh010 "], None, "nightly, sh010"),
        ("sh010", None, "sh010"),
        (None, SCENE, "sh010"),
        ([], json.dumps(SCENE), "sh010"),
        (None, {"task_info": {"input_cg_file": "/mnt/a/sh010.v3.hip"}}, "sh010.v3"),
        (None, None, None),
        (None, {}, None),
        (None, "no json", None),
        (None, "/no/such/file.json", None),
        (None, {"task_info": {"input_cg_file": 7}}, None),
        (None, {"task_info": {"input_cg_file": ""}}, None),
        (["a\nb\x1b[31m\u202e"], None, "a b\ufffd[31m\ufffd"),
        (["x" * 500], None, f"{'x' * (MAX_NAME_CHARS - 1)}…"),
    ],
)
def test_shot_name_is_of_labels_or_scene(labels, task_json, name):
    assert shot_name(labels, task_json) == name


def test_shot_name_reads_file(tmp_path):
    file = tmp_path / "task.json"
    file.write_text(json.dumps(SCENE), "utf-8-sig")
    assert shot_name(None, file) == shot_name(None, str(file)) == "sh010"


def test_shot_name_does_not_wait_for_a_pipe(tmp_path):
    pipe = tmp_path / "task.json"
    os.mkfifo(pipe)
    assert shot_name(None, pipe) is None


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("name", ["sh010", "010", "10", "[1]", 'it\'s "so"', "{{ params }}", "None"])
def test_mapped_operator_shows_its_labels(name, native):
    built = mapped_context(params={"shot": name})
    assert rendered(RenderbusCreateTaskOperator, built, native, labels=["{{ params.shot }}"]) == name


def test_mapped_operator_shows_its_scene():
    assert rendered(RenderbusRenderOperator, mapped_context(), task_json=make_task_json()) == "sh010"


def test_unmapped_operator_shows_no_name():
    assert rendered(RenderbusCreateTaskOperator, mapped_context(-1), labels=["sh010"]) is None


def test_template_of_author_stays():
    built = mapped_context(map_index_template="{{ params.shot }}, mine")
    assert rendered(RenderbusCreateTaskOperator, built, labels=["other"]) == "sh010, mine"


def test_mapped_operator_by_partial_and_expand_shows_its_labels():
    with DAG("d", schedule=None) as dag:
        mapped = RenderbusCreateTaskOperator.partial(task_id="t").expand(labels=[["sh010"], ["sh020"]])
    operator = mapped.unmap({"labels": ["sh020"]})
    built = mapped_context(1)
    operator.render_template_fields(built, dag.get_template_env())
    assert shown(built) == "sh020"


@pytest.fixture
def mapped(connection):
    return mapped_context()


def test_decorated_task_shows_the_scene_of_what_its_function_returns(mapped, farm):
    with DAG("d", schedule=None):
        decorated = renderbus_task(make_task_json, deferrable=True)().operator
    with pytest.raises(TaskDeferred):
        decorated.execute(mapped)
    assert shown(mapped) == "sh010"


def test_task_sensor_shows_the_scene_of_its_render(mapped, submitted):
    sensor = RenderbusTaskSensor(task_id="wait", render_task_id=submitted, deferrable=True)
    with pytest.raises(TaskDeferred):
        sensor.execute(mapped)
    assert shown(mapped) == "sh010"


@pytest.mark.parametrize("deferrable", [True, False])
def test_submit_that_waits_shows_the_scene_of_its_render(mapped, created, farm, hook_sleeps, deferrable):
    hook_sleeps(farm.advance)

    def make():
        return RenderbusSubmitTaskOperator(
            task_id="submit",
            render_task_id=created,
            wait_for_completion=True,
            deferrable=deferrable,
            poll_interval=0.02 if deferrable else STEP,
        )

    result = run_to_completion(farm, make, mapped)
    assert shown(mapped) == "sh010"
    resumed = mapped_context()
    sensor = RenderbusTaskSensor(task_id="wait", render_task_id=created)
    sensor.execute_complete(resumed, WaitResult(Outcome.SUCCEEDED, "done", [result]).to_dict())
    assert (shown(resumed), result["scene"]) == ("sh010", "sh010.blend")
