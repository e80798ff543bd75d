import json
import threading
from pathlib import Path

import pytest

from airflow_provider_renderbus.api.errors import NotFound, ServerError
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.settings import Settings
from tests.clients.scripted_server import Answer, envelope

DATA = Path(__file__).parents[1] / "data"

ONE_LEAF = envelope(data={"items": [{"id": 7, "taskStatus": 30}]})


class PagingServer:
    """Answers pages of 100 out of `total` records, from whichever of its threads."""

    def __init__(self, server, total, make):
        self.total, self.make = total, make
        server.respond = self.answer

    def answer(self, arrival):
        page, size = arrival.body["pageNum"], arrival.body["pageSize"]
        last = -(-self.total // size)
        items = [self.make(number) for number in range((page - 1) * size, min(page * size, self.total))]
        return envelope(data={"pageCount": last, "pageNum": page, "total": self.total, "items": items})


@pytest.fixture
def account(server):
    return Settings(domain=server.address, access_id="id", access_key="key", protocol="http")


def frame(number):
    return {"id": number + 1, "frameIndex": str(number), "frameStatus": 4}


def asked_pages(server):
    return sorted(arrival.body["pageNum"] for arrival in server.arrived)


@pytest.mark.parametrize("total", [0, 1, 100, 101, 950, 2001])
def test_all_frames_are_found_in_order(sender, server, account, total):
    PagingServer(server, total, frame)
    found = sender.run(account, flows.list_frames(7))
    assert [frame.name for frame in found] == [str(number) for number in range(total)]
    assert asked_pages(server) == list(range(1, max(1, -(-total // 100)) + 1))


def test_several_pages_are_asked_for_at_once(sender, server, account):
    paging = PagingServer(server, 900, frame)
    together = threading.Barrier(flows.MAX_CONCURRENCY)

    def answer(arrival):
        if arrival.body["pageNum"] > 1:
            together.wait(timeout=10)
        return paging.answer(arrival)

    server.respond = answer
    assert len(sender.run(account, flows.list_frames(7))) == 900


def task(number):
    return {"id": number + 1, "taskStatus": 25}


def test_pages_are_asked_for_as_they_are_taken(server, account):
    PagingServer(server, 5000, task)
    with Client(account) as client:
        assert len(next(client.iter_pages(flows.task_pages())).items) == 100
    assert asked_pages(server) == [1]


def test_all_pages_of_tasks_are_found(server, account):
    PagingServer(server, 250, task)
    with Client(account) as client:
        pages = list(client.iter_pages(flows.task_pages(status_list=[25])))
    assert [task.id for page in pages for task in page.items] == list(range(1, 251))
    assert all(arrival.body["statusList"] == [25] for arrival in server.arrived)


def test_a_page_without_items_ends_the_pages(server, account):
    empty = envelope(data={"pageCount": 90, "items": []})
    server.script = [envelope(data={"pageCount": 90, "items": [task(0)]}), empty]
    with Client(account) as client:
        pages = list(client.iter_pages(flows.task_pages()))
    assert [len(page.items) for page in pages] == [1] + [0] * flows.MAX_CONCURRENCY


def test_a_page_count_that_is_much_too_high_ends_with_the_frames(sender, server, account):
    empty = envelope(data={"pageCount": 10_000, "items": []})
    server.script = [envelope(data={"pageCount": 10_000, "items": [frame(0)]}), empty]
    assert len(sender.run(account, flows.list_frames(7))) == 1
    assert len(server.arrived) < 100


def test_any_number_of_tasks_is_asked_for_a_hundred_at_a_time(sender, server, account):
    def answer(arrival):
        return envelope(
            data={
                "items": [
                    {"id": number, "taskStatus": 0} for number in arrival.body["taskIds"] if number != 5
                ]
            }
        )

    server.respond = answer
    found = sender.run(account, flows.get_tasks([*range(1, 251), "2W7"]))
    assert found.keys() == set(range(1, 251)) - {5}
    assert sorted(len(arrival.body["taskIds"]) for arrival in server.arrived) == [50, 100, 100]


def test_an_error_in_a_batch_is_raised(sender, server, account):
    server.script = [Answer(500, envelope(500).body)]
    with pytest.raises(ServerError):
        sender.run(account, flows.get_tasks(range(1, 301)))


def test_a_sequence_may_end_without_a_call(sender, server, account):
    def known():
        yield from ()
        return 7

    assert sender.run(account, known()) == 7
    assert server.arrived == []


def test_the_leaves_of_a_layered_task(sender, server, account):
    leaf = {"taskStatus": 25}
    task = {"id": 1, "taskStatus": 0, "respRenderingTaskList": [{"id": 2, **leaf}, {"id": 3, **leaf}]}
    server.script = [envelope(data={"items": [task]})]
    assert sender.run(account, flows.leaf_task_ids(1)) == (2, 3)
    with pytest.raises(NotFound, match="task 9"):
        sender.run(account, flows.leaf_task_ids(9))


def test_frames_are_meant_by_their_names(sender, server, account):
    names = ["6", "7-9[1]", "0-1", "6"]
    items = [{"id": 10 + at, "frameIndex": name, "frameStatus": 5} for at, name in enumerate(names)]
    server.script = [ONE_LEAF, envelope(data={"pageCount": 1, "items": items})]
    assert sender.run(account, flows.frame_ids_by_name("2W7", ["6", "0-1"])) == {7: [10, 12, 13]}


def test_a_name_that_matches_no_frame_is_told_with_its_nearest(sender, server, account):
    server.script = [ONE_LEAF, envelope(data={"pageCount": 1, "items": [frame(6), frame(60)]})]
    with pytest.raises(ValueError, match=r"no frame '61' \(the nearest: '60', '6'\)"):
        sender.run(account, flows.frame_ids_by_name(7, ["6", "61"]))
    with pytest.raises(ValueError, match=r"^names: "):
        sender.run(account, flows.frame_ids_by_name(7, []))


def two_leaves(arrival):
    """Answer for a layered task 7 with the leaves 8 and 9, which have frames 1 to 3 and 2 to 4."""
    if "taskIds" in arrival.body:
        leaves = [{"id": 8, "taskStatus": 30}, {"id": 9, "taskStatus": 30}]
        return envelope(data={"items": [{"id": 7, "taskStatus": 0, "respRenderingTaskList": leaves}]})
    leaf = arrival.body["taskId"]
    first = leaf - 7
    items = [
        {"id": leaf * 10 + number, "frameIndex": str(number), "frameStatus": 5}
        for number in range(first, first + 3)
    ]
    return envelope(data={"pageCount": 1, "items": items})


def test_a_name_means_the_frames_of_all_leaves(sender, server, account):
    server.respond = two_leaves
    assert sender.run(account, flows.frame_ids_by_name(7, ["1", "2"])) == {8: [81, 82], 9: [92]}


def test_files_are_found_in_folders_within_folders(sender, server, account):
    tree = {
        "/": [("/8_sh", True)],
        "/8_sh": [("/8_sh/a.png", False), ("/8_sh/passes", True), ("/8_sh", True)],
        "/8_sh/passes": [("/8_sh/passes/z.exr", False)],
    }

    def answer(arrival):
        if "taskIds" in arrival.body:
            return envelope(data={"items": [{"id": 8, "taskStatus": 25}]})
        return envelope(
            data=[
                {"fileName": path.rpartition("/")[2], "filePath": path, "directory": folder}
                for path, folder in tree[arrival.body["treePath"]]
            ]
        )

    server.respond = answer
    found = sender.run(account, flows.list_output_files(8))
    assert [file.path for file in found] == ["/8_sh/a.png", "/8_sh/passes/z.exr"]


class TestHardware:
    @pytest.fixture(autouse=True)
    def listed(self, server):
        seed = json.loads((DATA / "seed_answers.json").read_text("utf-8"))
        configs = [
            *seed["sections"]["获取平台硬件配置信息"],
            {"id": 9, "model": "RTX", "ram": "64GB", "gpuNum": "2*GPU", "platform": 21, "status": 1},
            {"id": 10, "model": "RTX", "ram": "64GB", "gpuNum": "4*GPU", "platform": 21, "status": 0},
            {"id": 11, "model": "Default", "ram": "64", "gpuNum": "", "platform": 2, "status": 1},
            {"id": 12, "model": "RTX", "ram": "64GB", "gpuNum": "1*GPU", "platform": 21, "status": 1},
        ]
        server.script = [envelope(data=configs)]

    def ids(self, sender, account, *wanted, **more):
        return [config.id for config in sender.run(account, flows.select_hardware(*wanted, **more))]

    def test_machines_are_chosen_by_what_they_are(self, sender, account):
        assert self.ids(sender, account, 2, 2005, ram=128) == [303]
        assert self.ids(sender, account, 2, 2007, model="1080Ti", ram=64, gpu_num=0) == [337]
        assert self.ids(sender, account, "GPU", 2007, gpu_num=2) == [9]

    def test_all_machines_of_one_kind_are_chosen(self, sender, account):
        assert self.ids(sender, account, "W2", 2005, model="Default", ram=64) == [301, 11]

    @pytest.mark.parametrize(
        ("platform", "traits", "kinds"),
        [
            (2, {"ram": 64}, "2080Ti, 64GB, no GPU; Default, 64, no GPU"),
            (2, {"model": "Default"}, "Default, 64GB, no GPU; Default, 128GB, no GPU"),
            (21, {"model": "RTX"}, r"RTX, 64GB, 2\*GPU; RTX, 64GB, 1\*GPU"),
        ],
    )
    def test_several_kinds_of_machine_are_refused_for_their_prices(
        self, sender, account, platform, traits, kinds
    ):
        with pytest.raises(ValueError, match=f"several kinds .*{kinds}.*; name as much"):
            self.ids(sender, account, platform, 2005, **traits)

    def test_what_there_is_not_is_told_with_what_there_is(self, sender, account):
        with pytest.raises(ValueError, match=r"there are: RTX, 64GB, 2\*GPU; RTX, 64GB, 1\*GPU$"):
            self.ids(sender, account, "GPU", 2007, gpu_num=4)
