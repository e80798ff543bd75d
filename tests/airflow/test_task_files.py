"""RenderbusUploadTaskJsonOperator: files are validated, completed and uploaded."""

import json

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.models.tasks import read_error_detail
from airflow_provider_renderbus.compat import AirflowFailException
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.tasks import RenderbusUploadTaskJsonOperator
from tests.airflow.context import context
from tests.scenes import make_task_json

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def uploaded(monkeypatch):
    """The files that reach the farm, by name."""
    files = {}
    send = RenderbusHook.send

    def record(hook, call):
        if call.name == "upload_task_json":
            files[call.body["fileName"]] = json.loads(call.body["content"])
        return send(hook, call)

    monkeypatch.setattr(RenderbusHook, "send", record)
    return files


def upload(task_id, **files):
    operator = RenderbusUploadTaskJsonOperator(
        task_id="upload", render_task_id=task_id, **{"task_json": make_task_json(), **files}
    )
    return operator.execute(context())


def test_upload_all_four_files_returns_their_sizes(created, uploaded, tmp_path):
    path = tmp_path / "upload.json"
    path.write_text(json.dumps({"asset": [{"local": "/mnt/a.blend", "server": "/mnt/a.blend"}]}))
    sizes = upload(created, upload_json=str(path), asset_json={"asset": []}, tips_json="{}")
    assert list(sizes) == list(uploaded) == ["task.json", "upload.json", "asset.json", "tips.json"]
    assert uploaded["task.json"]["task_info"]["task_id"] == str(created)
    assert uploaded["task.json"]["task_info"]["user_id"] == "100001"
    assert uploaded["task.json"]["task_info"]["platform"] == "2"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"task_json": {"task_info": {}}}, r"task\.json: \$"),
        ({"upload_json": {"asset": [{"local": "/a"}]}}, r"upload\.json: \$\.asset"),
        ({"tips_json": "no.json"}, r"tips_json: cannot read no\.json"),
        ({"hardware": {"colour": "red"}}, "hardware: keys must be among model, ram, gpu_num, got colour"),
        ({"hardware": {"ram": "much"}}, "hardware ram: must be an integer"),
        ({"hardware": {"ram": 7}}, "no machine of platform 2 .*available: .*64GB"),
        (
            {"hardware": {"model": "Default"}},
            "several types .*: Default, 64GB, no GPU; Default, 128GB, no GPU",
        ),
        ({"project_name": "Moon"}, r"project_name: must be a project of the account \(.*\), got 'Moon'"),
    ],
)
def test_upload_invalid_argument_fails_before_any_file_is_sent(created, uploaded, files, message):
    with pytest.raises(AirflowFailException, match=message):
        upload(created, **files)
    assert uploaded == {}


def test_upload_hardware_and_project_are_set_by_name(client, created, uploaded):
    client.send(calls.add_project("Sun"))
    upload(created, hardware={"ram": "64"}, project_name="Sun")
    info = uploaded["task.json"]["task_info"]
    assert info["project_name"] == "Sun"
    assert info["project_id"].isdigit()
    assert info["ram"] == "64"
    assert info["hardwareConfigIds"]


def test_upload_hardware_without_software_fails(created):
    content = make_task_json()
    del content["task_info"]["cg_id"]
    with pytest.raises(AirflowFailException, match="cg_id"):
        upload(created, task_json=content, hardware={"ram": 64})


@pytest.mark.parametrize(("kind", "is_open", "fails"), [(1, 1, True), (0, 1, False), (1, 0, False)])
def test_upload_enforced_finding_fails(created, uploaded, monkeypatch, caplog, kind, is_open, fails):
    texts = {"desDescriptionCn": "卡住", "desSolutionCn": "关闭"}
    detail = read_error_detail({"code": "15000", "type": kind, "isOpen": is_open, **texts})
    send = RenderbusHook.send

    def respond(hook, call):
        return (detail,) if call.name == "query_error_detail" else send(hook, call)

    monkeypatch.setattr(RenderbusHook, "send", respond)
    if fails:
        with pytest.raises(
            AirflowFailException, match=r"tips\.json: 15000: 卡住; found: hangs; solution: 关闭"
        ):
            upload(created, tips_json={"15000": ["hangs"]})
        assert uploaded == {}
    else:
        upload(created, tips_json={"15000": ["hangs"]})
        assert "15000" in caplog.text


def test_upload_unknown_field_is_a_warning(created, caplog):
    upload(created, task_json={**make_task_json(), "mood": "good"})
    assert "mood" in caplog.text
