"""The files that describe a render, on their way to the farm."""

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.models.analysis import read_error_detail
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.tasks import RenderbusUploadTaskJsonOperator
from tests.airflow.context import context
from tests.scenes import task_json

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def sent(monkeypatch):
    """The files that reach the farm, by name."""
    kept = {}
    send = RenderbusHook.send

    def keep(hook, call):
        if call.name == "upload_task_json":
            kept[call.body["fileName"]] = json.loads(call.body["content"])
        return send(hook, call)

    monkeypatch.setattr(RenderbusHook, "send", keep)
    return kept


def upload(number, **files):
    operator = RenderbusUploadTaskJsonOperator(
        task_id="upload", render_task_id=number, **{"task_json": task_json(), **files}
    )
    return operator.execute(context())


def test_all_four_files_are_uploaded(created, sent, tmp_path):
    path = tmp_path / "upload.json"
    path.write_text(json.dumps({"asset": [{"local": "/mnt/a.blend", "server": "/mnt/a.blend"}]}))
    sizes = upload(created, upload_json=str(path), asset_json={"asset": []}, tips_json="{}")
    assert list(sizes) == list(sent) == ["task.json", "upload.json", "asset.json", "tips.json"]
    assert sent["task.json"]["task_info"]["task_id"] == str(created)
    assert sent["task.json"]["task_info"]["user_id"] == "100001"
    assert sent["task.json"]["task_info"]["platform"] == "2"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"task_json": {"task_info": {}}}, r"task\.json: \$"),
        ({"upload_json": {"asset": [{"local": "/a"}]}}, r"upload\.json: \$\.asset"),
        ({"tips_json": "no.json"}, r"tips_json: cannot read no\.json"),
        ({"hardware": {"colour": "red"}}, "hardware: colour is no trait"),
        ({"hardware": {"ram": "much"}}, "hardware ram: must be an integer"),
        ({"hardware": {"ram": 7}}, "no machine of platform 2 .*there are: .*64GB"),
        (
            {"hardware": {"model": "Default"}},
            "several kinds .*: Default, 64GB, no GPU; Default, 128GB, no GPU",
        ),
        ({"project_name": "Moon"}, "the account has no project 'Moon'"),
    ],
)
def test_what_is_wrong_is_told_before_any_file_is_sent(created, sent, files, message):
    with pytest.raises(AirflowFailException, match=message):
        upload(created, **files)
    assert sent == {}


def test_machines_and_project_are_filled_in_by_name(client, created, sent):
    client.send(calls.add_project("Sun"))
    upload(created, hardware={"ram": "64"}, project_name="Sun")
    info = sent["task.json"]["task_info"]
    assert info["project_name"] == "Sun"
    assert info["project_id"].isdigit()
    assert info["ram"] == "64"
    assert info["hardwareConfigIds"]


def test_machines_need_a_software(created):
    described = task_json()
    del described["task_info"]["cg_id"]
    with pytest.raises(AirflowFailException, match="cg_id"):
        upload(created, task_json=described, hardware={"ram": 64})


@pytest.mark.parametrize(("kind", "is_open", "stops"), [(1, 1, True), (0, 1, False), (1, 0, False)])
def test_enforced_findings_stop_the_upload(created, sent, monkeypatch, caplog, kind, is_open, stops):
    told = {"desDescriptionCn": "卡住", "desSolutionCn": "关闭"}
    detail = read_error_detail({"code": "15000", "type": kind, "isOpen": is_open, **told})
    send = RenderbusHook.send

    def answer(hook, call):
        return (detail,) if call.name == "query_error_detail" else send(hook, call)

    monkeypatch.setattr(RenderbusHook, "send", answer)
    if stops:
        with pytest.raises(
            AirflowFailException, match=r"tips\.json: 15000: 卡住; found: hangs; solution: 关闭"
        ):
            upload(created, tips_json={"15000": ["hangs"]})
        assert sent == {}
    else:
        upload(created, tips_json={"15000": ["hangs"]})
        assert "15000" in caplog.text


def test_what_is_unusual_is_a_warning(created, caplog):
    upload(created, task_json={**task_json(), "mood": "good"})
    assert "mood" in caplog.text
