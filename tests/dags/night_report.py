"""A night in which renders end in different ways, and its report. The report task writes it to a file."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from airflow_provider_renderbus.compat import dag, task
from airflow_provider_renderbus.operators import (
    RenderbusAbandonTaskOperator,
    RenderbusCreateTaskOperator,
    RenderbusFullSpeedOperator,
    RenderbusRenderOperator,
    RenderbusSubmitTaskOperator,
    RenderbusUploadTaskJsonOperator,
)
from airflow_provider_renderbus.reports import collect_results, report
from airflow_provider_renderbus.sensors import RenderbusTaskSensor
from airflow_provider_renderbus.task_json import build_task_json

# By shot: its frames, min_funds and max_cost.
LIMITS = {
    "sh010": ("1-4", 1, 100),
    "sh020": ("1-4", 1, 100),
    "sh030": ("1-4", 100_000, 100),
    "sh040": ("1-200", 1, "0.02"),
}
HOSTILE = "<b>sh070</b> | *x*"


def task_json_of(shot: str, frames: str = "1-4", **options) -> dict:
    return build_task_json(
        software="Blender",
        version="4.2",
        scene=f"D:/projects/{shot}.blend",
        frames=frames,
        width=320,
        height=180,
        image_format="PNG",
        **options,
    )


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))
def night_report():
    renders = RenderbusRenderOperator.partial(task_id="shot", deferrable=True).expand_kwargs(
        [
            {"task_json": task_json_of(shot, frames), "min_funds": min_funds, "max_cost": max_cost}
            for shot, (frames, min_funds, max_cost) in LIMITS.items()
        ]
    )

    # sh050 is rejected after its test frames.
    create = RenderbusCreateTaskOperator(task_id="create", labels=["sh050"])
    upload = RenderbusUploadTaskJsonOperator(
        task_id="upload",
        render_task_id=create.output,
        task_json=task_json_of("sh050", test_frames="100", pause_after_test_frames=True),
    )
    test_frames = RenderbusSubmitTaskOperator(
        task_id="test_frames",
        render_task_id=create.output,
        wait_for_completion=True,
        on_test_frames_done="succeed",
    )
    reject = task.branch(lambda: "abandon", task_id="approve")()
    abandon = RenderbusAbandonTaskOperator(task_id="abandon", render_task_id=create.output)
    full_speed = RenderbusFullSpeedOperator(task_id="full_speed", render_task_id=create.output)
    wait = RenderbusTaskSensor(task_id="wait", render_task_id=create.output)
    upload >> test_frames >> reject >> [abandon, full_speed]
    full_speed >> wait

    # sh060 is never submitted, since its scene could not be published.
    @task
    def publish():
        raise RuntimeError("no disk space")

    late = RenderbusRenderOperator(task_id="sh060", task_json=task_json_of("sh060"))
    publish() >> late

    # The task of sh070 fails without a record of why, like one that is killed.
    class Killed(RenderbusRenderOperator):
        def wait_for_render(self, context, render_task_id, *, reattached):
            raise SystemExit("killed")

    killed = Killed(task_id="sh070", task_json=task_json_of("sh070"), labels=[HOSTILE])

    @task(trigger_rule="all_done")
    def morning_report():
        results = collect_results()
        frames = Path(os.environ["FRAMES_FOLDER"])
        pictures = {
            result["render_task_id"]: next((frames / folder).glob("*.png"))
            for result in results
            for folder in result.get("output_folders", ())[:1]
            if (frames / folder).is_dir()
        }
        made = report(results, title="Night of 28 November", thumbnails=pictures)
        file = Path(os.environ["REPORT_FILE"])
        file.with_suffix(".html").write_text(made.html, "utf-8")
        file.with_suffix(".md").write_text(made.markdown, "utf-8")
        file.with_suffix(".txt").write_text(made.text, "utf-8")
        file.write_text(json.dumps(results), "utf-8")

    [renders, abandon, wait, late, killed] >> morning_report()


night_report()
