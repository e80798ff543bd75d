"""A finished render tells the DAGs that are scheduled by its Asset what there is."""

from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.airflow.context import context

pytestmark = pytest.mark.usefixtures("connection")
BEAUTY = Asset("renderbus://shots/sh010/beauty")


class Events(dict):
    """Airflow's events of outlets: one for each Asset, which on 3.0 is no key of a dict."""

    def __getitem__(self, asset):
        return self.setdefault(asset.uri, SimpleNamespace(extra={}))


@pytest.mark.parametrize("kind", ["operator", "sensor"])
def test_the_event_holds_number_frames_cost_and_outputs(kind, farm, submitted):
    options = {"task_id": "render", "render_task_id": submitted, "outlets": [BEAUTY]}
    if kind == "operator":
        task = RenderbusSubmitTaskOperator(wait_for_completion=True, **options)
    else:
        task = RenderbusTaskSensor(**options)
    farm.advance(3600)
    events = Events()
    result = task.execute({**context(), "outlet_events": events})
    (event,) = events.values()
    assert event.extra == {
        name: result[name]
        for name in ("render_task_id", "state", "frames", "cost", "output_folders", "console_url")
    }
    assert event.extra["output_folders"] == [f"{submitted}_sh010"]
