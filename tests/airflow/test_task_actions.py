import inspect

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NoResponse, NotSent, ServerError
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.operators import download_frames, task_actions, transfers
from tests.airflow.context import context

pytestmark = pytest.mark.usefixtures("connection")

# Every operator of this kind, with its arguments and the calls that it makes for two renders.
ACTIONS = {
    task_actions.RenderbusStartTaskOperator: ({}, [calls.start_task([7, 8])]),
    task_actions.RenderbusStopTaskOperator: ({}, [calls.stop_task([7, 8])]),
    task_actions.RenderbusAbandonTaskOperator: ({}, [calls.abandon_task([7, 8])]),
    task_actions.RenderbusDeleteTaskOperator: ({}, [calls.delete_task([7, 8])]),
    task_actions.RenderbusFullSpeedOperator: ({}, [calls.full_speed([7, 8])]),
    task_actions.RenderbusSetPriorityOperator: (
        {"priority": "60"},
        [calls.update_task_user_level(7, 60), calls.update_task_user_level(8, 60)],
    ),
    task_actions.RenderbusSetMachineLimitOperator: (
        {"max_machines": 3},
        [calls.update_task_limit(7, 3), calls.update_task_limit(8, 3)],
    ),
    task_actions.RenderbusRecommitFramesOperator: ({}, [calls.recommit_frames(ids=[71, 72, 81, 82])]),
    task_actions.RenderbusStopFramesOperator: (
        {},
        [calls.stop_frames(7, select_all=1), calls.stop_frames(8, select_all=1)],
    ),
}


def info(client, task_id):
    return client.send(calls.query_task_info([task_id]))[task_id]


def response_to(call):
    """Return what a farm responds for renders without layers that have the frames 1 and 2."""
    if call.name == "query_task_info":
        return {"items": [{"id": task_id, "taskStatus": 30} for task_id in call.body["taskIds"]]}
    if call.name == "query_task_frames":
        ids = [call.body["taskId"] * 10 + frame for frame in (1, 2)]
        items = [{"id": each, "frameIndex": str(each % 10), "frameStatus": 5} for each in ids]
        return {"pageCount": 1, "items": items}
    return None


@pytest.fixture
def sent(monkeypatch):
    """The calls that an operator would send, except queries."""
    sent_calls = []

    def send(_, call):
        if not call.name.startswith("query_"):
            sent_calls.append(call)
        return call.read(response_to(call))

    monkeypatch.setattr("airflow_provider_renderbus.clients.client.Client.send", send)
    return sent_calls


def as_text(sent):
    """Return calls as sorted text, because those of a batch have no order."""
    return sorted((call.name, str(call.body)) for call in sent)


def test_all_action_operators_are_tested():
    operators = {
        value
        for name, value in vars(task_actions).items()
        if name.startswith("Renderbus") and value.__module__ == task_actions.__name__
    }
    assert operators == set(ACTIONS)


TRANSFERS = [
    transfers.RenderbusUploadAssetsOperator,
    download_frames.RenderbusDownloadFramesOperator,
    transfers.RenderbusListOutputsOperator,
]


@pytest.mark.parametrize("operator", [*ACTIONS, *TRANSFERS], ids=lambda operator: operator.__name__)
def test_operator_init_has_all_of_its_arguments(operator):
    assert set(operator.template_fields) <= inspect.signature(operator).parameters.keys()


@pytest.mark.parametrize("operator", ACTIONS, ids=lambda operator: operator.__name__)
def test_action_on_many_renders_sends_its_calls(operator, sent):
    options, expected = ACTIONS[operator]
    assert operator(task_id="act", render_task_id=[7, "2W8"], **options).execute(context()) == [7, 8]
    assert as_text(sent) == as_text(expected)


@pytest.mark.parametrize("operator", ACTIONS, ids=lambda operator: operator.__name__)
def test_action_on_one_render_accepts_its_id(operator, sent):
    assert operator(task_id="act", render_task_id="2W7", **ACTIONS[operator][0]).execute(context()) == [7]


@pytest.mark.parametrize("operator", ACTIONS, ids=lambda operator: operator.__name__)
def test_action_invalid_id_fails_before_anything_is_sent(operator, sent):
    for nonsense in ("scene", [], None):
        with pytest.raises(AirflowFailException, match=r"^render_task_id: "):
            operator(task_id="act", render_task_id=nonsense, **ACTIONS[operator][0]).execute(context())
    assert sent == []


def test_set_priority_invalid_value_fails_before_anything_is_sent(sent):
    with pytest.raises(AirflowFailException, match=r"^priority: "):
        task_actions.RenderbusSetPriorityOperator(task_id="act", render_task_id=[7, 8], priority=1).execute(
            context()
        )
    assert sent == []


def test_frame_action_named_frames_are_those_of_all_renders(sent):
    options = {"task_id": "act", "render_task_id": [7, "2W8"], "frames": ["2"]}
    assert task_actions.RenderbusRecommitFramesOperator(**options).execute(context()) == [7, 8]
    assert task_actions.RenderbusStopFramesOperator(**options).execute(context()) == [7, 8]
    assert as_text(sent) == as_text(
        [calls.recommit_frames(ids=[72, 82]), calls.stop_frames(7, [72]), calls.stop_frames(8, [82])]
    )


@pytest.mark.parametrize(
    "operator", [task_actions.RenderbusRecommitFramesOperator, task_actions.RenderbusStopFramesOperator]
)
@pytest.mark.parametrize("frames", [["2", "3"], [], "2"])
def test_frame_action_unknown_frame_fails_before_anything_is_sent(operator, frames, sent):
    with pytest.raises(AirflowFailException, match=r"^frames: "):
        operator(task_id="act", render_task_id=[7, 8], frames=frames).execute(context())
    assert sent == []


def test_stop_task_stops_the_render_on_the_farm(client, submitted):
    task_actions.RenderbusStopTaskOperator(task_id="stop", render_task_id=submitted).execute(context())
    assert info(client, submitted).status is TaskStatus.STOP


def test_list_outputs_by_pattern_returns_matching_files(farm, submitted):
    farm.advance(3600)
    listed = transfers.RenderbusListOutputsOperator(
        task_id="list", render_task_id=submitted, pattern="*_000[12].png"
    ).execute(context())
    folder = f"/{submitted}_sh010"
    assert [file["path"] for file in listed] == [f"{folder}/sh010_0001.png", f"{folder}/sh010_0002.png"]
    assert all(file["size"] > 0 for file in listed)


class TestRecommitIsPaidOnce:
    """Each re-render is paid for."""

    def failing_operator(self, monkeypatch, error):
        def send(_, call):
            raise error

        monkeypatch.setattr("airflow_provider_renderbus.clients.client.Client.send", send)
        return task_actions.RenderbusRecommitFramesOperator(task_id="again", render_task_id=7)

    @pytest.mark.parametrize("kind", [NoResponse, lambda call, _: ServerError(call, 500, "")])
    def test_recommit_lost_response_fails_without_retry(self, monkeypatch, kind):
        operator = self.failing_operator(monkeypatch, kind("recommit_frames", "lost"))
        with pytest.raises(AirflowFailException, match="may have executed it"):
            operator.execute(context())

    @pytest.mark.parametrize(
        "error", [NotSent("recommit_frames", "down"), NoResponse("query_task_frames", "lost")]
    )
    def test_recommit_not_sent_fails_with_retry(self, monkeypatch, error):
        with pytest.raises(AirflowException) as raised:
            self.failing_operator(monkeypatch, error).execute(context())
        assert not isinstance(raised.value, AirflowFailException)
