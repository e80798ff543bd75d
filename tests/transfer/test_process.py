"""A command that runs, prints, fails or hangs, and is killed with its child processes."""

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

from airflow_provider_renderbus.transfer.errors import (
    PermanentTransferFailure,
    TransferCancelled,
    TransferFailed,
    TransferIncomplete,
    TransferSetupError,
    TransferStalled,
)
from airflow_provider_renderbus.transfer.process import _raise_for_exit_code
from airflow_provider_renderbus.transfer.progress import TransferProgress
from tests.processes import has_ended

SIZES = {"/a.blend": 1_000_000, "/b (2).exr": 2_000_000}
# Has a child process that ignores signals, and prints both process ids.
WITH_CHILD = (
    "(trap '' TERM HUP; echo child $(exec sh -c 'echo $PPID'); exec sleep 600) & echo leader $$; wait"
)


def print_and_exit(output, code):
    return f"printf '{output}'; exit {code}"


def test_run_answers_the_question_and_counts_files(make_runner, arguments):
    script = (
        "read answer; [ $answer = y ] || exit 9\n"
        "echo 'upload is begin'; echo 'upload file done 1/2 1000000 bytes (/a.blend)'\n"
        "echo 'upload file begin (/b (2).exr)'; echo 'upload file done (/b (2).exr)'"
    )
    progress = TransferProgress(SIZES)
    make_runner(script).run(arguments, progress)
    assert progress.done == set(SIZES)
    assert progress.bytes == 3_000_000


def test_run_passes_each_argument_unchanged(make_runner, arguments, tmp_path):
    make_runner(f'printf "%s\\0" "$@" > {tmp_path}/words').run(arguments, TransferProgress({}))
    assert (tmp_path / "words").read_text().split("\0")[:-1] == arguments.argv()


def test_run_sets_library_path_for_the_command_only(make_runner, arguments, tmp_path):
    script = (
        f"echo $LD_LIBRARY_PATH > {tmp_path}/own; tr '\\0' '\\n' < /proc/$PPID/environ > {tmp_path}/watchdogs"
    )
    runner = make_runner(script)
    runner.run(arguments, TransferProgress({}))
    assert (tmp_path / "own").read_text() == f"{runner.command.path.parent}\n"
    assert "LD_LIBRARY_PATH" not in (tmp_path / "watchdogs").read_text()


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (1, TransferIncomplete, "exit code 1"),
        (10, TransferIncomplete, "exit code 10"),
        (
            11,
            PermanentTransferFailure,
            r"can never be transferred .* failed: /b \(2\)\.exr: No such file\. ",
        ),
        (137, TransferIncomplete, "killed by signal 9"),
        *[(code, TransferFailed, f"exit code {code}") for code in range(2, 10)],
        *[(code, TransferFailed, f"exit code {code}") for code in (12, 126, 127, 254, 255)],
    ],
)
def test_run_exit_code_raises_its_error(make_runner, arguments, code, error, message):
    script = "upload file done (/a.blend)\\nupload file fail 2/2 No such file (/b (2).exr)\\n"
    with pytest.raises(error, match=message) as caught:
        make_runner(print_and_exit(script, code)).run(arguments, TransferProgress(SIZES))
    assert type(caught.value) is error
    assert caught.value.retryable == (error is TransferIncomplete)
    assert "after 1 file (1.0 MB)" in str(caught.value)
    assert "/b (2).exr" in str(caught.value)


def test_run_exit_code_0_with_failed_files_is_incomplete(make_runner, arguments):
    with pytest.raises(TransferIncomplete, match=r"/a\.blend: error-5"):
        make_runner(print_and_exit("upload file fail (/a.blend), error-5\\n", 0)).run(
            arguments, TransferProgress(SIZES)
        )


def test_run_file_done_after_a_failure_has_not_failed(make_runner, arguments):
    script = "upload file fail (/a.blend)\\nupload file done (/a.blend)\\n"
    progress = TransferProgress(SIZES)
    make_runner(print_and_exit(script, 0)).run(arguments, progress)
    assert progress.failed == {}


def test_run_command_that_is_not_a_program_fails(make_runner, arguments, script_command):
    runner = make_runner("")
    runner.command.path.write_bytes(b"\x7fELF nothing")
    with pytest.raises(TransferFailed, match="cannot be started: Exec format error"):
        runner.run(arguments, TransferProgress({}))


def test_run_killed_command_is_incomplete(make_runner, arguments):
    with pytest.raises(TransferIncomplete, match=r"after 1 file .*killed by signal 9"):
        make_runner("echo 'upload file done (/a.blend)'; kill -9 $$").run(arguments, TransferProgress(SIZES))


