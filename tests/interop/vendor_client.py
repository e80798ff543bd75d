"""The vendor's released client, carrying out orders: one a line on standard input, its answer as JSON.

This file runs in an environment of its own, beside which Airflow cannot be installed, and so imports nothing
of this project. An order is a Python literal, because JSON has no tuples: the name of one of the client's
methods or properties, and a mapping of arguments. The client would log keys and signatures: it may not log.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import json
import logging
import sys

from rayvision_api import signature
from rayvision_api.connect import Connect
from rayvision_api.core import RayvisionAPI
from rayvision_api.task.check import RayvisionCheck
from rayvision_api.url import ApiUrl
from rayvision_sync.download import RayvisionDownload
from rayvision_sync.manage import RayvisionManageTask
from rayvision_sync.transfer import RayvisionTransfer
from rayvision_sync.upload import RayvisionUpload
from rayvision_sync.utils import create_transfer_params
from tenacity import wait_none

SECONDS_PER_REQUEST = 10
OPERATORS = ("user", "task", "query", "tag", "env", "transmit")


class Records:
    """Stands in for the Redis in which the client notes the files that it has sent."""

    def __init__(self):
        self.paths = []

    def hset(self, _flag, path, _seconds):
        self.paths.append(path)


class Witness:
    """What orders can name: ``log_in`` first, then the methods of the client, e.g. ``task.create_task``."""

    def log_in(self, **connection):
        self.api = RayvisionAPI(**connection, logger=logging.getLogger(), timeout=SECONDS_PER_REQUEST)
        for name in OPERATORS:
            setattr(self, name, getattr(self.api, name))
        self.manage = RayvisionManageTask(self.api.query)

    def check(self, workspace, **arguments):
        """Check a job before it is submitted, and return its new task number."""
        return RayvisionCheck(self.api, workspace=workspace).execute(**arguments)

    def lines(self):
        """Choose the line of each transfer engine, as before an upload or a download."""
        return RayvisionTransfer(
            self.api, **create_transfer_params(self.api), automatic_line=True
        ).transport_info

    def use_transmitter(self, path):
        """Get ready to upload and download with a transfer command in place of the client's own."""
        way = {"transmitter_exe": path, "logger": logging.getLogger()}
        self.uploads = RayvisionUpload(self.api, **way)
        self.downloads = RayvisionDownload(self.api, **way)

    def record_upload(self, upload_json_path):
        """Upload assets, and return the files that the client has read off the command's lines as sent."""
        records = Records()
        self.uploads.upload_asset(upload_json_path, is_record=True, redis_obj=records)
        return records.paths

    def sign(self, key, domain, path, headers, body):
        """Sign a request with the client's own code."""
        message = signature.generate_headers_body_str(domain, path, headers, body)
        return signature.generate_signature(key, message).decode()

    def methods(self):
        """Name all public methods and properties, as orders name them."""
        return [
            f"{operator}.{name}"
            for operator in ("api", *OPERATORS)
            for name, member in inspect.getmembers(type(getattr(self, operator)))
            if not name.startswith("_") and (callable(member) or isinstance(member, property))
        ]

    def paths(self):
        """Name all paths that the client knows."""
        return [url.value for url in ApiUrl]


def answer(witness, line):
    name, arguments = ast.literal_eval(line)
    try:
        result = functools.reduce(getattr, name.split("."), witness)
        return {"result": result(**arguments) if callable(result) else result}
    except Exception as error:  # noqa: BLE001 - whatever the client raises is its answer
        code = getattr(error, "error_code", None)
        return {"error": type(error).__name__, "message": str(error), "code": code}


def main():
    logging.disable()
    # It repeats whatever fails, also its own mistakes. What it sends stays the same without the pauses.
    Connect.post.retry.wait = wait_none()
    witness, answers = Witness(), sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        for line in sys.stdin:
            print(json.dumps(answer(witness, line), default=repr), file=answers, flush=True)


if __name__ == "__main__":
    main()
