"""Runs the vendor's released client: a method call per line of standard input, its result as JSON.

This file runs in an environment of its own, beside which Airflow cannot be installed, and so imports nothing
of this project. A method call is a Python literal, because JSON has no tuples: the name of one of the
client's methods or properties, and a mapping of arguments. Logging is disabled, because the client would log
keys and signatures.
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


class FakeRedis:
    """Replaces the Redis in which the client records the files that it has sent."""

    def __init__(self):
        self.paths = []

    def hset(self, _flag, path, _seconds):
        self.paths.append(path)


class ClientDriver:
    """Methods that can be called: ``log_in`` first, then those of the client, e.g. ``task.create_task``."""

    def log_in(self, **connection):
        self.api = RayvisionAPI(**connection, logger=logging.getLogger(), timeout=SECONDS_PER_REQUEST)
        for name in OPERATORS:
            setattr(self, name, getattr(self.api, name))
        self.manage = RayvisionManageTask(self.api.query)

    def check(self, workspace, **arguments):
        """Check a job before it is submitted, and return the id of its new task."""
        return RayvisionCheck(self.api, workspace=workspace).execute(**arguments)

    def lines(self):
        """Select the line of each transfer engine, as before an upload or a download."""
        return RayvisionTransfer(
            self.api, **create_transfer_params(self.api), automatic_line=True
        ).transport_info

    def use_transmitter(self, path):
        """Upload and download with this transfer command instead of the client's own."""
        options = {"transmitter_exe": path, "logger": logging.getLogger()}
        self.uploads = RayvisionUpload(self.api, **options)
        self.downloads = RayvisionDownload(self.api, **options)

    def record_upload(self, upload_json_path):
        """Upload assets, and return the files that the client parsed from the command's output as sent."""
        redis = FakeRedis()
        self.uploads.upload_asset(upload_json_path, is_record=True, redis_obj=redis)
        return redis.paths

    def sign(self, key, domain, path, headers, body):
        """Sign a request with the client's own code."""
        message = signature.generate_headers_body_str(domain, path, headers, body)
        return signature.generate_signature(key, message).decode()

    def methods(self):
        """Return the names of all public methods and properties."""
        return [
            f"{operator}.{name}"
            for operator in ("api", *OPERATORS)
            for name, member in inspect.getmembers(type(getattr(self, operator)))
            if not name.startswith("_") and (callable(member) or isinstance(member, property))
        ]

    def paths(self):
        """Return all paths that the client uses."""
        return [url.value for url in ApiUrl]


def call_method(driver, line):
    name, arguments = ast.literal_eval(line)
    try:
        result = functools.reduce(getattr, name.split("."), driver)
        return {"result": result(**arguments) if callable(result) else result}
    except Exception as error:  # noqa: BLE001 - whatever the client raises is its response
        code = getattr(error, "error_code", None)
        return {"error": type(error).__name__, "message": str(error), "code": code}


def main():
    logging.disable()
    # The client repeats whatever fails, including its own errors. It sends the same without the waits.
    Connect.post.retry.wait = wait_none()
    driver, output = ClientDriver(), sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        for line in sys.stdin:
            print(json.dumps(call_method(driver, line), default=repr), file=output, flush=True)


if __name__ == "__main__":
    main()
