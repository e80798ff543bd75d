"""What is answered to a browser: which page, which picture, with what headers."""

from __future__ import annotations

import re
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from airflow_provider_renderbus.farm.pages import farm_page, task_page
from airflow_provider_renderbus.farm.storage.confined_folder import ConfinedFolder, PathNotAllowed, split_path
from airflow_provider_renderbus.farm.storage.registry import LOCAL_NAMES

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.simulation.simulation import Simulation
    from airflow_provider_renderbus.farm.simulation.tasks import Task

    Response = tuple[int, dict[str, str], bytes]

STATIC_FOLDER = Path(__file__).parent
STATIC_FILES = {"farm.css": "text/css", "farm.js": "text/javascript", "farm.svg": "image/svg+xml"}
_TASK_PATH = re.compile(r"/task/([1-9][0-9]{0,17})(?:/(thumbnail|frame|tile)/(.+))?")
# Nothing but what the farm itself serves, and no script or style within a page.
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
NO_STORE, CACHED = "no-store", "private, max-age=3600"


class Router:
    """The farm's pages.

    :param life: the tasks.
    :param host: the address that the farm listens on. One that only this machine reaches answers to this
        machine's own names alone: another site could have its name lead here, to read in its visitor's place.
    """

    def __init__(self, life: Simulation, host: str) -> None:
        self._life = life
        self._allowed_hosts = LOCAL_NAMES if host in LOCAL_NAMES else ()

    def respond(self, target: str, host: str) -> Response:
        """Answer a GET request.

        :param target: path and query of the URL, as the request has them.
        :param host: the header ``Host``: the name that the browser was led here by, and the port.
        :return: HTTP status, headers and body.
        """
        if self._allowed_hosts and host.partition(":")[0].lower() not in self._allowed_hosts:
            return NOT_FOUND
        url = urlsplit(target)
        path, current = unquote(url.path), _page_number(url.query)
        if path == "/":
            with self._life.lock:
                farm = farm_page.build_view(self._life, current)
            return _html_response(farm_page.render(farm)) if farm else NOT_FOUND
        folder, _, name = path.removeprefix("/").partition("/")
        if folder == "static" and name in STATIC_FILES:
            return _response(STATIC_FILES[name], NO_STORE, (STATIC_FOLDER / name).read_bytes())
        match = _TASK_PATH.fullmatch(path)
        task = self._life.tasks.get(int(match[1])) if match else None
        if not match or not task or task.deleted:
            return NOT_FOUND
        if match[2]:
            return self._picture(task, match[2], match[3])
        with self._life.lock:
            view = task_page.build_view(self._life, task, current)
            self._life.evict()
        return _html_response(task_page.render(view)) if view else NOT_FOUND

    def _picture(self, task: Task, kind: str, name: str) -> Response:
        """Answer with the picture of a frame: a file of the task's own folder, and nothing but a picture."""
        storage = self._life.storage
        roots = {"thumbnail": storage.thumbnails, "frame": storage.output, "tile": storage.tiles}
        media = "image/jpeg" if kind == "thumbnail" else guess_type(name)[0] or ""
        if not media.startswith("image/"):
            return NOT_FOUND
        try:
            with ConfinedFolder(roots[kind]) as folder:
                return _response(media, CACHED, folder.read((task.output_folder, *split_path(name))))
        except (OSError, PathNotAllowed):
            return NOT_FOUND


def _html_response(body: bytes) -> Response:
    return _response("text/html; charset=utf-8", NO_STORE, body)


def _response(media: str, cache: str, body: bytes) -> Response:
    return 200, {"Content-Type": media, "Cache-Control": cache, **HEADERS}, body


def _page_number(query: str) -> int:
    (text,) = parse_qs(query).get("page", ["1"])[:1]
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0
