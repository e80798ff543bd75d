"""Log lines of a triggerer, whose loop must not wait until its supervisor reads them."""

import asyncio
import contextvars
import logging
import sys
import threading
from types import SimpleNamespace

import pytest

from airflow_provider_renderbus.polling.loop_logger import LoopLogger, written

TRIGGER = contextvars.ContextVar("TRIGGER", default="none")
TASK_RUNNER = "airflow.sdk.execution_time.task_runner"


class BlockedHandler(logging.Handler):
    """Writes nothing until its supervisor reads."""

    def __init__(self):
        super().__init__()
        self.is_read = threading.Event()
        self.lines = []

    def emit(self, record):
        assert self.is_read.wait(30)
        self.lines.append((TRIGGER.get(), record.getMessage(), record.filename))
        if record.exc_info:
            self.lines.append(record.exc_info[0])


@pytest.fixture
def handler():
    logger = logging.getLogger("renderbus-test")
    logger.propagate = False
    logger.setLevel("INFO")
    handler = BlockedHandler()
    logger.addHandler(handler)
    yield handler
    handler.is_read.set()
    logger.removeHandler(handler)


@pytest.fixture
def log(handler):
    return LoopLogger(logging.getLogger("renderbus-test"))


@pytest.fixture
def triggerer(monkeypatch):
    comms = type("TriggerCommsDecoder", (), {})()
    monkeypatch.setitem(sys.modules, TASK_RUNNER, SimpleNamespace(SUPERVISOR_COMMS=comms))


async def run_triggers(log, handler):
    async def run_trigger(name):
        TRIGGER.set(name)
        log.info("%s waits", name)
        log.debug("%s has details", name)
        await written()

    triggers = [asyncio.create_task(run_trigger(name)) for name in ("one", "two")]
    await asyncio.sleep(0)
    assert handler.lines == []
    handler.is_read.set()
    await asyncio.gather(*triggers)


def test_triggerer_continues_while_its_lines_are_not_read(log, handler, triggerer):
    asyncio.run(run_triggers(log, handler))
    assert handler.lines == [
        ("one", "one waits", "test_loop_logger.py"),
        ("two", "two waits", "test_loop_logger.py"),
    ]


def test_triggerer_writes_the_traceback_of_an_exception(log, handler, triggerer):
    async def fail():
        try:
            int("no number")
        except ValueError:
            log.exception("failed")
        await written()

    handler.is_read.set()
    asyncio.run(fail())
    assert handler.lines[1] is ValueError


def test_triggerer_whose_handler_fails_writes_the_next_line(log, handler, triggerer):
    async def write():
        handler.is_read.set()
        logging.getLogger("renderbus-test").addFilter(fail_once)
        try:
            log.info("first")
            log.info("second")
            await written()
        finally:
            logging.getLogger("renderbus-test").removeFilter(fail_once)

    def fail_once(record):
        if record.getMessage() == "first":
            raise BrokenPipeError
        return True

    asyncio.run(write())
    assert [line for _, line, _ in handler.lines] == ["second"]


def test_other_process_writes_at_once(log, handler):
    handler.is_read.set()
    log.warning("now")
    assert [line for _, line, _ in handler.lines] == ["now"]
    asyncio.run(written())
