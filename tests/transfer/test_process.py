"""A command that runs, talks, fails, hangs, and is ended with its children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from airflow_provider_renderbus.transfer import process as running
from airflow_provider_renderbus.transfer.errors import (
    PermanentTransferFailure,
    TransferCancelled,
    TransferFailed,
    TransferIncomplete,
    TransferSetupError,
    TransferStalled,
)
from airflow_provider_renderbus.transfer.progress import TransferProgress
from tests.processes import gone

SIZES = {"/a.blend": 1_000_000, "/b (2).exr": 2_000_000}
# It has a child that ignores what can be ignored, and tells both numbers.
WITH_A_CHILD = (
    "(trap '' TERM HUP; echo child $(exec sh -c 'echo $PPID'); exec sleep 600) & echo leader $$; wait"
)


def lines_to(script, number):
    return f"printf '{script}'; exit {number}"


def test_the_question_is_answered_and_the_lines_are_counted(runner, order):
    script = (
        "read answer; [ $answer = y ] || exit 9\n"
        "echo 'upload is begin'; echo 'upload file done 1/2 1000000 bytes (/a.blend)'\n"
        "echo 'upload file begin (/b (2).exr)'; echo 'upload file done (/b (2).exr)'"
    )
    tally = TransferProgress(SIZES)
    runner(script).run(order, tally)
    assert tally.done == set(SIZES)
    assert tally.bytes == 3_000_000


def test_each_argument_arrives_as_one(runner, order, tmp_path):
    runner(f'printf "%s\\0" "$@" > {tmp_path}/words').run(order, TransferProgress({}))
    assert (tmp_path / "words").read_text().split("\0")[:-1] == order.argv()


def test_its_libraries_are_for_the_command_alone(runner, order, tmp_path):
    script = (
        f"echo $LD_LIBRARY_PATH > {tmp_path}/own; tr '\\0' '\\n' < /proc/$PPID/environ > {tmp_path}/guards"
    )
    run = runner(script)
    run.run(order, TransferProgress({}))
    assert (tmp_path / "own").read_text() == f"{run.command.path.parent}\n"
    assert "LD_LIBRARY_PATH" not in (tmp_path / "guards").read_text()


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (1, TransferIncomplete, "exit code 1"),
        (10, TransferIncomplete, "exit code 10"),
        (
            11,
            PermanentTransferFailure,
            r"can never be transferred, .* failed: /b \(2\)\.exr: No such file\. ",
        ),
        (137, TransferIncomplete, "killed by signal 9"),
        *[(code, TransferFailed, f"exit code {code}") for code in range(2, 10)],
        *[(code, TransferFailed, f"exit code {code}") for code in (12, 126, 127, 254, 255)],
    ],
)
def test_every_exit_code_is_an_error_of_its_kind(runner, order, code, error, message):
    script = "upload file done (/a.blend)\\nupload file fail 2/2 No such file (/b (2).exr)\\n"
    with pytest.raises(error, match=message) as failed:
        runner(lines_to(script, code)).run(order, TransferProgress(SIZES))
    assert type(failed.value) is error
    assert failed.value.retryable == (error is TransferIncomplete)
    assert "after 1 file (1.0 MB)" in str(failed.value)
    assert "/b (2).exr" in str(failed.value)


def test_a_success_that_names_failed_files_is_none(runner, order):
    with pytest.raises(TransferIncomplete, match=r"/a\.blend: error-5"):
        runner(lines_to("upload file fail (/a.blend), error-5\\n", 0)).run(order, TransferProgress(SIZES))


def test_a_file_that_is_done_in_the_end_has_not_failed(runner, order):
    script = "upload file fail (/a.blend)\\nupload file done (/a.blend)\\n"
    tally = TransferProgress(SIZES)
    runner(lines_to(script, 0)).run(order, tally)
    assert tally.failed == {}


def test_a_command_that_is_no_program(runner, order, stand_in):
    run = runner("")
    run.command.path.write_bytes(b"\x7fELF nothing")
    with pytest.raises(TransferFailed, match="cannot be started: Exec format error"):
        run.run(order, TransferProgress({}))


def test_a_command_that_is_killed_half_way(runner, order):
    with pytest.raises(TransferIncomplete, match=r"killed by signal 9, after 1 file"):
        runner("echo 'upload file done (/a.blend)'; kill -9 $$").run(order, TransferProgress(SIZES))


@pytest.mark.parametrize(
    "script",
    [
        "exec sleep 600",
        "while sleep 0.01; do echo 'ascp: Failed to open TCP connection for SSH, exiting.'; done",
        "while sleep 0.01; do echo 'upload file progress (/a.blend) speed: 0 KB/S, progress: 0'; done",
        "while sleep 0.01; do echo 'upload file progress (/a) 7'; echo 'upload file progress (/b) 9'; done",
        "while sleep 0.01; do echo 'upload file begin (/a.blend)'; done",
    ],
    ids=["silent", "complains", "stands still", "two stand still", "begins again"],
)
def test_a_command_that_gets_nowhere_is_ended(runner, order, script):
    with pytest.raises(TransferStalled, match=r"Nothing has moved for .* s, .* after 0 files") as failed:
        runner(script, stall_timeout=0.3).run(order, TransferProgress(SIZES))
    assert failed.value.retryable


def test_progress_of_one_large_file_is_progress(runner, order):
    times = iter(range(0, 10_000, 50))
    script = 'for n in 1 2 3 4 5 6 7 8; do echo "upload file progress (/a.blend) progress: $n"; done'
    runner(script, stall_timeout=60, clock=lambda: next(times)).run(order, TransferProgress(SIZES))


def test_the_log_tells_how_far_a_large_file_is(runner, order, caplog):
    caplog.set_level("INFO")
    times = iter(range(0, 10_000, 40))
    runner(
        "echo 'upload file progress (/a.blend) 40 %'; sleep 0.1; echo 'upload file done (/a.blend)'",
        stall_timeout=600,
        clock=lambda: next(times),
    ).run(order, TransferProgress(SIZES))
    assert "0 files (0.0 MB) of 2 files, 0.0 MB/s; upload file progress (/a.blend) 40 %" in caplog.messages


def test_the_log_has_a_line_now_and_then(runner, order, caplog):
    caplog.set_level("INFO")
    times = iter(range(100_000))
    script = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo "upload file done (/f$i)"; done'
    runner(script, clock=lambda: next(times)).run(
        order, TransferProgress({f"/f{i}": 1_000_000 for i in range(1, 301)})
    )
    messages = [record.getMessage() for record in caplog.records]
    assert 5 <= len(messages) <= 12
    assert messages[0] == "30 files (30.0 MB) of 300 files, 1.0 MB/s"
    assert messages[-1] == "upload_json: done, 300 files (300.0 MB)"


def test_what_else_the_command_says_is_logged_once(runner, order, caplog):
    caplog.set_level("INFO")
    script = (
        "for n in 1 2 3; do echo 'ascp: no connection'; echo 'upload file begin (/a)'; done; seq 100; exit 3"
    )
    with pytest.raises(TransferFailed):
        runner(script).run(order, TransferProgress(SIZES))
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["ascp: no connection", *map(str, range(1, 50))]


def test_lines_of_any_kind_are_taken(runner, order):
    script = (
        "printf 'upload file progress\\r\\rupload file done (/a.blend)\\r\\n\\377\\376 %070000d' 7; exit 3"
    )
    with pytest.raises(TransferFailed, match=r"\\xff\\xfe") as failed:
        runner(script).run(order, TransferProgress(SIZES))
    assert "after 1 file" in str(failed.value)
    assert len(str(failed.value)) < 2_000
    assert "\n" not in str(failed.value)


def test_names_with_line_breaks_stay_in_one_line_of_a_message(runner, order):
    tally = TransferProgress({})
    tally.feed("upload file fail (/a\x1b[31m)")
    with pytest.raises(PermanentTransferFailure, match=r"/a\\x1b\[31m"):
        running._raise_for_exit_code(11, tally)


class Numbers(TransferProgress):
    """Takes the processes' numbers, and does something when both are there."""

    def __init__(self, then):
        super().__init__({})
        self.numbers = []
        self.then = then

    def feed(self, line):
        self.numbers.append(int(line.split()[1]))
        if len(self.numbers) == 2:
            self.then()
        return super().feed(line)


