"""The machines of an Airflow on Celery, without an Airflow."""

import os
import subprocess
import sys

import pytest

from dev.harness.celery_airflow import CeleryAirflow
from dev.harness.cpu_time import cpu_seconds
from dev.harness.processes import Programs

SETTINGS = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://127.0.0.1:1/airflow"}
PRINT = "import os, socket; print(socket.gethostname(), os.environ['TMPDIR'], os.environ['AIRFLOW_HOME'])"


@pytest.fixture
def programs():
    with Programs() as programs:
        yield programs


@pytest.fixture
def airflow(tmp_path, programs):
    return CeleryAirflow(tmp_path / "airflow", tmp_path / "dags", programs, SETTINGS)


@pytest.mark.skipif(
    os.geteuid() != 0 and subprocess.run(["unshare", "--user", "true"], check=False).returncode != 0,
    reason="only root may have a host name of its own here",
)
def test_machine_has_host_name_and_folders_of_its_own(airflow):
    for name in ("worker-1", "triggerer-2"):
        program = airflow._start(name, [sys.executable, "-c", PRINT], may_end=True)
        assert program.process.wait(30) == 0
        folder = airflow.machine(name)
        assert airflow.log(name).read_text().split() == [name, str(folder / "tmp"), str(folder / "airflow")]


def test_machine_settings_are_those_of_one_machine(airflow):
    airflow.machine_settings["triggerer-1"] = {"PYTHONPATH": "/older"}
    assert airflow.environment_of("triggerer-1")["PYTHONPATH"] == "/older"
    assert "PYTHONPATH" not in airflow.environment_of("triggerer-2")
    assert airflow.environment_of("scheduler") == airflow.environment()


def test_environment_has_broker_and_results_with_passwords_of_their_own(airflow):
    environment = airflow.environment()
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert environment["AIRFLOW__CELERY__RESULT_BACKEND"] == "db+postgresql://127.0.0.1:1/airflow"
    assert environment["AIRFLOW__CELERY__BROKER_URL"] == airflow.redis.url
    assert (airflow.redis.folder / "redis.conf").stat().st_mode & 0o077 == 0


def test_restart_always_starts_what_has_ended(airflow, monkeypatch):
    monkeypatch.setattr("dev.harness.celery_airflow._RESTART_DELAY", 0.01)
    command = ["sleep", "60"]

    def start(component, *_, **__):
        airflow.components[component] = airflow.programs.start(
            command, name=component, environment=dict(os.environ), log=airflow.log(component)
        )
        return airflow.components[component]

    monkeypatch.setattr(airflow, "start_component", start)
    first = start("scheduler")
    with airflow.restart_always():
        first.process.kill()
        airflow.programs.wait_until("a restart", lambda: airflow.components["scheduler"] is not first, 30.0)
    assert airflow.components["scheduler"].process.poll() is None


def test_cpu_seconds_count_children_that_have_ended(programs, tmp_path):
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    code = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {burn!r}])"
    code += "; print(1); time.sleep(60)"
    log = tmp_path / "log"
    program = programs.start(
        [sys.executable, "-u", "-c", code], name="parent", environment=dict(os.environ), log=log
    )
    programs.wait_until("the end of its child", lambda: log.read_text() == "1\n", 30.0)
    assert cpu_seconds(program) >= 0.3
    assert cpu_seconds(program, alone=True) < 0.3
