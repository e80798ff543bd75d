"""Serves the frame wall without Airflow: the pages of DAG runs whose tasks are given, for everybody."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from dev.harness.embedded_farm import settings_of
from dev.harness.processes import free_port

with warnings.catch_warnings():
    # Airflow's API server itself imports what is deprecated.
    warnings.simplefilter("ignore")
    from airflow_provider_renderbus.web.airflow_reads import RenderTask, TaskKey
    from airflow_provider_renderbus.web.server import create_app
    from airflow_provider_renderbus.web.wall import Wall

DAG_ID = "night"


def render_task(task_id, ids, map_index=-1, **fields):
    """An Airflow task that waits for renders."""
    values = {
        "label": "",
        "state": "deferred",
        "is_finished": False,
        "changed_at": 0.0,
        "conn_id": "renderbus_default",
        "max_cost": None,
    }
    return RenderTask(key=TaskKey(task_id, map_index), render_task_ids=tuple(ids), **{**values, **fields})


class PageServer:
    """A running server; ``runs`` holds the tasks of each run by its id."""

    def __init__(self, farm, interval=1.0):
        self.runs = {}
        self.port = free_port()
        self.wall = Wall(interval, time.time, self.read, lambda _: settings_of(farm.connection()))
        app = FastAPI()
        app.mount("/renderbus", create_app(self.wall, lambda _method, _entity: lambda: None))
        config = uvicorn.Config(app, port=self.port, log_level="error", lifespan="off", access_log=False)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()))

    async def serve(self):
        """Serve until `should_exit` of the server is set."""
        await self.server.serve()
        await self.wall.close()

    def read(self, _dag_id, run_id, task):
        tasks = self.runs.get(run_id)
        if tasks is None or task is None:
            return tasks
        return [each for each in tasks if each.key == task]

    def page(self, run_id, task_id=None, map_index=-1):
        """Return the URL of a page."""
        task = f"/tasks/{task_id}/{map_index}" if task_id else ""
        return f"http://127.0.0.1:{self.port}/renderbus/dags/{DAG_ID}/runs/{run_id}{task}"


@contextmanager
def page_server(farm, interval=1.0):
    """Run a server for the renders of a farm."""
    server = PageServer(farm, interval)
    server.thread.start()
    try:
        while not server.server.started:
            time.sleep(0.01)
        yield server
    finally:
        server.server.should_exit = True
        server.thread.join()
