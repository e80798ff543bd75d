from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dev.harness.processes import ProgramError, Programs, free_port

PROJECT = Path(__file__).parents[3]

# Writes its process id and that of a child, which is in a process group of its own as Airflow's tasks are.
# Both ignore SIGTERM.
STUBBORN = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
    folder = pathlib.Path(sys.argv[1])
    (folder / "new").write_text(f"{os.getppid()} {os.getpid()}")
    (folder / "new").rename(folder / "pids")
time.sleep(600)
"""

# A program like the demo: it runs the stubborn program until a signal ends it.
DEMO = """
import os, pathlib, sys, time
from dev.harness.processes import Programs, StopSignal, raise_on_signals
folder = pathlib.Path(sys.argv[1])
raise_on_signals()
try:
    with Programs(terminate_timeout=0.1) as programs:
        command = [sys.executable, "-c", sys.argv[2], str(folder)]
        programs.start(command, name="stubborn", environment=os.environ, log=folder / "log")
        if sys.argv[3] == "error":
            programs.wait_until("the start", (folder / "pids").exists, 30)
            raise RuntimeError("on purpose")
        time.sleep(600)
except StopSignal as stopped:
    sys.exit(128 + stopped.number)
"""


@pytest.fixture
def programs():
    with Programs(terminate_timeout=0.1) as running:
        yield running


@pytest.fixture
def start(programs, tmp_path):
    def start_python(code, *arguments, **options):
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return programs.start(
            command, name="a program", environment=os.environ, log=tmp_path / "log", **options
        )

    return start_python


def pids(folder):
    return [int(pid) for pid in (folder / "pids").read_text().split()]


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_terminate_all_kills_children_that_ignore_sigterm(programs, start, tmp_path):
    start(STUBBORN, tmp_path)
    programs.wait_until("the start", (tmp_path / "pids").exists, 30)
    assert {member.pid for member in programs.members()} == set(pids(tmp_path))

    programs.terminate_all()

    assert not any(map(alive, pids(tmp_path)))
    assert not programs.running


def test_terminate_all_kills_children_of_a_dead_program(programs, start, tmp_path):
    program = start(STUBBORN, tmp_path)
    programs.wait_until("the start", (tmp_path / "pids").exists, 30)
    program.process.kill()

    programs.terminate_all()

    assert not any(map(alive, pids(tmp_path)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, None])
def test_programs_after_a_signal_or_an_error_leave_no_process(number, tmp_path):
    command = [sys.executable, "-c", DEMO, str(tmp_path), STUBBORN, "signal" if number else "error"]
    with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE) as demo:
        with Programs() as waiting:
            waiting.wait_until(
                "the start", lambda: (tmp_path / "pids").exists() or demo.poll() is not None, 30
            )
        if number:
            demo.send_signal(number)
        _, errors = demo.communicate(timeout=30)

    assert demo.returncode == (128 + number if number else 1), errors
    assert number or b"on purpose" in errors
    assert not any(map(alive, pids(tmp_path)))


def test_wait_until_program_ends_raises_with_status_and_log(programs, start, tmp_path):
    start("import sys; print('no space left'); sys.exit(3)")
    with pytest.raises(ProgramError) as error:
        programs.wait_until("the event", lambda: False, 30)
    assert "a program ended with status 3" in str(error.value)
    assert "    no space left" in str(error.value)
    assert str(tmp_path / "log") in str(error.value)


def test_program_may_end_only_if_allowed_and_with_status_0(programs, start):
    good = start("", may_end=True)
    programs.wait_until("its end", lambda: good.process.poll() == 0, 30)
    programs.raise_if_ended()
    bad = start("raise SystemExit(1)", may_end=True)
    with pytest.raises(ProgramError, match="status 1"):
        programs.wait_until("its end", lambda: bad.process.poll() == 0, 30)


def test_wait_until_timed_out_raises_with_the_event_and_the_logs(programs, start, tmp_path):
    start("import time; time.sleep(600)")
    with pytest.raises(ProgramError, match=r"the event did not happen within 0\.01 s; see .*log"):
        programs.wait_until("the event", lambda: False, 0.01)


def test_program_started_paused_runs_after_resume(programs, start, tmp_path):
    program = start("import sys; sys.stdin.read(); print('released')", may_end=True, paused=True)
    assert program.process.poll() is None
    program.resume()
    programs.wait_until("its end", lambda: program.process.poll() == 0, 30)
    assert (tmp_path / "log").read_text() == "released\n"


def test_free_port_can_be_listened_on():
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname()[1] == port


def test_raise_if_ended_killed_program_raises_nothing(programs, start):
    program = start("import time; time.sleep(600)")
    programs.kill(program)
    assert program.process.poll() == -signal.SIGKILL
    programs.raise_if_ended()


def test_kill_alone_leaves_the_children(programs, start, tmp_path):
    program = start(STUBBORN, tmp_path)
    programs.wait_until("the start", (tmp_path / "pids").exists, 30)
    programs.kill(program, alone=True)
    assert [each.pid for each in programs.members()] == [int((tmp_path / "pids").read_text().split()[1])]
    programs.terminate_all()
    assert not any(program.members())


def test_terminate_returns_after_the_program_has_ended(programs, start):
    program = start("import time; time.sleep(600)")
    programs.terminate(program, timeout=30)
    assert program.process.poll() == -signal.SIGTERM
    programs.raise_if_ended()


def test_program_signal_sigstop_pauses_it(programs, start):
    program = start("import time; time.sleep(600)")
    program.signal(signal.SIGSTOP)
    (member,) = programs.members()
    programs.wait_until("the pause", lambda: member.status() == psutil.STATUS_STOPPED, 30)
    program.signal(signal.SIGCONT)
    programs.wait_until("its end", lambda: member.status() != psutil.STATUS_STOPPED, 30)