@pytest.mark.parametrize(
    "script",
    [
        "exec sleep 600",
        "while sleep 0.01; do echo 'ascp: Failed to open TCP connection for SSH, exiting.'; done",
        "while sleep 0.01; do echo 'upload file progress (/a.blend) speed: 0 KB/S, progress: 0'; done",
        "while sleep 0.01; do echo 'upload file progress (/a) 7'; echo 'upload file progress (/b) 9'; done",
        "while sleep 0.01; do echo 'upload file begin (/a.blend)'; done",
    ],
    ids=["silent", "error messages", "same progress", "same progress of two files", "begins again"],
)
def test_run_without_progress_is_stalled(make_runner, arguments, script):
    with pytest.raises(TransferStalled, match=r"after 0 files .*no progress for .* s, ") as caught:
        make_runner(script, stall_timeout=0.3).run(arguments, TransferProgress(SIZES))
    assert caught.value.retryable


def test_run_progress_of_one_large_file_is_not_stalled(make_runner, arguments):
    times = iter(range(0, 10_000, 50))
    script = 'for n in 1 2 3 4 5 6 7 8; do echo "upload file progress (/a.blend) progress: $n"; done'
    make_runner(script, stall_timeout=60, clock=lambda: next(times)).run(arguments, TransferProgress(SIZES))


def test_run_log_has_the_current_line_of_a_large_file(make_runner, arguments, caplog):
    caplog.set_level("INFO")
    times = iter(range(0, 10_000, 40))
    make_runner(
        "echo 'upload file progress (/a.blend) 40 %'; sleep 0.1; echo 'upload file done (/a.blend)'",
        stall_timeout=600,
        clock=lambda: next(times),
    ).run(arguments, TransferProgress(SIZES))
    assert (
        "Transferred 0 files (0.0 MB) of 2 files (3.0 MB), 0.0 MB/s; upload file progress (/a.blend) 40 %"
        in caplog.messages
    )


def test_run_log_has_a_line_per_interval(make_runner, arguments, caplog):
    caplog.set_level("INFO")
    times = iter(range(100_000))
    script = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo "upload file done (/f$i)"; done'
    make_runner(script, clock=lambda: next(times)).run(
        arguments, TransferProgress({f"/f{i}": 1_000_000 for i in range(1, 301)})
    )
    messages = [record.getMessage() for record in caplog.records]
    assert 5 <= len(messages) <= 12
    expected = "Transferred 30 files (30.0 MB) of 300 files (300.0 MB), 1.0 MB/s, about 270 s left"
    assert messages[0] == expected


def test_run_log_has_other_lines_of_the_command_once(make_runner, arguments, caplog):
    caplog.set_level("DEBUG")
    script = (
        "for n in 1 2 3; do echo 'ascp: no connection'; echo 'upload file begin (/a)'; done; seq 100; exit 3"
    )
    with pytest.raises(TransferFailed):
        make_runner(script).run(arguments, TransferProgress(SIZES))
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert said == [
        ("WARNING", "transfer command: ascp: no connection"),
        *(("DEBUG", f"transfer command: {number}") for number in range(1, 50)),
    ]


def test_run_output_with_any_bytes_is_read(make_runner, arguments):
    script = (
        "printf 'upload file progress\\r\\rupload file done (/a.blend)\\r\\n\\377\\376 %070000d' 7; exit 3"
    )
    with pytest.raises(TransferFailed, match=r"\\xff\\xfe") as caught:
        make_runner(script).run(arguments, TransferProgress(SIZES))
    assert "after 1 file" in str(caught.value)
    assert len(str(caught.value)) < 2_000
    assert "\n" not in str(caught.value)


def test_error_message_with_control_characters_is_one_line(make_runner, arguments):
    progress = TransferProgress({})
    progress.feed("upload file fail (/a\x1b[31m)")
    with pytest.raises(PermanentTransferFailure, match="/a\ufffd\\[31m"):
        _raise_for_exit_code(11, progress)


class ProcessIds(TransferProgress):
    """Reads the two process ids, and calls a function after the second."""

    def __init__(self, then):
        super().__init__({})
        self.process_ids = []
        self.then = then

    def feed(self, line):
        self.process_ids.append(int(line.split()[1]))
        if len(self.process_ids) == 2:
            self.then()
        return super().feed(line)


class Interrupted(BaseException):
    pass


def interrupt():
    raise Interrupted


