"""Stop requests: which pages are stopped next, and when the stop is confirmed."""

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import BadRequest, NoResponse, NotReady
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.renders.stop import StopRequest

REFUSED = BadRequest("stop_task", 600, "")


def test_stop_request_refused_page_is_bisected_down_to_its_cause():
    request = StopRequest([1, 2, 3, 4])
    for page in ([1, 2, 3, 4], [3, 4]):
        request.record_error(REFUSED, page)
    assert sorted(request.pages()) == [[1, 2], [3], [4]]
    for _ in range(3):
        request.record_error(REFUSED, [3])
    assert sorted(request.pages()) == [[1, 2], [4]]
    assert request.result_message([1, 3]).startswith("renders 1, 3 could not be stopped")


def test_stop_request_page_that_cannot_be_stopped_yet_is_bisected_and_tried_again():
    request = StopRequest([1, 2])
    not_ready = NotReady("stop_task", 748, "")
    request.record_error(not_ready, [1, 2])
    for _ in range(20):
        request.record_error(not_ready, [1])
    assert request.pages() == [[1], [2]]


def test_stop_request_page_without_answer_stays_whole():
    request = StopRequest(range(150))
    request.record_error(NoResponse("stop_task", ""), request.pages()[0])
    assert [len(page) for page in request.pages()] == [100, 50]


def test_stop_request_idle_task_is_not_stopped(settings):
    with Client(settings) as client:
        task_id = client.send(calls.create_task()).ids[0]
        request = StopRequest([task_id])
        while pages := list(request.pages()):
            client.run(request.stop_page(pages[0]))
        assert not client.run(flows.get_task(task_id)).is_submitted
    assert request.result_message([task_id]) == f"render {task_id} is no longer running"
