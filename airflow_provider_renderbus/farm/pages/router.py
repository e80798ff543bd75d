"""What is answered to a browser: which page, which picture, with what headers."""

from __future__ import annotations

import re
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from airflow_provider_renderbus.farm.pages import farm_page, task_page
from airflow_provider_renderbus.farm.storage.confined_folder import Enclosure, NotAllowed, parts_of
from airflow_provider_renderbus.farm.storage.registry import LOCAL

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.simulation.simulation import Life
    from airflow_provider_renderbus.farm.simulation.tasks import Task

    Answer = tuple[int, dict[str, str], bytes]

STATIC = Path(__file__).parent
FILES = {"farm.css": "text/css", "farm.js": "text/javascript", "farm.svg": "image/svg+xml"}
TASK = re.compile(r"/task/([1-9][0-9]{0,17})(?:/(thumbnail|frame|tile)/(.+))?")
# Nothing but what the farm itself serves, and no script or style within a page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NOT_FOUND: Answer = 404, {"Content-Type": "text/plain", **HEADERS}, b"not found\n"
FRESH, KEPT = "no-store", "private, max-age=3600"


class Site:
    """The farm's pages.

    :param life: the tasks.
    :param host: the address that the farm listens on. One that only this machine reaches answers to this
        machine's own names alone: another site could have its name lead here, to read in its visitor's place.
    """

    def __init__(self, life: Life, host: str) -> None:
        self._life = life
        self._names = LOCAL if host in LOCAL else ()

    def answer(self, target: str, host: str) -> Answer:
        """Answer a GET request.

        :param target: path and query of the URL, as the request has them.
        :param host: the header ``Host``: the name that the browser was led here by, and the port.
        :return: HTTP status, headers and body.
        """
        if self._names and host.partition(":")[0].lower() not in self._names:
            return NOT_FOUND
        url = urlsplit(target)
        path, current = unquote(url.path), _page_number(url.query)
        if path == "/":
            with self._life.changed:
                farm = farm_page.look(self._life, current)
            return _page(farm_page.show(farm)) if farm else NOT_FOUND
        folder, _, name = path.removeprefix("/").partition("/")
        if folder == "static" and name in FILES:
            return _file(FILES[name], FRESH, (STATIC / name).read_bytes())
        match = TASK.fullmatch(path)
        task = self._life.tasks.get(int(match[1])) if match else None
        if not match or not task or task.deleted:
            return NOT_FOUND
        if match[2]:
            return self._picture(task, match[2], match[3])
        with self._life.changed:
            view = task_page.look(self._life, task, current)
            self._life.let_go()
        return _page(task_page.show(view)) if view else NOT_FOUND

    def _picture(self, task: Task, kind: str, name: str) -> Answer:
        """Answer with the picture of a frame: a file of the task's own folder, and nothing but a picture."""
        storage = self._life.storage
        roots = {"thumbnail": storage.thumbnails, "frame": storage.output, "tile": storage.tiles}
        media = "image/jpeg" if kind == "thumbnail" else guess_type(name)[0] or ""
        if not media.startswith("image/"):
            return NOT_FOUND
        try:
            with Enclosure(roots[kind]) as folder:
                return _file(media, KEPT, folder.read((task.output_name, *parts_of(name))))
        except (OSError, NotAllowed):
            return NOT_FOUND


def _page(body: bytes) -> Answer:
    return _file("text/html; charset=utf-8", FRESH, body)


def _file(media: str, cache: str, body: bytes) -> Answer:
    return 200, {"Content-Type": media, "Cache-Control": cache, **HEADERS}, body


def _page_number(query: str) -> int:
    (text,) = parse_qs(query).get("page", ["1"])[:1]
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0
