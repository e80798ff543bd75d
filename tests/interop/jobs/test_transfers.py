"""Tests of uploads and downloads by the vendor's own code with the farm's transfer command."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from dev.harness.embedded_farm import StockedFarm, put_scene
from tests.interop.jobs.customer import Customer
from tests.interop.jobs.shot import Shot, contents
from tests.interop.jobs.test_jobs import FINISHED, STOPPED, job, layered_job
from tests.interop.vendor import VendorError

COMMAND = "renderbus-farm-transmitter"
JOBS = {"plain": job(), "layered": layered_job("beauty", "shadow")}
every_job = pytest.mark.parametrize("task_json", JOBS.values(), ids=JOBS)


@pytest.fixture
def scenario():
    return {"pictures": True}


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """The command in a folder of its own, because the vendor's code makes its whole folder writable."""
    installed = Path(sys.executable).with_name(COMMAND)
    return shutil.copyfile(installed, tmp_path_factory.mktemp("command") / COMMAND)


@pytest.fixture
def customer(customer, command):
    customer.call("use_transmitter", path=str(command))
    assert customer.call("uploads.trans.transmitter_exe") == str(command)
    assert customer.call("downloads.trans.transmitter_exe") == str(command)
    return customer


@pytest.fixture
def shot(tmp_path):
    return Shot(tmp_path)


@pytest.fixture
def configs(storage):
    return storage / "config" / "30201-100001"


def create(customer):
    (task_id,) = customer.call("task.create_task")["taskIdList"]
    return task_id


def upload(customer, shot):
    assert customer.call("uploads.upload_asset", upload_json_path=str(shot.upload_json)) is True


def download(customer, folder, task_id=None, **options):
    task_ids = None if task_id is None else [task_id]
    success = customer.call("downloads.download", task_id_list=task_ids, local_path=str(folder), **options)
    assert success is True
    return contents(folder)


def wait_for_frames(customer, task_id):
    """Wait for a task, and return its frames in the storage."""
    before = contents(customer.farm.output_root)
    customer.wait(task_id)
    after = contents(customer.farm.output_root)
    return {name: after[name] for name in after.keys() - before.keys()}


@every_job
def test_scene_is_uploaded_and_frames_are_downloaded(
    customer, shot, storage, inputs, configs, tmp_path, task_json
):
    wait_for_frames(customer, customer.render(job(scene="another.blend")))
    task_id = create(customer)
    files = {
        "task.json": shot.describe("task.json", task_json),
        "tips.json": shot.describe("tips.json", {}),
        "asset.json": shot.describe("asset.json", {"asset": list(map(str, shot.assets))}),
        "upload.json": shot.upload_json,
    }
    paths = {name.replace(".", "_") + "_path": str(path) for name, path in files.items()}
    assert customer.call("uploads.upload", task_id=task_id, **paths) is True
    assert contents(inputs).items() >= shot.stored().items()
    put_scene(storage, task_json["task_info"]["input_cg_file"])
    assert contents(configs) == {f"{task_id}/cfg/{name}": path.read_bytes() for name, path in files.items()}

    customer.call("api.submit", task_id=task_id)
    expected = wait_for_frames(customer, task_id)
    downloaded = download(customer, tmp_path / "frames", task_id)
    assert downloaded == expected
    assert len(downloaded) == (6 if "layers" in task_json else 4)
    for frame in downloaded.values():
        with Image.open(io.BytesIO(frame)) as picture:
            picture.load()
            assert (picture.format, picture.size) == ("PNG", (32, 18))


@every_job
def test_frames_are_downloaded_without_folders(customer, tmp_path, task_json):
    task_id = customer.render(task_json)
    expected = wait_for_frames(customer, task_id)
    downloaded = download(customer, tmp_path / "frames", task_id, download_filename_format="false")
    assert downloaded == {name.rpartition("/")[2]: frame for name, frame in expected.items()}
    assert len(downloaded) == len(expected) > 0


def test_selected_folders_and_files_are_downloaded(customer, tmp_path):
    task_id = customer.render(layered_job("beauty", "shadow"))
    expected = wait_for_frames(customer, task_id)
    _, folder = customer.folders(task_id)
    single = next(name for name in expected if not name.startswith(f"{folder}/"))
    downloaded = download(customer, tmp_path / "frames", server_path=[folder, single])
    assert downloaded == {name: expected[name] for name in expected if name.startswith(f"{folder}/")} | {
        single: expected[single]
    }


def test_assets_are_downloaded(customer, shot, tmp_path):
    upload(customer, shot)
    sent = {name: content for name, content in shot.stored().items() if "textures" in name}
    (name,) = sent
    assert download(customer, tmp_path / "back", server_path=f"/{name}", asset=True) == sent


