"""The web application of the frame wall, which Airflow's API server mounts.

The paths are in the docstring of the package. Files below ``static/`` are the same for everybody and hold no
data, so they need no login.
"""

from __future__ import annotations

import hashlib
import html
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.configuration import conf
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from airflow_provider_renderbus import __version__
from airflow_provider_renderbus.web.airflow_reads import TaskKey
from airflow_provider_renderbus.web.local_pictures import local_pictures
from airflow_provider_renderbus.web.pictures import HAS_PILLOW, NO_PILLOW
from airflow_provider_renderbus.web.wall import Wall

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

STATIC_FOLDER = Path(__file__).parent / "static"
STATIC_FILES = {
    "wall.css": "text/css",
    **{f"{name}.js": "text/javascript" for name in ("wall", "list", "detail", "renders", "grid", "dom")},
    "frames.svg": "image/svg+xml",
}
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NO_STORE, CACHED = "no-store", "private, max-age=3600"
MAX_SINCE_CHARS = 1_000
DEFAULT_INTERVAL, MIN_INTERVAL = 10.0, 1.0
_RUN = "/dags/{dag_id}/runs/{run_id}"
_TASK = f"{_RUN}/tasks/{{task_id}}/{{map_index}}"
_LEAF = f"{_TASK}/leaves/{{leaf_id}}"


def _dag_id(dag_id: str) -> str:
    """Return the id of one DAG: "~" stands for any DAG in Airflow's checks."""
    if dag_id == "~":
        raise HTTPException(404, "no such DAG")
    return dag_id


def _task_key(task_id: str, map_index: str) -> TaskKey:
    """Return the Airflow task of a path. Airflow leaves ``{MAP_INDEX}`` as it is if it is not mapped."""
    is_index = map_index.isascii() and map_index.isdigit() and len(map_index) <= len(str(2**31))
    return TaskKey(task_id, int(map_index) if is_index else -1)


DagId = Annotated[str, Depends(_dag_id)]
Task = Annotated[TaskKey, Depends(_task_key)]
_READ = (DagAccessEntity.TASK_INSTANCE, DagAccessEntity.XCOM)


def _router(wall: Wall, requires_access: Callable[[Any, DagAccessEntity], Any]) -> APIRouter:
    # Each checks the user's permission on the DAG in the path.
    router = APIRouter(dependencies=[Depends(requires_access("GET", entity)) for entity in _READ])
    may_read_logs = Depends(requires_access("GET", DagAccessEntity.TASK_LOGS))
    page_html = {depth: _page_html(depth) for depth in (4, 7)}

    @router.get(_RUN, dependencies=[Depends(_dag_id)])
    async def run_page() -> Response:
        return _response("text/html; charset=utf-8", page_html[4], NO_STORE)

    @router.get(_TASK, dependencies=[Depends(_dag_id)])
    async def task_page() -> Response:
        return _response("text/html; charset=utf-8", page_html[7], NO_STORE)

    @router.get(f"{_RUN}/renders")
    async def run_renders(dag_id: DagId, run_id: str) -> Response:
        return _json(await wall.renders(dag_id, run_id))

    @router.get(f"{_TASK}/renders")
    async def task_renders(dag_id: DagId, run_id: str, task: Task) -> Response:
        return _json(await wall.renders(dag_id, run_id, task))

    @router.get(f"{_LEAF}/frames")
    async def frames(
        dag_id: DagId,
        run_id: str,
        task: Task,
        leaf_id: int,
        since: Annotated[str, Query(max_length=MAX_SINCE_CHARS)] = "",
    ) -> Response:
        leaf = await wall.leaf(dag_id, run_id, task, leaf_id)
        return _response("application/json", leaf.frames.to_json(since), NO_STORE)

    @router.get(f"{_LEAF}/frames/{{frame_id}}.jpg")
    async def picture(dag_id: DagId, run_id: str, task: Task, leaf_id: int, frame_id: int) -> Response:
        _require_pillow()
        return _jpeg(await wall.picture(dag_id, run_id, task, leaf_id, frame_id))

    @router.get(f"{_LEAF}/poster.jpg")
    async def poster(dag_id: DagId, run_id: str, task: Task, leaf_id: int) -> Response:
        _require_pillow()
        return _jpeg(await wall.poster(dag_id, run_id, task, leaf_id))

    @router.get(f"{_LEAF}/sprites/{{number}}")
    async def sprite(dag_id: DagId, run_id: str, task: Task, leaf_id: int, number: int) -> Response:
        _require_pillow()
        sprite = await wall.sprite(dag_id, run_id, task, leaf_id, number)
        response = _jpeg(sprite.jpeg, CACHED if sprite.is_final else NO_STORE)
        response.headers["Renderbus-Pictures"] = "".join("1" if each else "0" for each in sprite.has_picture)
        response.headers["Renderbus-Complete"] = "1" if sprite.is_complete else "0"
        return response

    @router.get(f"{_LEAF}/frames/{{frame_id}}/log", dependencies=[may_read_logs])
    async def log(dag_id: DagId, run_id: str, task: Task, leaf_id: int, frame_id: int) -> Response:
        return _json({"log": await wall.log(dag_id, run_id, task, leaf_id, frame_id)})

    return router


