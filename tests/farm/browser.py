"""Chromium without a window, driven through a pipe by its DevTools protocol."""

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
# Chromium reads its orders on descriptor 3 and answers on descriptor 4.
AT_3_AND_4 = """
import fcntl, os, sys
reads, writes = (fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 10) for number in sys.argv[1:3])
os.dup2(reads, 3)
os.dup2(writes, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
SECONDS = 60
"""The longest that anything in the browser may take."""


@contextmanager
def chromium(profile):
    """A browser with an empty profile folder."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "no Chromium on this machine: apt-get install -y --no-install-recommends chromium"
    (to_read, writes), (reads, to_write) = os.pipe(), os.pipe()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            AT_3_AND_4,
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
    """One tab, and everything that went wrong in it: ``errors``."""

    def __init__(self, reads, writes):
        self.reads, self.writes = reads, writes
        self.numbers = itertools.count(1)
        self.came = b""
        self.errors = []
        self.session = None
        target = self.order("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.order("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.order(f"{domain}.enable")

    def order(self, method, **params):
        """Give an order, and return its result."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writes, json.dumps(message).encode() + b"\0")
        answer = self.wait(lambda message: message.get("id") == number)
        assert "error" not in answer, answer
        return answer["result"]

    def wait(self, wanted):
        """Return the next message that is wanted, and note the errors among the others."""
        end = time.monotonic() + SECONDS
        while True:
            while b"\0" not in self.came:
                assert select([self.reads], [], [], max(end - time.monotonic(), 0))[0], "Chromium is silent"
                piece = os.read(self.reads, 1 << 20)
                assert piece, "Chromium has ended"
                self.came += piece
            text, _, self.came = self.came.partition(b"\0")
            message = json.loads(text)
            self.note(message.get("method"), message.get("params"))
            if wanted(message):
                return message

    def note(self, method, params):
        """Note a message if it tells of an error or a warning."""
        if method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning", "assert"}:
            self.errors.append(str([argument.get("value") for argument in params["args"]]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def open(self, address):
        """Go to a page, and wait until it is loaded with all that belongs to it."""
        self.order("Page.navigate", url=address)
        self.wait(lambda message: message.get("method") == "Page.loadEventFired")

    def run(self, script):
        """Return the value of an expression in the page; of a promise what it becomes."""
        answer = self.order("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, condition):
        """Wait until an expression is true in the page, which is looked at whenever the page changes."""
        self.run(
            "new Promise((done) => {"
            f"const look = () => ({condition}) && done();"
            "new MutationObserver(look).observe(document, {subtree: true, childList: true, attributes: true,"
            " characterData: true}); look(); })"
        )

    def press(self, selector):
        """Wait for an element, and press it with the mouse."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.until(element)
        x, y = self.run(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"(({element}.scrollIntoView({{block: 'center'}}), {element}.getBoundingClientRect()))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.order("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def size(self, width, height, *, dark=False):
        """Make the page as wide and high as this, in pixels."""
        self.order(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.order("Emulation.setEmulatedMedia", features=[scheme])

    def seen(self):
        """What is seen of the page, as an image."""
        data = self.order("Page.captureScreenshot", format="png")["data"]
        return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