class Interrupted(BaseException):
    pass


def interrupt():
    raise Interrupted


def test_stop_ends_the_command_with_its_children(runner, order):
    run = runner(WITH_A_CHILD)
    tally = Numbers(run.cancel)
    with pytest.raises(TransferCancelled):
        run.run(order, tally)
    assert all(map(gone, tally.numbers))


def test_stop_from_another_thread(runner, order):
    run = runner(WITH_A_CHILD)
    tally = Numbers(lambda: threading.Thread(target=run.cancel).start())
    with pytest.raises(TransferCancelled):
        run.run(order, tally)
    assert all(map(gone, tally.numbers))


def test_what_is_stopped_begins_nothing_more(runner, order, tmp_path):
    run = runner(f"touch {tmp_path}/ran")
    run.cancel()
    with pytest.raises(TransferCancelled):
        run.run(order, TransferProgress({}))


def test_an_exception_ends_the_command_with_its_children(runner, order):
    tally = Numbers(interrupt)
    with pytest.raises(Interrupted):
        runner(WITH_A_CHILD).run(order, tally)
    assert all(map(gone, tally.numbers))


def test_silence_ends_the_command_with_its_children(runner, order):
    tally = Numbers(lambda: None)
    with pytest.raises(TransferStalled):
        runner(WITH_A_CHILD, stall_timeout=0.3).run(order, tally)
    assert all(map(gone, tally.numbers))


