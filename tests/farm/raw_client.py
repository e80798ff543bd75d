"""A client of the farm as small as can be: it signs, asks and reads, and knows no call of the product."""

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
FILES = "/api/render/file/operate/getOutputUserDirFile"


def job(scene="sh010.blend", frames="1-4[1]", width="32", height="18", **info):
    return {
        "software_config": {"cg_name": "Blender", "cg_version": "4.2", "plugins": {}},
        "task_info": {"cg_id": "2007", "input_cg_file": f"/mnt/shots/{scene}", **info},
        "scene_info_render": {"common": {"frames": frames, "width": width, "height": height}},
    }


def maya(layers=("beauty", "shadow"), frames="1-2[1]", **info):
    """A job whose scene has layers, each with its own common."""
    task_json = job("shot.ma", cg_id="2000", **info)
    common = {"frames": frames, "width": "16", "height": "9"}
    task_json["scene_info_render"] = {
        layer: {"renderable": "1", "is_default_camera": "1", "option": "", "common": common}
        for layer in layers
    }
    return task_json


def post(http, path, headers, body):
    """Status and body of the answer to a request over HTTP."""
    http.request("POST", path, body, headers)
    answer = http.getresponse()
    return answer.status, answer.read()


class Caller:
    """Asks a farm over its pure function, as the account of its connection."""

    nonces = itertools.count(100_000)  # of all callers: a farm remembers them over a restart

    def __init__(self, farm):
        self.farm = farm

    def signed(self, path, body, key=None, **headers):
        """Headers of a signed request; those given replace the usual ones before they are signed."""
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

    def ask(self, path, body=None, **headers):
        """The envelope of the answer to a request."""
        body = body or {}
        return self.sent(path, self.signed(path, body, **headers), json.dumps(body).encode())

    def sent(self, path, headers, body):
        status, _, answer = self.farm.handle(path, headers, body)
        assert status == 200
        return json.loads(answer)

    def call(self, path, **body):
        """The data of a call that must succeed."""
        answer = self.ask(path, body)
        assert (answer["code"], answer["result"]) == (200, True), answer
        return answer["data"]

    def refused(self, path, **body):
        """The code and message of a call that must be refused."""
        answer = self.ask(path, body)
        assert answer["result"] is False
        assert answer["data"] is None
        return answer["code"], answer["message"]

    def create(self, **body):
        return self.call(CREATE, **body)["taskIdList"][0]

    def upload(self, number, task_json):
        self.call(UPLOAD, taskId=number, fileName="task.json", content=json.dumps(task_json))

    def submit(self, task_json=None):
        number = self.create()
        self.upload(number, task_json or job())
        self.call(SUBMIT, taskId=number)
        return number

    def info(self, number):
        (item,) = self.call(INFO, taskIds=[number])["items"]
        return item

    def frames(self, number, **body):
        return self.call(FRAMES, taskId=number, **body)

    def states(self, number):
        """frameIndex to frameStatus of all frames of a task."""
        return {frame["frameIndex"]: frame["frameStatus"] for frame in self.frames(number)["items"]}

    def status(self, number):
        return self.info(number)["taskStatus"]

    def leaves(self, number):
        return self.info(number)["respRenderingTaskList"]
