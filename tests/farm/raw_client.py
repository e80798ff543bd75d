"""A minimal client of the farm: it signs and sends requests, independently of the provider's calls."""

from __future__ import annotations

import itertools
import json
import time

from airflow_provider_renderbus.api.signing import signature

PROFILE = "/api/render/setUp/queryUserProfile"
CREATE = "/api/render/submit/createTask"
UPLOAD = "/api/render/submit/taskJsonFile"
SUBMIT = "/api/render/submit/task"
STOP = "/api/rendering/task/renderingTask/stopTask"
INFO = "/api/render/handle/queryTaskInfo/v2"
START = "/api/rendering/task/renderingTask/startTask"
ABANDON = "/api/render/handle/abandonTask"
DELETE = "/api/render/handle/deleteTask"
FULL_SPEED = "/api/render/handle/fullSpeedRendering"
LIMIT = "/api/render/handle/updateTaskLimit"
OVERTIME = "/api/render/handle/setTaskOverTimeStop"
RECOMMIT_FAILED = "/api/render/handle/recommitTasks"
RECOMMIT = "/api/render/handle/recommitTaskFrames"
STOP_FRAMES = "/api/render/handle/stopTaskFrames"
LIST = "/api/render/handle/getTaskList/v2"
LOG = "/api/render/handle/showLog"
FRAMES = "/api/render/handle/queryTaskFrames"
THUMBNAIL = "/api/render/handle/loadingFrameThumbnail"
FILES = "/api/render/file/operate/getOutputUserDirFile"


def job(scene="sh010.blend", frames="1-4[1]", width="32", height="18", **info):
    return {
        "software_config": {"cg_name": "Blender", "cg_version": "4.2", "plugins": {}},
        "task_info": {"cg_id": "2007", "input_cg_file": f"/mnt/shots/{scene}", **info},
        "scene_info_render": {"common": {"frames": frames, "width": width, "height": height}},
    }


def maya_job(layers=("beauty", "shadow"), frames="1-2[1]", **info):
    """A layered job; each layer has a ``common`` of its own."""
    task_json = job("shot.ma", cg_id="2000", enable_layered="1", **info)
    task_json["software_config"] = {"cg_name": "Maya", "cg_version": "2024", "plugins": {}}
    common = {"frames": frames, "width": "16", "height": "9", "renderer": "mayaSoftware"}
    task_json["scene_info_render"] = {
        layer: {"renderable": "1", "is_default_camera": "1", "option": "", "common": common}
        for layer in layers
    }
    return task_json


def post(http, path, headers, body):
    """Post a request over HTTP, and return status and body of the answer."""
    http.request("POST", path, body, headers)
    answer = http.getresponse()
    return answer.status, answer.read()


class RawClient:
    """Calls :meth:`Farm.handle`, signed with the account of the farm's connection."""

    nonces = itertools.count(100_000)  # shared by all clients: a farm stores used nonces over a restart

    def __init__(self, farm):
        self.farm = farm

    def sign(self, path, body, key=None, **headers):
        """Return signed headers. Arguments replace the default headers before they are signed."""
        connection = self.farm.connection()
        headers = {
            "accessId": connection["login"],
            "channel": "4",
            "platform": "2",
            "UTCTimestamp": str(int(time.time())),
            "nonce": str(next(self.nonces)),
            "version": "2.0.0",
            "Host": self.farm.address,
            "languageFlag": "1",
        } | headers
        key = connection["password"] if key is None else key
        return headers | {"signature": signature(key, headers["Host"], path, headers, body)}

    def request(self, path, body=None, **headers):
        """Send a signed request, and return the envelope of the answer."""
        body = body or {}
        return self.send(path, self.sign(path, body, **headers), json.dumps(body).encode())

    def send(self, path, headers, body):
        status, _, answer = self.farm.handle(path, headers, body)
        assert status == 200
        return json.loads(answer)

    def call(self, path, **body):
        """Return the data of a call that must succeed."""
        answer = self.request(path, body)
        assert (answer["code"], answer["result"]) == (200, True), answer
        return answer["data"]

    def call_refused(self, path, **body):
        """Return code and message of a call that must be refused."""
        answer = self.request(path, body)
        assert answer["result"] is False
        assert answer["data"] is None
        return answer["code"], answer["message"]

    def create(self, **body):
        return self.call(CREATE, **body)["taskIdList"][0]

    def upload(self, task_id, task_json):
        self.call(UPLOAD, taskId=task_id, fileName="task.json", content=json.dumps(task_json))

    def submit(self, task_json=None):
        task_id = self.create()
        self.upload(task_id, task_json or job())
        self.call(SUBMIT, taskId=task_id)
        return task_id

    def task_info(self, task_id):
        (item,) = self.call(INFO, taskIds=[task_id])["items"]
        return item

    def frames(self, task_id, **body):
        return self.call(FRAMES, taskId=task_id, **body)

    def frame_states(self, task_id):
        """Map frameIndex to frameStatus of all frames of a task."""
        return {frame["frameIndex"]: frame["frameStatus"] for frame in self.frames(task_id)["items"]}

    def task_state(self, task_id):
        return self.task_info(task_id)["taskStatus"]

    def leaves(self, task_id):
        return self.task_info(task_id)["respRenderingTaskList"]
