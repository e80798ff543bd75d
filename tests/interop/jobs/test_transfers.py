"""The vendor's own code sends scenes and fetches frames with the farm's transfer command."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from airflow_provider_renderbus.farm import Farm
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
    """The command in a folder of its own: the vendor's code makes all that lies beside it writable."""
    installed = Path(sys.executable).with_name(COMMAND)
    return shutil.copyfile(installed, tmp_path_factory.mktemp("command") / COMMAND)


@pytest.fixture
def customer(customer, command):
    customer.ask("use_transmitter", path=str(command))
    assert customer.ask("uploads.trans.transmitter_exe") == str(command)
    assert customer.ask("downloads.trans.transmitter_exe") == str(command)
    return customer


@pytest.fixture
def shot(tmp_path):
    return Shot(tmp_path)


@pytest.fixture
def configs(storage):
    return storage / "config" / "30201-100001"


def create(customer):
    (number,) = customer.ask("task.create_task")["taskIdList"]
    return number


def upload(customer, shot):
    assert customer.ask("uploads.upload_asset", upload_json_path=str(shot.upload_json)) is True


def fetch(customer, folder, number=None, **how):
    numbers = None if number is None else [number]
    done = customer.ask("downloads.download", task_id_list=numbers, local_path=str(folder), **how)
    assert done is True
    return contents(folder)


def rendered(customer, number):
    """Wait for a task, and return its frames as they lie in the storage."""
    before = contents(customer.farm.output_root)
    customer.wait(number)
    after = contents(customer.farm.output_root)
    return {name: after[name] for name in after.keys() - before.keys()}


@every_job
def test_a_scene_is_sent_and_its_frames_are_fetched(customer, shot, inputs, configs, tmp_path, task_json):
    rendered(customer, customer.render(job(scene="another.blend")))
    number = create(customer)
    files = {
        "task.json": shot.describe("task.json", task_json),
        "tips.json": shot.describe("tips.json", {}),
        "asset.json": shot.describe("asset.json", {"asset": list(map(str, shot.assets))}),
        "upload.json": shot.upload_json,
    }
    paths = {name.replace(".", "_") + "_path": str(path) for name, path in files.items()}
    assert customer.ask("uploads.upload", task_id=number, **paths) is True
    assert contents(inputs) == shot.stored()
    assert contents(configs) == {f"{number}/cfg/{name}": path.read_bytes() for name, path in files.items()}

    customer.ask("api.submit", task_id=number)
    there = rendered(customer, number)
    fetched = fetch(customer, tmp_path / "frames", number)
    assert fetched == there
    assert len(fetched) == (6 if "layers" in task_json else 4)
    for frame in fetched.values():
        with Image.open(io.BytesIO(frame)) as picture:
            picture.load()
            assert (picture.format, picture.size) == ("PNG", (32, 18))


@every_job
def test_frames_are_fetched_without_their_folders(customer, tmp_path, task_json):
    number = customer.render(task_json)
    there = rendered(customer, number)
    fetched = fetch(customer, tmp_path / "frames", number, download_filename_format="false")
    assert fetched == {name.rpartition("/")[2]: frame for name, frame in there.items()}
    assert len(fetched) == len(there) > 0


def test_chosen_folders_and_files_are_fetched(customer, tmp_path):
    number = customer.render(layered_job("beauty", "shadow"))
    there = rendered(customer, number)
    _, folder = customer.folders(number)
    single = next(name for name in there if not name.startswith(f"{folder}/"))
    fetched = fetch(customer, tmp_path / "frames", server_path=[folder, single])
    assert fetched == {name: there[name] for name in there if name.startswith(f"{folder}/")} | {
        single: there[single]
    }


def test_assets_are_fetched_back(customer, shot, tmp_path):
    upload(customer, shot)
    sent = {name: content for name, content in shot.stored().items() if "textures" in name}
    (name,) = sent
    assert fetch(customer, tmp_path / "back", server_path=f"/{name}", asset=True) == sent


