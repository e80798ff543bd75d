"""The frame wall with Airflow's FAB auth manager, whose roles have permissions on single DAGs.

``make pytest-fab`` runs it in an environment with that provider.
"""

from __future__ import annotations

import importlib.util
import json

import pytest

from airflow_provider_renderbus.farm import ManualClock
from dev.harness.embedded_farm import StockedFarm
from tests.airflow_version import LINE
from tests.farm.raw_client import RawClient, job
from tests.web.wall_testbed import wall_airflow

pytestmark = [
    pytest.mark.skipif(LINE < (3, 1), reason="Airflow has no pages of plugins before 3.1"),
    pytest.mark.skipif(
        importlib.util.find_spec("airflow.providers.fab") is None, reason="the provider fab is not installed"
    ),
    pytest.mark.usefixtures("set_up_once"),
]
ROLES = {"admin": "Admin", "viewer": "Viewer", "guest": "Secret"}
# Of one DAG only. "XComs" and "Task Instances" are needed beside it, as for Airflow's own pages.
SECRET_ROLE = [
    {"name": "Secret", "resource": resource, "action": "can_read"}
    for resource in ("DAG:secret", "DAG Runs", "Task Instances", "XComs")
]


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    with StockedFarm(tmp_path_factory.mktemp("farm") / "storage", ManualClock()) as farm:
        yield farm


@pytest.fixture(scope="module")
def airflow(farm, set_up_once, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wall")
    manager = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
    users = [
        f"users create -u {name} -p {name}-password -r {role} -e {name}@studio.example -f {name} -l {name}"
        for name, role in ROLES.items()
    ]
    (folder / "roles.json").write_text(json.dumps(SECRET_ROLE))
    before_start = [
        ("sync-perm", "--include-dags"),
        ("roles", "import", str(folder / "roles.json")),
        *(user.split() for user in users),
    ]
    connections = {"renderbus_default": farm.connection()}
    with wall_airflow(
        folder / "airflow",
        connections,
        before_start=before_start,
        AIRFLOW__CORE__AUTH_MANAGER=manager,
        AIRFLOW__FAB__ENABLE_PROXY_FIX="False",
    ) as airflow:
        yield airflow


@pytest.fixture(scope="module")
def runs(airflow, farm):
    client = RawClient(farm)
    night, secret = client.submit(job("sh010.blend")), client.submit(job("secret.blend"))
    airflow.add_run("run", {"shots": [night]})
    airflow.add_run("run", {"shots": [secret]}, dag_id="secret")
    return {"night": night, "secret": secret}


@pytest.mark.parametrize(
    ("user", "night", "secret"),
    [("admin", 200, 200), ("viewer", 200, 200), ("guest", 403, 200), (None, 401, 401)],
)
def test_role_sees_the_renders_of_the_dags_that_it_may_read(airflow, runs, user, night, secret):
    for dag_id, status in (("night", night), ("secret", secret)):
        page = airflow.page("run", "shots", dag_id=dag_id)
        leaf = f"{page}/leaves/{runs[dag_id]}"
        for url in (page, f"{page}/renders", f"{leaf}/frames", airflow.page("run", dag_id=dag_id)):
            response = airflow.read(url, user)
            assert response.status_code == status, url
            assert status == 200 or str(runs[dag_id]) not in response.text


def test_viewer_sees_no_plugins_so_that_the_link_is_needed(airflow, runs):
    """If this fails, the link Frames is superfluous: roles see the tab."""
    assert airflow.read(f"{airflow.url}/api/v2/plugins", "admin").status_code == 200
    assert airflow.read(f"{airflow.url}/api/v2/plugins", "viewer").status_code == 403


def test_log_of_a_frame_needs_the_permission_on_task_logs(airflow, farm, runs):
    farm.advance(10_000)
    page = airflow.page("run", "shots", dag_id="secret")
    leaf = f"{page}/leaves/{runs['secret']}"
    frame = airflow.read(f"{leaf}/frames", "guest").json()["pages"][0]["ids"][0]
    assert airflow.read(f"{leaf}/frames/{frame}/log", "viewer").status_code == 200
    assert airflow.read(f"{leaf}/frames/{frame}/log", "guest").status_code == 403
