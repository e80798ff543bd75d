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
from dev.harness.processes import Programs, Stopped, stop_on_signals
folder = pathlib.Path(sys.argv[1])
stop_on_signals()
try:
    with Programs(seconds_to_end=0.1) as programs:
        command = [sys.executable, "-c", sys.argv[2], str(folder)]
        programs.start(command, name="stubborn", environment=os.environ, log=folder / "log")
        if sys.argv[3] == "error":
            programs.wait_until("the start", (folder / "pids").exists, 30)
            raise RuntimeError("on purpose")
        time.sleep(600)
except Stopped as stopped:
    sys.exit(128 + stopped.number)
"""


@pytest.fixture
def programs():
    with Programs(seconds_to_end=0.1) as running:
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


def test_end_reaches_what_a_program_started_even_where_it_ignores_sigterm(programs, start, tmp_path):
    start(STUBBORN, tmp_path)
    programs.wait_until("the start", (tmp_path / "pids").exists, 30)
    assert {member.pid for member in programs.members()} == set(pids(tmp_path))

    programs.end()

    assert not any(map(alive, pids(tmp_path)))
    assert not programs.running


def test_what_a_dead_program_left_is_ended_too(programs, start, tmp_path):
    program = start(STUBBORN, tmp_path)
    programs.wait_until("the start", (tmp_path / "pids").exists, 30)
    program.process.kill()

    programs.end()

    assert not any(map(alive, pids(tmp_path)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, None])
def test_nothing_is_left_after_a_signal_or_an_error(number, tmp_path):
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


def test_a_program_that_ends_is_named_with_its_status_and_the_end_of_its_log(programs, start, tmp_path):
    start("import sys; print('no room left'); sys.exit(3)")
    with pytest.raises(ProgramError) as error:
        programs.wait_until("a wonder", lambda: False, 30)
    assert "a program ended with status 3" in str(error.value)
    assert "    no room left" in str(error.value)
    assert str(tmp_path / "log") in str(error.value)


def test_a_program_may_end_only_where_it_was_said_and_with_status_0(programs, start):
    good = start("", may_end=True)
    programs.wait_until("its end", lambda: good.process.poll() == 0, 30)
    programs.watch()
    bad = start("raise SystemExit(1)", may_end=True)
    with pytest.raises(ProgramError, match="status 1"):
        programs.wait_until("its end", lambda: bad.process.poll() == 0, 30)


def test_what_did_not_happen_in_time_is_told(programs, start, tmp_path):
    start("import time; time.sleep(600)")
    with pytest.raises(ProgramError, match=r"a wonder did not happen within 0\.01 s; see .*log"):
        programs.wait_until("a wonder", lambda: False, 0.01)


def test_a_held_program_goes_on_when_it_is_released(programs, start, tmp_path):
    program = start("import sys; sys.stdin.read(); print('released')", may_end=True, held=True)
    assert program.process.poll() is None
    program.release()
    programs.wait_until("its end", lambda: program.process.poll() == 0, 30)
    assert (tmp_path / "log").read_text() == "released\n"


def test_a_free_port_can_be_listened_on():
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname()[1] == port


def test_a_killed_program_is_missed_by_nobody(programs, start):
    program = start("import time; time.sleep(600)")
    programs.kill(program)
    assert program.process.poll() == -signal.SIGKILL
    programs.watch()


def test_what_a_killed_program_has_started_can_live_on(programs, start, tmp_path):
    program = start(STUBBORN, tmp_path)
    programs.wait_until("the start", (tmp_path / "pids").exists, 30)
    programs.kill(program, alone=True)
    assert [each.pid for each in programs.members()] == [int((tmp_path / "pids").read_text().split()[1])]
    programs.end()
    assert not any(program.members())


def test_a_stopped_program_has_ended(programs, start):
    program = start("import time; time.sleep(600)")
    programs.stop(program, seconds=30)
    assert program.process.poll() == -signal.SIGTERM
    programs.watch()


def test_a_program_can_be_paused(programs, start):
    program = start("import time; time.sleep(600)")
    program.signal(signal.SIGSTOP)
    (member,) = programs.members()
    programs.wait_until("the pause", lambda: member.status() == psutil.STATUS_STOPPED, 30)
    program.signal(signal.SIGCONT)
    programs.wait_until("its end", lambda: member.status() != psutil.STATUS_STOPPED, 30)
