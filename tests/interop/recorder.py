"""A farm that answers with the examples of the vendor's document and keeps what arrived."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_renderbus.api import signing
from tests.clients.scripted_server import ReceivedRequest, ScriptedResponse, ScriptedServer, envelope

DATA = Path(__file__).parents[1] / "data"
ENDPOINTS = json.loads((DATA / "endpoints.json").read_text("utf-8"))["endpoints"]
EXAMPLES = json.loads((DATA / "seed_answers.json").read_text("utf-8"))["sections"]

# An account that no farm knows.
ACCESS_ID, ACCESS_KEY = "AKIDEXAMPLE", "SECRETEXAMPLE"

ONE_TIME = ("UTCTimestamp", "nonce", "signature")
OF_HTTP = ("Host", "User-Agent", "Accept", "Accept-Encoding", "Connection", "Content-Length")

EMPTY_PAGE = {"pageCount": 1, "pageNum": 2, "total": 0, "size": 100, "items": []}
# Where the vendor's document has no example, or none on which a sequence of calls can be seen to its end.
ANSWERS: dict[str, Any] = {
    "get_project_list": {"projectNameList": [{"projectId": 3671, "projectName": "night"}]},
    "list_projects": {"projectNameList": [{"projectId": 3671, "projectName": "night"}]},
    "login_records": EMPTY_PAGE,
    "query_task_info": EXAMPLES["获取任务列表"]["data"],
    "show_log": EMPTY_PAGE,
    "task_records": EMPTY_PAGE,
}
# The task whose frames are meant by name; it is its own leaf.
LEAF = {"pageCount": 1, "items": [{"id": 7, "taskStatus": 30, "isOpen": 0, "respRenderingTaskList": None}]}
FRAMES = EXAMPLES["获取任务单页渲染帧详情"]["data"] | {"pageCount": 1}


@dataclass(frozen=True)
class Sent:
    """A request without what is new in each.

    :param path: of the URL.
    :param headers: its headers but those that HTTP itself needs and those that are good for one request.
    :param body: each field as JSON text, so that 1, "1" and true stay apart.
    :param signature: whether it is "right" or "wrong" for the account's key.
    :param arrival: the request as it came. It holds a signature, so it is in no text of this object.
    """

    path: str
    headers: dict[str, str]
    body: dict[str, str]
    signature: str
    arrival: ReceivedRequest = field(repr=False)


class Recorder:
    """Keeps the requests that arrive at a server on 127.0.0.1."""

    def __init__(self) -> None:
        self._server = ScriptedServer()
        self._server.respond = _respond
        self.address = self._server.address

    def close(self) -> None:
        self._server.close()

    def take(self) -> list[Sent]:
        """Return the requests that arrived since it was last asked."""
        arrived, self._server.requests = self._server.requests, []
        return [_sent(arrival) for arrival in arrived]


def _sent(arrival: ReceivedRequest) -> Sent:
    headers = {name: text for name, text in arrival.headers.items() if name not in ONE_TIME + OF_HTTP}
    body = {name: json.dumps(value, sort_keys=True) for name, value in arrival.body.items()}
    domain, path = arrival.headers["Host"], _path(arrival)
    right = signing.signature(ACCESS_KEY, domain, path, arrival.headers, arrival.body)
    signature = "right" if arrival.headers["signature"] == right else "wrong"
    return Sent(path, headers, body, signature, arrival)


def _path(arrival: ReceivedRequest) -> str:
    """Return the path of a request, which names the whole address where the server was used as a proxy."""
    return urlsplit(arrival.path).path


def _respond(arrival: ReceivedRequest) -> ScriptedResponse:
    path = _path(arrival)
    if path.endswith("/queryTaskFrames"):
        return envelope(data=FRAMES if arrival.body["pageNum"] == 1 else EMPTY_PAGE)
    if path.endswith("/queryTaskInfo/v2") and arrival.body["taskIds"] == [7]:
        return envelope(data=LEAF)
    (endpoint,) = (endpoint for endpoint in ENDPOINTS if path in endpoint["paths"])
    example = EXAMPLES.get(endpoint["seed_section"], {})
    # Two examples show bare data.
    data = example if isinstance(example, list) else example.get("data", {})
    return envelope(data=ANSWERS.get(endpoint["name"], data))
