import json
import threading
from pathlib import Path

import pytest

from airflow_provider_renderbus.api.envelope import read_response
from airflow_provider_renderbus.api.errors import InvalidResponse, NotFound, ServerError
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.settings import Settings
from tests.clients.scripted_server import ScriptedResponse, envelope

DATA = Path(__file__).parents[1] / "data"

ONE_LEAF = envelope(data={"items": [{"id": 7, "taskStatus": 30}]})


class PagingServer:
    """Responds with pages of `total` records."""

    def __init__(self, server, total, make_record):
        self.total, self.make_record = total, make_record
        server.respond = self.respond

    def respond(self, request):
        page, size = request.body["pageNum"], request.body["pageSize"]
        page_count = -(-self.total // size)
        items = [self.make_record(index) for index in range((page - 1) * size, min(page * size, self.total))]
        return envelope(data={"pageCount": page_count, "pageNum": page, "total": self.total, "items": items})


@pytest.fixture
def account(server):
    return Settings(domain=server.address, access_id="id", access_key="key", protocol="http")


def frame(index):
    return {"id": index + 1, "frameIndex": str(index), "frameStatus": 4}


def requested_pages(server):
    return sorted(request.body["pageNum"] for request in server.requests)


@pytest.mark.parametrize("total", [0, 1, 100, 101, 950, 2001])
def test_list_frames_returns_frames_of_all_pages_in_order(sender, server, account, total):
    PagingServer(server, total, frame)
    result = sender.run(account, flows.list_frames(7))
    assert [frame.name for frame in result] == [str(index) for index in range(total)]
    assert requested_pages(server) == list(range(1, max(1, -(-total // 100)) + 1))


def test_list_frames_requests_pages_concurrently(sender, server, account):
    paging = PagingServer(server, 900, frame)
    barrier = threading.Barrier(flows.MAX_CONCURRENCY)

    def respond(request):
        if request.body["pageNum"] > 1:
            barrier.wait(timeout=10)
        return paging.respond(request)

    server.respond = respond
    assert len(sender.run(account, flows.list_frames(7))) == 900


def task(index):
    return {"id": index + 1, "taskStatus": 25}


def test_iter_pages_requests_pages_on_demand(server, account):
    PagingServer(server, 5000, task)
    with Client(account) as client:
        assert len(next(client.iter_pages(flows.task_pages())).items) == 100
    assert requested_pages(server) == [1]


def test_iter_pages_of_task_pages_yields_all_pages(server, account):
    PagingServer(server, 250, task)
    with Client(account) as client:
        pages = list(client.iter_pages(flows.task_pages(status_list=[25])))
    assert [task.id for page in pages for task in page.items] == list(range(1, 251))
    assert all(request.body["statusList"] == [25] for request in server.requests)


def test_iter_pages_ends_after_empty_page(server, account):
    empty = envelope(data={"pageCount": 90, "items": []})
    server.script = [envelope(data={"pageCount": 90, "items": [task(0)]}), empty]
    with Client(account) as client:
        pages = list(client.iter_pages(flows.task_pages()))
    assert [len(page.items) for page in pages] == [1] + [0] * flows.MAX_CONCURRENCY


def test_list_frames_with_too_high_page_count_ends_after_empty_page(sender, server, account):
    empty = envelope(data={"pageCount": 10_000, "items": []})
    server.script = [envelope(data={"pageCount": 10_000, "items": [frame(0)]}), empty]
    assert len(sender.run(account, flows.list_frames(7))) == 1
    assert len(server.requests) < 100


def test_get_tasks_requests_a_hundred_tasks_per_request(sender, server, account):
    def respond(request):
        return envelope(
            data={
                "items": [
                    {"id": task_id, "taskStatus": 0} for task_id in request.body["taskIds"] if task_id != 5
                ]
            }
        )

    server.respond = respond
    result = sender.run(account, flows.get_tasks([*range(1, 251), "2W7"]))
    assert result.keys() == set(range(1, 251)) - {5}
    assert sorted(len(request.body["taskIds"]) for request in server.requests) == [50, 100, 100]


def test_run_with_error_in_batch_raises_it(sender, server, account):
    server.script = [ScriptedResponse(500, envelope(500).body)]
    with pytest.raises(ServerError):
        sender.run(account, flows.get_tasks(range(1, 301)))


def test_run_of_flow_without_calls_returns_its_result(sender, server, account):
    def flow():
        yield from ()
        return 7

    assert sender.run(account, flow()) == 7
    assert server.requests == []


def test_leaf_task_ids_of_layered_and_unknown_task(sender, server, account):
    leaf = {"taskStatus": 25}
    task = {"id": 1, "taskStatus": 0, "respRenderingTaskList": [{"id": 2, **leaf}, {"id": 3, **leaf}]}
    server.script = [envelope(data={"items": [task]})]
    assert sender.run(account, flows.leaf_task_ids(1)) == (2, 3)
    with pytest.raises(NotFound, match="task 9"):
        sender.run(account, flows.leaf_task_ids(9))


def test_frame_ids_by_name_returns_all_ids_of_a_name(sender, server, account):
    names = ["6", "7-9[1]", "0-1", "6"]
    items = [{"id": 10 + index, "frameIndex": name, "frameStatus": 5} for index, name in enumerate(names)]
    server.script = [ONE_LEAF, envelope(data={"pageCount": 1, "items": items})]
    assert sender.run(account, flows.frame_ids_by_name("2W7", ["6", "0-1"])) == {7: [10, 12, 13]}


def test_frame_ids_by_name_with_unknown_name_lists_the_nearest(sender, server, account):
    server.script = [ONE_LEAF, envelope(data={"pageCount": 1, "items": [frame(6), frame(60)]})]
    with pytest.raises(ValueError, match=r"no frame '61' \(the nearest: '60', '6'\)"):
        sender.run(account, flows.frame_ids_by_name(7, ["6", "61"]))
    with pytest.raises(ValueError, match=r"^names: "):
        sender.run(account, flows.frame_ids_by_name(7, []))


def respond_with_two_leaves(request):
    """Respond for a layered task 7 with the leaves 8 and 9, which have frames 1 to 3 and 2 to 4."""
    if "taskIds" in request.body:
        leaves = [{"id": 8, "taskStatus": 30}, {"id": 9, "taskStatus": 30}]
        return envelope(data={"items": [{"id": 7, "taskStatus": 0, "respRenderingTaskList": leaves}]})
    leaf_id = request.body["taskId"]
    first = leaf_id - 7
    items = [
        {"id": leaf_id * 10 + index, "frameIndex": str(index), "frameStatus": 5}
        for index in range(first, first + 3)
    ]
    return envelope(data={"pageCount": 1, "items": items})


def test_frame_ids_by_name_of_layered_task_covers_all_leaves(sender, server, account):
    server.respond = respond_with_two_leaves
    assert sender.run(account, flows.frame_ids_by_name(7, ["1", "2"])) == {8: [81, 82], 9: [92]}


def test_list_output_files_covers_nested_folders(sender, server, account):
    tree = {
        "/": [("/8_sh", True)],
        "/8_sh": [("/8_sh/a.png", False), ("/8_sh/passes", True), ("/8_sh", True)],
        "/8_sh/passes": [("/8_sh/passes/z.exr", False)],
    }

    def respond(request):
        if "taskIds" in request.body:
            return envelope(data={"items": [{"id": 8, "taskStatus": 25}]})
        return envelope(
            data=[
                {"fileName": path.rpartition("/")[2], "filePath": path, "directory": folder}
                for path, folder in tree[request.body["treePath"]]
            ]
        )

    server.respond = respond
    result = sender.run(account, flows.list_output_files(8))
    assert [file.path for file in result] == ["/8_sh/a.png", "/8_sh/passes/z.exr"]


class TestSelectHardware:
    @pytest.fixture(autouse=True)
    def configs(self, server):
        seed = json.loads((DATA / "seed_answers.json").read_text("utf-8"))
        configs = [
            *seed["sections"]["获取平台硬件配置信息"],
            {"id": 9, "model": "RTX", "ram": "64GB", "gpuNum": "2*GPU", "platform": 21, "status": 1},
            {"id": 10, "model": "RTX", "ram": "64GB", "gpuNum": "4*GPU", "platform": 21, "status": 0},
            {"id": 11, "model": "Default", "ram": "64", "gpuNum": "", "platform": 2, "status": 1},
            {"id": 12, "model": "RTX", "ram": "64GB", "gpuNum": "1*GPU", "platform": 21, "status": 1},
        ]
        server.script = [envelope(data=configs)]

    def ids(self, sender, account, *args, **kwargs):
        return [config.id for config in sender.run(account, flows.select_hardware(*args, **kwargs))]

    def test_select_hardware_by_model_memory_and_gpus(self, sender, account):
        assert self.ids(sender, account, 2, 2005, ram=128) == [303]
        assert self.ids(sender, account, 2, 2007, model="1080Ti", ram=64, gpu_num=0) == [337]
        assert self.ids(sender, account, "GPU", 2007, gpu_num=2) == [9]

    def test_select_hardware_returns_all_machines_of_one_type(self, sender, account):
        assert self.ids(sender, account, "W2", 2005, model="Default", ram=64) == [301, 11]

    @pytest.mark.parametrize(
        ("platform", "filters", "types"),
        [
            (2, {"ram": 64}, "2080Ti, 64GB, no GPU; Default, 64, no GPU"),
            (2, {"model": "Default"}, "Default, 64GB, no GPU; Default, 128GB, no GPU"),
            (21, {"model": "RTX"}, r"RTX, 64GB, 2\*GPU; RTX, 64GB, 1\*GPU"),
        ],
    )
    def test_select_hardware_with_several_types_lists_them(self, sender, account, platform, filters, types):
        with pytest.raises(ValueError, match=f"several types .*{types}.*; set as many"):
            self.ids(sender, account, platform, 2005, **filters)

    def test_select_hardware_without_match_lists_available_types(self, sender, account):
        with pytest.raises(ValueError, match=r"available: RTX, 64GB, 2\*GPU; RTX, 64GB, 1\*GPU$"):
            self.ids(sender, account, "GPU", 2007, gpu_num=4)


def drive(flow, answer):
    """Run a flow on what a function returns as data of each call, and return the number of calls."""
    sent = 0
    results = None
    while True:
        try:
            batch = flow.send(results)
        except StopIteration:
            return sent
        sent += len(batch)
        assert sent < 10_000, "the flow does not end"
        results = [read_response(call, 200, envelope(data=answer(call.body)).body) for call in batch]


def task_or_page(items, **page):
    return lambda body: {"items": items if "pageNum" in body else [{"id": 7, "taskStatus": 25}], **page}


@pytest.mark.parametrize("total", [0, 10**12])
def test_list_frames_endless_pages_is_invalid_response(total):
    answer = task_or_page([frame(1)], pageCount=10**12, total=total)
    with pytest.raises(InvalidResponse, match=f"on {flows.MAX_PAGES} pages, got more"):
        drive(flows.list_frames(7), answer)


def test_list_frames_more_records_than_announced_is_invalid_response():
    with pytest.raises(InvalidResponse, match="announces 150 records and lists"):
        drive(flows.list_frames(7), task_or_page([frame(1)] * 100, pageCount=9, total=150))


def test_list_frames_records_added_meanwhile_are_listed():
    def answer(body):
        return {"items": [frame(1)] * 50, "pageCount": 3, "total": 120 + 10 * body["pageNum"]}

    assert drive(flows.list_frames(7), answer) == 3


def folders(make):
    def answer(body):
        if "taskIds" in body:
            return {"items": [{"id": 7, "taskStatus": 25}]}
        return [{"fileName": "x", "filePath": path, "directory": True} for path in make(body["treePath"])]

    return answer


def test_list_output_files_endless_depth_is_invalid_response():
    with pytest.raises(InvalidResponse, match="nested deeper than 32 levels"):
        drive(flows.list_output_files(7), folders(lambda path: [f"{path}/b"]))


def test_list_output_files_too_many_folders_is_invalid_response():
    with pytest.raises(InvalidResponse, match="at most 2000 folders"):
        drive(flows.list_output_files(7), folders(lambda path: [f"{path}/{at}" for at in range(30)]))


def test_list_output_files_folder_that_holds_itself_is_listed_once():
    assert drive(flows.list_output_files(7), folders(lambda path: ["/", "/a"])) == 4


@pytest.mark.parametrize("name", ["6", "9" * 5000])
def test_frame_ids_by_name_with_long_digits_names_the_closest(name):
    with pytest.raises(ValueError, match="has no frame '61'"):
        drive(flows.frame_ids_by_name(7, ["61"]), task_or_page([{**frame(1), "frameIndex": name}]))


def test_select_hardware_with_long_digits_is_no_number():
    config = {"id": 9, "model": "A", "ram": "9" * 5000 + "GB", "platform": 2, "status": 1}
    with pytest.raises(ValueError, match="no machine of platform 2"):
        drive(flows.select_hardware(2, 2007, ram=64), lambda _: [config])