def test_cancel_kills_the_command_with_its_children(make_runner, arguments):
    runner = make_runner(WITH_CHILD)
    progress = ProcessIds(runner.cancel)
    with pytest.raises(TransferCancelled):
        runner.run(arguments, progress)
    assert all(map(has_ended, progress.process_ids))


def test_cancel_from_another_thread_kills_the_command(make_runner, arguments):
    runner = make_runner(WITH_CHILD)
    progress = ProcessIds(lambda: threading.Thread(target=runner.cancel).start())
    with pytest.raises(TransferCancelled):
        runner.run(arguments, progress)
    assert all(map(has_ended, progress.process_ids))


def test_cancel_before_run_starts_nothing(make_runner, arguments, tmp_path):
    runner = make_runner(f"touch {tmp_path}/ran")
    runner.cancel()
    with pytest.raises(TransferCancelled):
        runner.run(arguments, TransferProgress({}))


def test_exception_kills_the_command_with_its_children(make_runner, arguments):
    progress = ProcessIds(interrupt)
    with pytest.raises(Interrupted):
        make_runner(WITH_CHILD).run(arguments, progress)
    assert all(map(has_ended, progress.process_ids))


def test_stalled_command_is_killed_with_its_children(make_runner, arguments):
    progress = ProcessIds(lambda: None)
    with pytest.raises(TransferStalled):
        make_runner(WITH_CHILD, stall_timeout=0.3).run(arguments, progress)
    assert all(map(has_ended, progress.process_ids))


def test_child_that_outlives_the_command_is_killed(make_runner, arguments):
    progress = ProcessIds(lambda: None)
    make_runner(WITH_CHILD.replace("wait", "sleep 0.2"), stall_timeout=5).run(arguments, progress)
    assert all(map(has_ended, progress.process_ids))


WORKER = """
import sys
from pathlib import Path
from airflow_provider_renderbus.transfer.command import Command
from airflow_provider_renderbus.transfer.progress import TransferProgress
from tests.processes import has_ended
from airflow_provider_renderbus.transfer.process import TransferRunner
from tests.transfer.conftest import ENDPOINT, TransferArguments

class PrintLines(TransferProgress):
    def feed(self, line):
        print(line, flush=True)
        return True

logs = Path(sys.argv[2])
runner = TransferRunner(Command.find(sys.argv[1]), logs, 600)
runner.run(TransferArguments("upload_json", ENDPOINT, logs, "/"), PrintLines({}))
"""


def test_killed_worker_leaves_no_process(script_command, tmp_path):
    command = script_command(WITH_CHILD)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(command.path), str(tmp_path / "logs")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        process_ids = [int(worker.stdout.readline().split()[1]) for _ in range(2)]
        assert not any(psutil.Process(each).status() == psutil.STATUS_ZOMBIE for each in process_ids)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
    assert all(map(has_ended, process_ids))


def test_run_without_free_processes_is_rejected(make_runner, arguments):
    def no_process(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with pytest.raises(TransferSetupError, match="cannot be started: Resource temporarily unavailable"):
        make_runner("", popen=no_process).run(arguments, TransferProgress({}))


def test_run_leaves_no_process(make_runner, arguments):
    before = set(psutil.Process().children(recursive=True))
    begin = time.monotonic()
    make_runner("exit 0").run(arguments, TransferProgress({}))
    assert set(psutil.Process().children(recursive=True)) <= before
    assert time.monotonic() - begin < 10


def test_run_that_may_be_killed_waits_before_a_file_moves_and_is_not_stalled_after(make_runner, arguments):
    now, moved, waits = [0.0], [], []

    def wait_to_be_killed():
        if waits:
            return False
        assert moved == []
        waits.append(now[0])
        now[0] += 1000.0
        return True

    make_runner(
        "echo 'upload file done (/a.blend)'; sleep 0.1; echo; echo 'upload file done (/b (2).exr)'",
        stall_timeout=900,
        clock=lambda: now[0],
        wait_to_be_killed=wait_to_be_killed,
    ).run(arguments, TransferProgress(SIZES, moved.append))
    assert waits == [0.0]
    assert moved == ["/a.blend", "/b (2).exr"]


def test_run_that_is_killed_while_it_waits_moves_nothing(make_runner, arguments):
    moved = []

    def wait_to_be_killed():
        raise SystemExit

    runner = make_runner("echo 'upload file done (/a.blend)'", wait_to_be_killed=wait_to_be_killed)
    with pytest.raises(SystemExit):
        runner.run(arguments, TransferProgress(SIZES, moved.append))
    assert moved == []
