"""The operator that asks whether a render continues, on the farm. Its page is in test_approval_browser.py."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.compat import AirflowFailException
from tests.airflow.context import TaskInstance
from tests.airflow_version import HAS_APPROVAL
from tests.scenes import make_task_json

if HAS_APPROVAL:
    from airflow_provider_renderbus.operators import RenderbusApproveFramesOperator

pytestmark = pytest.mark.usefixtures("connection")
needs_approval = pytest.mark.skipif(not HAS_APPROVAL, reason="asking a user needs Airflow 3.1")
IMPORT = "from airflow_provider_renderbus.operators import RenderbusApproveFramesOperator"


@pytest.mark.skipif(HAS_APPROVAL, reason="this line can ask a user")
def test_import_on_an_older_line_says_what_is_needed():
    failed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORT], capture_output=True, text=True, check=False
    )
    assert failed.returncode != 0
    assert (
        "RenderbusApproveFramesOperator must have Airflow 3.1 or later with "
        "apache-airflow-providers-standard, got Airflow "
    ) in failed.stderr.splitlines()[-1]


@pytest.fixture
def paused(farm, client):
    """The id of a render that pauses after two of eight frames."""
    render_task_id = client.send(calls.create_task()).ids[0]
    job = make_task_json(frames="1-8[1]")
    job["task_info"] |= {"pre_frames": "101", "stop_after_test": "1"}
    client.send(calls.upload_task_json(render_task_id, json.dumps(job)))
    client.send(calls.submit_task(render_task_id))
    farm.advance(400)
    return render_task_id


@pytest.fixture
def ask(monkeypatch):
    """Executes the operator until it waits for an answer, and returns its question."""

    def ask(render_task_id, **options):
        asked = {}

        class Waiting(BaseException):
            pass

        def upsert(**question):
            asked.update(question)
            raise Waiting

        monkeypatch.setattr("airflow.providers.standard.operators.hitl.upsert_hitl_detail", upsert)
        instance = TaskInstance()
        instance.id = "7b0e"
        operator = RenderbusApproveFramesOperator(task_id="approve", render_task_id=render_task_id, **options)
        with pytest.raises(Waiting):
            operator.execute({"ti": instance, "task_instance": instance, "task": SimpleNamespace()})
        return asked, instance

    return ask


@needs_approval
def test_question_has_cost_and_what_approve_spends_for_two_requests(ask, paused, farm):
    before = farm.request_counts.copy()
    asked, instance = ask(str(paused), max_cost="0.05", body="Look at the *shadow*.")
    sent = farm.request_counts - before
    assert sent == {"query_task_info": 1, "query_task_frames": 1}
    assert asked["subject"] == "Render the other frames of sh010?"
    assert asked["options"] == ["Approve", "Reject"]
    assert asked["body"].startswith(
        f"Look at the *shadow*.\n\nsh010 pauses after 2 of 8 frames: [render {paused}](<http"
    )
    assert "**Approve spends** | **0.1" in asked["body"]
    assert "| max\\_cost | 0.05 **is below the forecast** |" in asked["body"]
    assert f"![1](<renderbus/dags/night/runs/run/tasks/render/-1/leaves/{paused}/frames/" in asked["body"]
    assert instance.pushed["renderbus_render_task_ids"] == [paused]
    assert str(paused) in instance.pushed["renderbus_task_link"]


@needs_approval
def test_question_keeps_its_own_subject(ask, paused):
    asked, _ = ask(paused, subject="Good?", options=["Approve", "Reject", "Again"], defaults="Reject")
    assert (asked["subject"], asked["options"][2], asked["defaults"]) == ("Good?", "Again", ["Reject"])


@needs_approval
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_cost": "much"}, "max_cost: must be a finite number, got 'much'"),
        ({"max_cost": 0}, "max_cost: must be an amount above 0, got 0"),
        ({"render_task_id": "x"}, "render_task_id: must be a task id"),
        ({"render_task_id": 99}, "99"),
    ],
)
def test_wrong_argument_asks_nothing(paused, options, message):
    operator = RenderbusApproveFramesOperator(task_id="approve", **{"render_task_id": paused, **options})
    instance = TaskInstance()
    with pytest.raises(AirflowFailException, match=message):
        operator.execute({"ti": instance, "task_instance": instance})


@needs_approval
def test_render_that_is_not_paused_is_not_asked_about(paused, client):
    client.send(calls.full_speed([paused]))
    operator = RenderbusApproveFramesOperator(task_id="approve", render_task_id=paused)
    instance = TaskInstance()
    with pytest.raises(
        AirflowFailException, match=r"RENDERING, 2 of 8 .* must be paused .* nothing was asked"
    ):
        operator.execute({"ti": instance, "task_instance": instance})
