from __future__ import annotations

import sqlite3
from contextlib import closing

import httpx
import pytest
from cryptography.fernet import Fernet

from dev.harness.airflow_instance import AirflowInstance, inherited_environment
from dev.harness.processes import ProgramError, Programs


def scripted_client(*responses):
    """An HTTP client that returns the responses one after the other, then the last one again and again."""
    script = list(responses)

    def respond(request):
        status, body = script.pop(0) if len(script) > 1 else script[0]
        return httpx.Response(status, json=body)

    return httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(respond))


@pytest.fixture
def airflow(tmp_path):
    return AirflowInstance(
        tmp_path / "airflow", tmp_path / "dags", Programs(), {"AIRFLOW__CORE__PARALLELISM": "9"}
    )


def test_inherited_environment_of_another_airflow_or_farm_is_dropped(monkeypatch, airflow):
    for name in ("AIRFLOW_CONN_RENDERBUS_DEFAULT", "AIRFLOW__CORE__EXECUTOR", "RENDERBUS_FRAMES_FOLDER"):
        monkeypatch.setenv(name, "the user's")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy")
    inherited = inherited_environment()
    assert "the user's" not in {*inherited.values(), *airflow.environment().values()}
    assert "PYTHONDONTWRITEBYTECODE" not in inherited
    assert inherited["NO_PROXY"] == inherited["no_proxy"] == "127.0.0.1"


def test_airflow_instance_settings_override_its_own(airflow):
    assert airflow.environment()["AIRFLOW__CORE__PARALLELISM"] == "9"


def test_airflow_instance_keys_are_its_own_and_shared_by_its_processes(tmp_path):
    one, other = (AirflowInstance(tmp_path / name, tmp_path, Programs()) for name in ("one", "other"))
    for key in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__CORE__FERNET_KEY"):
        assert one.environment()[key] == one.environment()[key] != other.environment()[key]


def test_airflow_api_transient_error_is_retried(airflow):
    airflow.sleep = lambda seconds: None
    with scripted_client((500, {}), (503, {}), (200, {"dags": []})) as airflow._http:
        assert airflow.get("/dags") == {"dags": []}


def test_airflow_api_client_error_is_raised_at_once(airflow):
    with scripted_client((404, {})) as airflow._http, pytest.raises(httpx.HTTPStatusError, match="404"):
        airflow.get("/dags/none")


def test_unpause_dag_with_import_error_raises_with_its_traceback(airflow):
    error = {"filename": "nightly.py", "stack_trace": "ZeroDivisionError: division by zero"}
    with (
        scripted_client((200, {"import_errors": [error]})) as airflow._http,
        pytest.raises(ProgramError, match=r"nightly\.py cannot be imported:\nZeroDivisionError"),
    ):
        airflow.unpause("nightly")


def test_triggers_are_returned_decrypted(airflow):
    encrypted = Fernet(airflow.environment()["AIRFLOW__CORE__FERNET_KEY"]).encrypt(b'{"numbers": [7]}')
    with closing(sqlite3.connect(airflow.home / "airflow.db")) as database:
        database.execute("create table trigger (kwargs text)")
        database.execute("insert into trigger values (?), (?)", (encrypted.decode(), '{"numbers": [8]}'))
        database.commit()
    assert airflow.triggers() == {'{"numbers": [7]}', '{"numbers": [8]}'}
