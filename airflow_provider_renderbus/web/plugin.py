"""The plugin of the frame wall: a tab "Frames" on task instances and DAG runs, from Airflow 3.1.

Airflow loads it in every process, also in those of tasks, so it imports nothing of the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.compat import HAS_PAGES, AirflowPlugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Scope]]
    Send = Callable[[Scope], Awaitable[None]]

_RUN_URL = "renderbus/dags/{DAG_ID}/runs/{RUN_ID}"
_TASK_URL = f"{_RUN_URL}/tasks/{{TASK_ID}}/{{MAP_INDEX}}"


class LazyApp:
    """An ASGI application that is imported at its first request."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the application."""
        if self._app is None:
            from airflow_provider_renderbus.web.server import create_app

            self._app = create_app()
        await self._app(scope, receive, send)


class RenderbusPlugin(AirflowPlugin):  # type: ignore[misc]  # its module depends on the line
    """Adds the frame wall to Airflow's API server and its tabs to the UI."""

    name = "renderbus"
    if HAS_PAGES:
        fastapi_apps: list[Any] = [{"name": "Renderbus frames", "app": LazyApp(), "url_prefix": "/renderbus"}]
        external_views: list[Any] = [
            {
                "name": "Frames",
                "href": url,
                "destination": destination,
                "icon": "renderbus/static/frames.svg",
                "url_route": f"renderbus-frames-{destination.replace('_', '-')}",
            }
            for destination, url in (("task_instance", _TASK_URL), ("dag_run", _RUN_URL))
        ]
