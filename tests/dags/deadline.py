"""The deadline alert of docs/report.md, due a second after a run was queued that waits without end."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, DeadlineAlert, DeadlineReference

from airflow_provider_renderbus.sensors import RenderbusFundsSensor

TEXT = Path(os.environ["PYTHONPATH"], "docs", "report.md").read_text("utf-8")
(RECIPE,) = (
    snippet
    for snippet in re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    if "DeadlineAlert(" in snippet
)
names: dict = {}
exec(RECIPE, names)
recipe = names["not_done"]
assert recipe.interval == timedelta(hours=6)
soon = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(seconds=1), callback=recipe.callback
)

with DAG("late_night", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), deadline=soon):
    RenderbusFundsSensor(task_id="funds", min_funds=1_000_000, deferrable=True)