def create_app(
    wall: Wall | None = None, requires_access: Callable[[Any, DagAccessEntity], Any] = requires_access_dag
) -> FastAPI:
    """Return the application.

    :param wall: what it shows; by default that of this Airflow.
    :param requires_access: returns the dependency that checks a user's access to a DAG.
    """
    if wall is None:
        interval = conf.getfloat("renderbus", "frames_interval", fallback=DEFAULT_INTERVAL)
        folder, roots = (
            conf.get("renderbus", name, fallback="") for name in ("thumbnails_folder", "frames_roots")
        )
        wall = Wall(max(MIN_INTERVAL, interval), time.time, local=local_pictures(folder, roots))
    app = FastAPI(title="Renderbus frames", openapi_url=None, redirect_slashes=False)
    app.include_router(_router(wall, requires_access))

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in STATIC_FILES:
            raise HTTPException(404, "no such file")
        return _response(STATIC_FILES[name], (STATIC_FOLDER / name).read_bytes(), CACHED)

    app.add_exception_handler(StarletteHTTPException, _error_response)
    app.add_middleware(_SecurityHeaders)
    return app


class _SecurityHeaders:
    """Adds the security headers to each response."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Any]) -> None:
        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _error_response(request: Request, error: Exception) -> Response:
    """Return an error as a short page if a browser shows it, else as JSON."""
    status = getattr(error, "status_code", 500)
    detail = str(getattr(error, "detail", "error"))
    if "text/html" not in request.headers.get("accept", ""):
        response = _json({"detail": detail})
    else:
        texts = {401: "Please log in to Airflow.", 403: "You may not read the renders of this DAG."}
        text = html.escape(texts.get(status, detail))
        page = f"<!doctype html><html lang=en><title>Frames</title><p role=alert>{text}</p></html>"
        response = _response("text/html; charset=utf-8", page.encode(), NO_STORE)
    response.status_code = status
    return response


def _page_html(depth: int) -> bytes:
    """Return the page, which is the same for all renders.

    :param depth: the number of parts of its path below the application.
    """
    digest = hashlib.sha256()
    for name in STATIC_FILES:
        digest.update((STATIC_FOLDER / name).read_bytes())
    text = (STATIC_FOLDER / "wall.html").read_text("utf-8")
    root = "../" * (depth - 1)
    values = {
        "root": root,
        "version": f"{__version__}-{digest.hexdigest()[:8]}",
        "no_pictures": "" if HAS_PILLOW else html.escape(NO_PILLOW),
    }
    for name, value in values.items():
        text = text.replace(f"{{{{ {name} }}}}", value)
    return text.encode()


def _require_pillow() -> None:
    if not HAS_PILLOW:
        raise HTTPException(404, NO_PILLOW)


def _jpeg(body: bytes, cache_control: str = CACHED) -> Response:
    response = _response("image/jpeg", body, cache_control)
    # Another user of the same browser may not be allowed to see it.
    response.headers["Vary"] = "Authorization, Cookie"
    return response


def _json(value: Any) -> Response:
    return _response("application/json", json.dumps(value).encode(), NO_STORE)


def _response(content_type: str, body: bytes, cache_control: str) -> Response:
    return Response(body, media_type=content_type, headers={"Cache-Control": cache_control})