def test_a_child_that_outlives_the_command_is_ended(runner, order):
    tally = Numbers(lambda: None)
    runner(WITH_A_CHILD.replace("wait", "sleep 0.2"), stall_timeout=5).run(order, tally)
    assert all(map(gone, tally.numbers))


WORKER = """
import sys
from pathlib import Path
from airflow_provider_renderbus.transfer.command import Command
from airflow_provider_renderbus.transfer.progress import TransferProgress
from tests.processes import gone
from airflow_provider_renderbus.transfer.process import TransferRunner
from tests.transfer.test_command_arguments import ROUTE, TransferArguments

class Told(TransferProgress):
    def feed(self, line):
        print(line, flush=True)
        return True

logs = Path(sys.argv[2])
runner = TransferRunner(Command.find(sys.argv[1]), logs, 600)
runner.run(TransferArguments("upload_json", ROUTE, logs, "/"), Told({}))
"""


def test_a_worker_that_is_killed_leaves_no_command_behind(stand_in, tmp_path):
    command = stand_in(WITH_A_CHILD)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(command.path), str(tmp_path / "logs")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        numbers = [int(worker.stdout.readline().split()[1]) for _ in range(2)]
        assert not any(psutil.Process(number).status() == psutil.STATUS_ZOMBIE for number in numbers)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
    assert all(map(gone, numbers))


def test_a_machine_without_processes_is_told(runner, order, monkeypatch):
    def none_left(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(running.subprocess, "Popen", none_left)
    with pytest.raises(TransferSetupError, match="cannot be started: Resource temporarily unavailable"):
        runner("").run(order, TransferProgress({}))


def test_no_process_is_left_over(runner, order):
    before = set(psutil.Process().children(recursive=True))
    begin = time.monotonic()
    runner("exit 0").run(order, TransferProgress({}))
    assert set(psutil.Process().children(recursive=True)) <= before
    assert time.monotonic() - begin < 10
