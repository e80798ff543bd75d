"""RenderbusStopLeftoversOperator stops what runs without its Airflow task, and nothing else."""

from datetime import timedelta

import pytest

from airflow_provider_renderbus.compat import AirflowException, AirflowFailException, TaskDeferred
from airflow_provider_renderbus.operators.leftovers import RenderbusStopLeftoversOperator
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from tests.airflow.context import TaskInstance, context
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection", "no_stop_poll_interval")


@pytest.fixture
def rendering():
    """Returns the id of a render whose Airflow task is deferred, in a run."""

    def rendering(run_id, map_index=-1):
        values = context()
        values["ti"] = TaskInstance()
        values["ti"].run_id, values["ti"].map_index = run_id, map_index
        operator = RenderbusRenderOperator(
            task_id="render", task_json=make_task_json(), deferrable=True, poll_interval=60
        )
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute(values)
        return deferred.value.trigger.render_task_ids[0]

    return rendering


@pytest.fixture
def airflow_states(monkeypatch):
    """Sets the states of the task instances of the DAG "night" in Airflow."""

    def airflow_states(states):
        monkeypatch.setattr(
            "airflow_provider_renderbus.operators.leftovers.states_of_dag",
            lambda dag_id: states if dag_id == "night" else {},
        )

    return airflow_states


def stop_leftovers(**options):
    # The clock of the embedded farm stands still, in the past.
    options = {"dag_ids": ["night"], "max_age": timedelta(days=3650), **options}
    return RenderbusStopLeftoversOperator(task_id="stop", **options).execute(context())


def test_only_renders_of_ended_tasks_are_stopped(rendering, airflow_states, submitted, state, connection):
    failed, mapped, waiting, unknown = (
        rendering("failed"),
        rendering("ended", 3),
        rendering("active"),
        rendering("deleted"),
    )
    airflow_states(
        {"failed": {"render": "failed"}, "ended": {"render_3": "success"}, "active": {"render": "deferred"}}
    )
    found = {each["render_task_id"]: each for each in stop_leftovers()}
    assert found.keys() == {failed, mapped}
    assert found[mapped]["console_url"] == connection["extra"]["console_url"].format(render_task_id=mapped)
    assert [state(each) for each in (failed, mapped)] == ["STOP", "STOP"]
    assert "STOP" not in [state(each) for each in (waiting, unknown, submitted)]


def test_report_stops_nothing(rendering, airflow_states, farm, caplog):
    failed = rendering("failed")
    airflow_states({"failed": {"render": "failed"}})
    (found,) = stop_leftovers(stop=False)
    assert (found["render_task_id"], found["state"]) == (failed, "failed")
    assert farm.request_counts["stop_task"] == 0


def test_no_leftovers_return_an_empty_list(rendering, airflow_states):
    rendering("active")
    airflow_states({"active": {"render": "running"}})
    assert stop_leftovers() == []


def test_stop_that_is_not_confirmed_fails_and_names_the_render(rendering, airflow_states, farm):
    failed = rendering("failed")
    airflow_states({"failed": {"render": "failed"}})
    farm.inject("status", status=503, calls=["stop_task"])
    with pytest.raises(AirflowException, match=f"render {failed} could not be stopped"):
        stop_leftovers()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("stop", value) for value in ("false", 0, None)),
        *(("max_age", value) for value in (14, None, "14 days", timedelta(0), timedelta(-1), timedelta.max)),
    ],
)
def test_wrong_argument_is_refused_at_parse(name, value):
    with pytest.raises(ValueError, match=f"^{name}: must be "):
        RenderbusStopLeftoversOperator(task_id="stop", dag_ids=["night"], **{name: value})


@pytest.mark.parametrize("dag_ids", [[], "night", None, [5], {"night": 1}, [""], b"night"])
def test_dag_ids_that_are_no_list_of_texts_fail(dag_ids, farm):
    operator = RenderbusStopLeftoversOperator(task_id="stop", dag_ids=dag_ids)
    with pytest.raises(AirflowFailException, match="dag_ids: must be"):
        operator.execute(context())
    assert not farm.request_counts
