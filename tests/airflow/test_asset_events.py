"""A finished render adds its result to the event of its Asset."""

from types import SimpleNamespace

import pytest

from airflow_provider_renderbus.compat import Asset
from airflow_provider_renderbus.operators.tasks import RenderbusSubmitTaskOperator
from airflow_provider_renderbus.sensors.tasks import RenderbusTaskSensor
from tests.airflow.context import context

pytestmark = pytest.mark.usefixtures("connection")
BEAUTY = Asset("renderbus://shots/sh010/beauty")


class OutletEvents(dict):
    """Airflow's outlet events: one per Asset, which is not hashable on 3.0."""

    def __getitem__(self, asset):
        return self.setdefault(asset.uri, SimpleNamespace(extra={}))


@pytest.mark.parametrize("kind", ["operator", "sensor"])
def test_asset_event_has_id_frames_cost_and_outputs(kind, farm, submitted):
    options = {"task_id": "render", "render_task_id": submitted, "outlets": [BEAUTY]}
    if kind == "operator":
        task = RenderbusSubmitTaskOperator(wait_for_completion=True, **options)
    else:
        task = RenderbusTaskSensor(**options)
    farm.advance(3600)
    events = OutletEvents()
    result = task.execute({**context(), "outlet_events": events})
    (event,) = events.values()
    assert event.extra == {
        name: result[name]
        for name in ("render_task_id", "state", "frames", "cost", "output_folders", "layers", "console_url")
    }
    assert event.extra["output_folders"] == [f"{submitted}_sh010"]
