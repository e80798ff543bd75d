"""A server that responds with the examples of the vendor's document and records its requests."""

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

# An account that exists on no farm.
ACCESS_ID, ACCESS_KEY = "AKIDEXAMPLE", "SECRETEXAMPLE"

PER_REQUEST_HEADERS = ("UTCTimestamp", "nonce", "signature")
HTTP_HEADERS = ("Host", "User-Agent", "Accept", "Accept-Encoding", "Connection", "Content-Length")

EMPTY_PAGE = {"pageCount": 1, "pageNum": 2, "total": 0, "size": 100, "items": []}
# If the vendor's document has no example, or none with which a flow of calls comes to its end.
RESPONSES: dict[str, Any] = {
    "get_project_list": {"projectNameList": [{"projectId": 3671, "projectName": "night"}]},
    "list_projects": {"projectNameList": [{"projectId": 3671, "projectName": "night"}]},
    "login_records": EMPTY_PAGE,
    "query_task_info": EXAMPLES["获取任务列表"]["data"],
    "show_log": EMPTY_PAGE,
    "task_records": EMPTY_PAGE,
}
# The task whose frames are selected by name; it is its own leaf.
LEAF = {"pageCount": 1, "items": [{"id": 7, "taskStatus": 30, "isOpen": 0, "respRenderingTaskList": None}]}
FRAMES = EXAMPLES["获取任务单页渲染帧详情"]["data"] | {"pageCount": 1}


@dataclass(frozen=True)
class RecordedRequest:
    """A request without the parts that differ in each request.

    :param path: path of the URL.
    :param headers: the headers except those of HTTP itself and those that differ in each request.
    :param body: each field as JSON text, so that 1, "1" and true are different.
    :param signature: "right" or "wrong" for the account's key.
    :param received: the request as it was received. It holds a signature, so it is in no repr.
    """

    path: str
    headers: dict[str, str]
    body: dict[str, str]
    signature: str
    received: ReceivedRequest = field(repr=False)


class Recorder:
    """Records the requests to a server on 127.0.0.1."""

    def __init__(self) -> None:
        self._server = ScriptedServer()
        self._server.respond = _respond
        self.address = self._server.address

    def close(self) -> None:
        self._server.close()

    def pop_requests(self) -> list[RecordedRequest]:
        """Return the requests since the last call."""
        requests, self._server.requests = self._server.requests, []
        return [_record(received) for received in requests]


def _record(received: ReceivedRequest) -> RecordedRequest:
    headers = {
        name: text
        for name, text in received.headers.items()
        if name not in PER_REQUEST_HEADERS + HTTP_HEADERS
    }
    body = {name: json.dumps(value, sort_keys=True) for name, value in received.body.items()}
    domain, path = received.headers["Host"], _path(received)
    right = signing.signature(ACCESS_KEY, domain, path, received.headers, received.body)
    signature = "right" if received.headers["signature"] == right else "wrong"
    return RecordedRequest(path, headers, body, signature, received)


def _path(received: ReceivedRequest) -> str:
    """Return the path of a request. If the server is used as a proxy, the request holds the whole URL."""
    return urlsplit(received.path).path


def _respond(received: ReceivedRequest) -> ScriptedResponse:
    path = _path(received)
    if path.endswith("/queryTaskFrames"):
        return envelope(data=FRAMES if received.body["pageNum"] == 1 else EMPTY_PAGE)
    if path.endswith("/queryTaskInfo/v2") and received.body["taskIds"] == [7]:
        return envelope(data=LEAF)
    (endpoint,) = (endpoint for endpoint in ENDPOINTS if path in endpoint["paths"])
    example = EXAMPLES.get(endpoint["seed_section"], {})
    # Two examples show only data.
    data = example if isinstance(example, list) else example.get("data", {})
    return envelope(data=RESPONSES.get(endpoint["name"], data))