def test_what_was_sent_is_sent_again_only_where_it_has_changed(customer, shot, inputs):
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


def test_the_lines_name_every_file_that_was_sent(customer, shot):
    shot.assets = {path: size for path, size in shot.assets.items() if ")" not in path.name}
    shot.write_upload_json()
    lines = customer.ask("record_upload", upload_json_path=str(shot.upload_json))
    assert sorted(lines) == sorted(map(str, shot.assets))


def test_several_uploads_at_once(customer, tmp_path, inputs):
    shots = [Shot(tmp_path / f"shot {number}") for number in range(3)]
    paths = [str(shot.upload_json) for shot in shots]
    customer.ask("uploads.thread_pool_upload", upload_pool=paths, pool_size=3, is_db=None)
    assert contents(inputs) == {name: content for shot in shots for name, content in shot.stored().items()}


class TestFailures:
    @pytest.mark.parametrize("order", ["exit=10 after=1 times=3", "exit=1 after=2 half times=2"])
    def test_assets_are_sent_in_the_end(self, customer, shot, inputs, fault, order):
        fault(order)
        upload(customer, shot)
        assert contents(inputs) == shot.stored()

    def test_what_is_not_there_can_never_be_sent(self, customer, shot, inputs):
        stored = shot.stored()
        scene = next(iter(shot.assets))
        scene.unlink()
        del stored[str(scene).lstrip("/")]
        with pytest.raises(VendorError) as failed:
            upload(customer, shot)
        assert failed.value.code == 200025
        assert contents(inputs) == stored

    @pytest.mark.parametrize(("code", "raised"), [(1, 200024), (9, None)])
    def test_other_codes_are_errors(self, customer, shot, inputs, fault, code, raised):
        fault(f"exit={code}")
        with pytest.raises(VendorError) as failed:
            upload(customer, shot)
        assert failed.value.code == raised
        assert contents(inputs) == {}

    @pytest.mark.parametrize("times", [9, 10])
    def test_a_file_that_describes_a_task_is_tried_ten_times(self, customer, shot, configs, fault, times):
        fault(f"exit=1 times={times}")
        send = {"task_id": create(customer), "config_file_list": [str(shot.upload_json)]}
        if times < 10:
            assert customer.ask("uploads.upload_config", **send) is True
            assert list(contents(configs).values()) == [shot.upload_json.read_bytes()]
        else:
            with pytest.raises(VendorError) as failed:
                customer.ask("uploads.upload_config", **send)
            assert failed.value.code == 20004
            assert contents(configs) == {}

    def test_the_first_download_that_fails_is_an_error(self, customer, tmp_path, fault):
        number = customer.render(layered_job("beauty", "shadow"))
        there = rendered(customer, number)
        fault("exit=10 after=2 times=1")
        with pytest.raises(VendorError) as failed:
            fetch(customer, tmp_path / "frames", number)
        assert failed.value.kind == "DownloadFailed"
        assert contents(tmp_path / "frames").items() < there.items()
        assert fetch(customer, tmp_path / "frames", number) == there

    def test_frames_that_there_are_not(self, customer, tmp_path):
        number = customer.render(job())
        customer.ask("task.stop_task", task_param_list=[number])
        assert customer.wait(number) == STOPPED
        with pytest.raises(VendorError) as failed:
            fetch(customer, tmp_path / "frames", number)
        assert failed.value.kind == "DownloadFailed"


def test_frames_are_fetched_while_the_farm_renders(vendor, command, tmp_path):
    with Farm(tmp_path / "farm", speed=300) as farm:
        customer = Customer(vendor, farm)
        customer.log_in()
        customer.ask("use_transmitter", path=str(command))
        number = customer.render(job("1-12[1]"))
        frames = tmp_path / "frames"
        customer.ask("downloads.auto_download", task_id_list=[number], sleep_time=0.1, local_path=str(frames))
        assert customer.state(number) == FINISHED
        assert contents(frames) == contents(farm.output_root)
        assert len(contents(frames)) == 12
