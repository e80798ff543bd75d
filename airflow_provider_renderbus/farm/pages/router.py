"""Routes GET requests to pages, pictures, static files and the storage's location, with security headers."""

from __future__ import annotations

import re
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from airflow_provider_renderbus.farm.pages import farm_page, task_page
from airflow_provider_renderbus.farm.storage import location
from airflow_provider_renderbus.farm.storage.confined_folder import ConfinedFolder, PathNotAllowed, split_path

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.simulation.simulation import Simulation
    from airflow_provider_renderbus.farm.simulation.tasks import Task

    Response = tuple[int, dict[str, str], bytes]

STATIC_FOLDER = Path(__file__).parent
STATIC_FILES = {"farm.css": "text/css", "farm.js": "text/javascript", "farm.svg": "image/svg+xml"}
_TASK_PATH = re.compile(r"/task/([1-9][0-9]{0,17})(?:/(thumbnail|frame|tile)/(.+))?")
# What `loadingFrameThumbnail` returns.
_THUMBNAIL_PATH = re.compile(r"/(([1-9][0-9]{0,17})(?:_[^/]*)?)/([^/]+)")
# Only resources of the farm itself; no inline scripts or styles.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NOT_FOUND: Response = 404, {"Content-Type": "text/plain", **HEADERS}, b"not found\n"
LOCAL_NAMES = ("127.0.0.1", "localhost")
"""Names of the loopback interface."""
NO_STORE, CACHED = "no-store", "private, max-age=3600"


class Router:
    """Responds to the requests of browsers, and to the transfer command.

    :param simulation: the simulation of the farm.
    :param host: address that the farm listens on. On the loopback interface the Host header must be a name of
        the loopback interface, which prevents DNS rebinding by other sites.
    """

    def __init__(self, simulation: Simulation, host: str) -> None:
        self._simulation = simulation
        self._allowed_hosts = LOCAL_NAMES if host in LOCAL_NAMES else ()

    def respond(self, target: str, host: str) -> Response:
        """Respond to a GET request.

        :param target: path and query of the URL.
        :param host: value of the ``Host`` header.
        :return: HTTP status, headers and body.
        """
        if self._allowed_hosts and host.partition(":")[0].lower() not in self._allowed_hosts:
            return NOT_FOUND
        target_path, _, query = target.partition("?")
        if target_path == location.PATH:
            answer = location.build_answer(self._simulation.storage.root)
            return _response("application/json", NO_STORE, answer)
        return self._page(target_path, query)

    def _page(self, target_path: str, query: str) -> Response:
        path, page_number = unquote(target_path), _page_number(query)
        if path == "/":
            with self._simulation.lock:
                farm = farm_page.build_view(self._simulation, page_number)
            return _html_response(farm_page.render(farm)) if farm else NOT_FOUND
        folder, _, name = path.removeprefix("/").partition("/")
        if folder == "static" and name in STATIC_FILES:
            return _response(STATIC_FILES[name], NO_STORE, (STATIC_FOLDER / name).read_bytes())
        return self._task_response(path, page_number)

    def _task_response(self, path: str, page_number: int) -> Response:
        """Respond with the page of a task, or with a picture of one of its frames."""
        thumbnail = _THUMBNAIL_PATH.fullmatch(path)
        match = _TASK_PATH.fullmatch(path)
        task_id = thumbnail[2] if thumbnail else match[1] if match else "0"
        task = self._simulation.tasks.get(int(task_id))
        if not task or task.deleted or (thumbnail and thumbnail[1] != task.output_folder):
            return NOT_FOUND
        if thumbnail:
            return self._picture(task, "thumbnail", thumbnail[3])
        if match and match[2]:
            return self._picture(task, match[2], match[3])
        with self._simulation.lock:
            view = task_page.build_view(self._simulation, task, page_number)
            self._simulation.evict()
        return _html_response(task_page.render(view)) if view else NOT_FOUND

    def _picture(self, task: Task, folder_name: str, file_name: str) -> Response:
        """Respond with a picture of a frame. Only images in the folder of the task are served."""
        storage = self._simulation.storage
        folders = {"thumbnail": storage.thumbnails, "frame": storage.output, "tile": storage.tiles}
        content_type = "image/jpeg" if folder_name == "thumbnail" else guess_type(file_name)[0] or ""
        if not content_type.startswith("image/"):
            return NOT_FOUND
        try:
            with ConfinedFolder(folders[folder_name]) as folder:
                body = folder.read((task.output_folder, *split_path(file_name)))
        except (OSError, PathNotAllowed):
            return NOT_FOUND
        return _response(content_type, CACHED, body)


def _html_response(body: bytes) -> Response:
    return _response("text/html; charset=utf-8", NO_STORE, body)


def _response(content_type: str, cache_control: str, body: bytes) -> Response:
    return 200, {"Content-Type": content_type, "Cache-Control": cache_control, **HEADERS}, body


def _page_number(query: str) -> int:
    (text,) = parse_qs(query).get("page", ["1"])[:1]
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0