def test_second_upload_sends_changed_files_only(customer, shot, inputs):
    upload(customer, shot)
    before = {path: (inputs / path).stat().st_ino for path in shot.stored()}
    scene, texture, *others = shot.assets
    scene.write_bytes(b"changed")
    (inputs / str(texture).lstrip("/")).unlink()
    upload(customer, shot)
    assert contents(inputs) == shot.stored()
    for path in others:
        name = str(path).lstrip("/")
        assert (inputs / name).stat().st_ino == before[name]


def test_upload_output_names_every_file(customer, shot):
    shot.assets = {path: size for path, size in shot.assets.items() if ")" not in path.name}
    shot.write_upload_json()
    lines = customer.call("record_upload", upload_json_path=str(shot.upload_json))
    assert sorted(lines) == sorted(map(str, shot.assets))


def test_several_uploads_run_concurrently(customer, tmp_path, inputs):
    shots = [Shot(tmp_path / f"shot {index}") for index in range(3)]
    paths = [str(shot.upload_json) for shot in shots]
    customer.call("uploads.thread_pool_upload", upload_pool=paths, pool_size=3, is_db=None)
    assert contents(inputs) == {name: content for shot in shots for name, content in shot.stored().items()}


class TestFailures:
    @pytest.mark.parametrize("options", ["exit=10 after=1 times=3", "exit=1 after=2 half times=2"])
    def test_upload_after_failures_succeeds(self, customer, shot, inputs, fault, options):
        fault(options)
        upload(customer, shot)
        assert contents(inputs) == shot.stored()

    def test_upload_with_missing_file_fails_permanently(self, customer, shot, inputs):
        stored = shot.stored()
        scene = next(iter(shot.assets))
        scene.unlink()
        del stored[str(scene).lstrip("/")]
        with pytest.raises(VendorError) as raised:
            upload(customer, shot)
        assert raised.value.code == 200025
        assert contents(inputs) == stored

    @pytest.mark.parametrize(("exit_code", "code"), [(1, 200024), (9, None)])
    def test_upload_with_other_exit_code_fails(self, customer, shot, inputs, fault, exit_code, code):
        fault(f"exit={exit_code}")
        with pytest.raises(VendorError) as raised:
            upload(customer, shot)
        assert raised.value.code == code
        assert contents(inputs) == {}

    @pytest.mark.parametrize("times", [9, 10])
    def test_upload_of_task_file_makes_ten_attempts(self, customer, shot, configs, fault, times):
        fault(f"exit=1 times={times}")
        send = {"task_id": create(customer), "config_file_list": [str(shot.upload_json)]}
        if times < 10:
            assert customer.call("uploads.upload_config", **send) is True
            assert list(contents(configs).values()) == [shot.upload_json.read_bytes()]
        else:
            with pytest.raises(VendorError) as raised:
                customer.call("uploads.upload_config", **send)
            assert raised.value.code == 20004
            assert contents(configs) == {}

    def test_download_that_fails_once_raises_error(self, customer, tmp_path, fault):
        task_id = customer.render(layered_job("beauty", "shadow"))
        expected = wait_for_frames(customer, task_id)
        fault("exit=10 after=2 times=1")
        with pytest.raises(VendorError) as raised:
            download(customer, tmp_path / "frames", task_id)
        assert raised.value.kind == "DownloadFailed"
        assert contents(tmp_path / "frames").items() < expected.items()
        assert download(customer, tmp_path / "frames", task_id) == expected

    def test_download_without_frames_raises_error(self, customer, tmp_path):
        task_id = customer.render(job())
        customer.call("task.stop_task", task_param_list=[task_id])
        assert customer.wait(task_id) == STOPPED
        with pytest.raises(VendorError) as raised:
            download(customer, tmp_path / "frames", task_id)
        assert raised.value.kind == "DownloadFailed"


def test_frames_are_downloaded_while_the_farm_renders(vendor, command, tmp_path):
    with StockedFarm(tmp_path / "farm", speed=300) as farm:
        customer = Customer(vendor, farm)
        customer.log_in()
        customer.call("use_transmitter", path=str(command))
        task_id = customer.render(job("1-12[1]"))
        frames = tmp_path / "frames"
        customer.call(
            "downloads.auto_download", task_id_list=[task_id], sleep_time=0.1, local_path=str(frames)
        )
        assert customer.state(task_id) == FINISHED
        assert contents(frames) == contents(farm.output_root)
        assert len(contents(frames)) == 12
