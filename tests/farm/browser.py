"""Headless Chromium, controlled through a pipe by the DevTools protocol."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from select import select

from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
# Chromium reads commands from file descriptor 3 and writes responses to file descriptor 4.
EXEC_WITH_PIPES = """
import fcntl, os, sys
reads, writes = (fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 10) for number in sys.argv[1:3])
os.dup2(reads, 3)
os.dup2(writes, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
TIMEOUT = 60
"""Seconds per command."""


@contextmanager
def chromium(profile):
    """A Chromium with an empty profile folder."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "no Chromium on this machine: apt-get install -y --no-install-recommends chromium"
    (to_read, writes), (reads, to_write) = os.pipe(), os.pipe()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            EXEC_WITH_PIPES,
            str(to_read),
            str(to_write),
            program,
            *FLAGS,
            f"--user-data-dir={profile}",
        ],
        pass_fds=(to_read, to_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(to_read)
    os.close(to_write)
    try:
        yield Browser(reads, writes)
    finally:
        os.close(writes)
        os.close(reads)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


class Browser:
    """One tab; ``errors`` collects its errors and warnings."""

    def __init__(self, reads, writes):
        self.reads, self.writes = reads, writes
        self.ids = itertools.count(1)
        self.buffer = b""
        self.errors = []
        self.session = None
        target = self.send_command("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send_command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send_command(f"{domain}.enable")

    def send_command(self, method, **params):
        """Send a command and return its result."""
        command_id = next(self.ids)
        message = {"id": command_id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writes, json.dumps(message).encode() + b"\0")
        response = self.wait_for_message(lambda message: message.get("id") == command_id)
        assert "error" not in response, response
        return response["result"]

    def wait_for_message(self, predicate):
        """Return the next message that matches, and record errors and warnings on the way."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            while b"\0" not in self.buffer:
                seconds = max(deadline - time.monotonic(), 0)
                assert select([self.reads], [], [], seconds)[0], "Chromium does not respond"
                chunk = os.read(self.reads, 1 << 20)
                assert chunk, "Chromium has ended"
                self.buffer += chunk
            text, _, self.buffer = self.buffer.partition(b"\0")
            message = json.loads(text)
            self.record_error(message.get("method"), message.get("params"))
            if predicate(message):
                return message

    def record_error(self, method, params):
        """Record a message if it is an error or a warning."""
        if method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning", "assert"}:
            self.errors.append(str([argument.get("value") for argument in params["args"]]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def open(self, address):
        """Open a page and wait for its load event."""
        self.send_command("Page.navigate", url=address)
        self.wait_for_message(lambda message: message.get("method") == "Page.loadEventFired")

    def evaluate(self, script):
        """Return the value of a JavaScript expression; a promise is awaited."""
        params = {"expression": script, "awaitPromise": True, "returnByValue": True}
        response = self.send_command("Runtime.evaluate", **params)
        assert "exceptionDetails" not in response, response
        return response["result"].get("value")

    def wait_until(self, condition):
        """Wait until a JavaScript expression is true; it is evaluated whenever the page changes."""
        self.evaluate(
            "new Promise((done) => {"
            f"const check = () => ({condition}) && done();"
            "new MutationObserver(check).observe(document, {subtree: true, childList: true, attributes: true,"
            " characterData: true}); check(); })"
        )

    def click(self, selector):
        """Wait for an element and click it with the mouse."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.wait_until(element)
        x, y = self.evaluate(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"(({element}.scrollIntoView({{block: 'center'}}), {element}.getBoundingClientRect()))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send_command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def set_size(self, width, height, *, dark=False):
        """Set the size of the page in pixels, and its colour scheme."""
        self.send_command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send_command("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self):
        """The visible part of the page as an image."""
        data = self.send_command("Page.captureScreenshot", format="png")["data"]
        return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
