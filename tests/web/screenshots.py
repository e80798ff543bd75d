"""Creates the pictures of docs/frame-wall.md: ``python -m tests.web.screenshots``. Needs Chromium.

It starts an API server of Airflow, and takes half a minute.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from PIL import Image

from airflow_provider_renderbus.farm import ManualClock
from dev.harness.embedded_farm import StockedFarm
from tests.farm.browser import chromium
from tests.farm.raw_client import STOP, RawClient, job, maya_job
from tests.web.test_airflow_browser import wait_for
from tests.web.wall_testbed import DAG_ID, wall_airflow

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SIZE = {"width": "320", "height": "180"}
INNER = "document.querySelector('iframe')?.contentDocument"
RUN = f"dags/{DAG_ID}/runs/2026-11-28"
DAGS = """
from datetime import datetime
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow_provider_renderbus.sensors import RenderbusTaskSensor

with DAG("night", schedule=None, start_date=datetime(2026, 1, 1)):
    lobby = RenderbusTaskSensor(task_id="lobby", render_task_id=1, max_cost=40)
    shots = RenderbusTaskSensor(task_id="shots", render_task_id=1, max_cost=40)
    [lobby, shots] >> EmptyOperator(task_id="composite")
"""


def submit_renders(client):
    """Submit renders that end in different states; return their ids."""
    farm = client.farm
    layers = maya_job(("beauty", "colour", "shadow", "depth"), "1-24[1]")
    for layer in layers["scene_info_render"].values():
        layer["common"].update(SIZE)
    renders = [
        client.submit(job("sh010.blend", "1-24[1]", **SIZE)),
        client.submit(job("lobby_v012.blend", "1-40[1]", **SIZE)),
        client.submit(layers),
    ]
    farm.advance(700)
    stopped = client.submit(job("sh050.blend", "1-48[1]", **SIZE))
    farm.advance(260)
    renders += [client.submit(job("sh030.blend", "1-96[1]", **SIZE)), stopped]
    client.call(STOP, taskIds=[stopped])
    farm.advance(1_000)
    return renders


def screenshot(browser, url, conditions, *clicks):
    """Open a page, wait for what it shows in its tab, click there, and return a picture."""
    browser.open("about:blank")
    browser.open(url)
    for condition, click in zip(conditions, [*clicks, None], strict=True):
        wait_for(browser, condition)
        if click:
            browser.evaluate(f"{INNER}.querySelector('{click}').click()")
    time.sleep(1.5)  # for transitions
    return browser.screenshot()


def save(picture, name):
    """Write a small PNG."""
    small = picture.resize((picture.width * 5 // 6, picture.height * 5 // 6), Image.Resampling.LANCZOS)
    small.quantize(256).save(PICTURES / name, optimize=True)


def main():
    """Create the pictures."""
    scenario = {"renders": [{"scene": "lobby*", "fail_frames": "5,11"}]}
    with (
        tempfile.TemporaryDirectory() as folder,
        StockedFarm(Path(folder) / "farm", ManualClock(time.time() - 2_000), scenario=scenario) as farm,
        wall_airflow(
            Path(folder) / "airflow", {"renderbus_default": farm.connection()}, dags=DAGS
        ) as airflow,
        chromium(f"{folder}/chromium") as browser,
    ):
        renders = submit_renders(RawClient(farm))
        airflow.add_run("2026-11-28", {"shots": renders, "lobby": renders[1:2]})
        token = airflow.token("admin")
        browser.send_command("Network.setCookie", name="_token", value=token, url=airflow.url)
        browser.set_size(1440, 860)
        browser.open(f"{airflow.url}/")
        browser.evaluate("localStorage.setItem('theme', 'light')")
        run = screenshot(
            browser,
            f"{airflow.url}/{RUN}/plugin/renderbus-frames-dag-run",
            [f"{INNER}?.querySelectorAll('.poster img').length === 5"],
        )
        save(run, "frame-wall-run.png")
        browser.evaluate("localStorage.setItem('theme', 'dark')")
        frames = screenshot(
            browser,
            f"{airflow.url}/{RUN}/tasks/lobby/plugin/renderbus-frames-task-instance",
            [
                f"{INNER}?.querySelectorAll('.has-picture').length > 10",
                f"{INNER}.querySelector('.panel pre')",
            ],
            ".tile.failed",
        )
        save(frames, "frame-wall.png")


if __name__ == "__main__":
    main()
