import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NoResponse, NotSent, ServerError
from airflow_provider_renderbus.api.states import TaskStatus
from airflow_provider_renderbus.operators import task_actions as actions
from airflow_provider_renderbus.operators import transfers as outputs
from tests.airflow.context import context

pytestmark = pytest.mark.usefixtures("connection")

# Every operator of this kind, with its options and the calls that it makes for two tasks.
ACTIONS = {
    actions.RenderbusStartTaskOperator: ({}, [calls.start_task([7, 8])]),
    actions.RenderbusStopTaskOperator: ({}, [calls.stop_task([7, 8])]),
    actions.RenderbusAbandonTaskOperator: ({}, [calls.abandon_task([7, 8])]),
    actions.RenderbusDeleteTaskOperator: ({}, [calls.delete_task([7, 8])]),
    actions.RenderbusFullSpeedOperator: ({}, [calls.full_speed([7, 8])]),
    actions.RenderbusSetPriorityOperator: (
        {"priority": "60"},
        [calls.update_task_user_level(7, 60), calls.update_task_user_level(8, 60)],
    ),
    actions.RenderbusSetMachineLimitOperator: (
        {"max_machines": 3},
        [calls.update_task_limit(7, 3), calls.update_task_limit(8, 3)],
    ),
    actions.RenderbusRecommitFramesOperator: ({}, [calls.recommit_failed_frames([7, 8])]),
    actions.RenderbusStopFramesOperator: (
        {},
        [calls.stop_frames(7, select_all=1), calls.stop_frames(8, select_all=1)],
    ),
}


def info(client, number):
    return client.send(calls.query_task_info([number]))[number]


def answer_of(call):
    """What a farm tells of a task that is no layered one and has the frames 1 and 2."""
    if call.name == "query_task_info":
        return {"items": [{"id": number, "taskStatus": 30} for number in call.body["taskIds"]]}
    if call.name == "query_task_frames":
        ids = [call.body["taskId"] * 10 + frame for frame in (1, 2)]
        items = [{"id": each, "frameIndex": str(each % 10), "frameStatus": 5} for each in ids]
        return {"pageCount": 1, "items": items}
    return None


@pytest.fixture
def sent(monkeypatch):
    """What an operator sends and does not only ask, in place of sending it."""
    kept = []

    def send(_, call):
        if not call.name.startswith("query_"):
            kept.append(call)
        return call.read(answer_of(call))

    monkeypatch.setattr("airflow_provider_renderbus.clients.client.Client.send", send)
    return kept


def told(sent):
    """The calls as text: those of a batch have no order."""
    return sorted((call.name, str(call.body)) for call in sent)


def test_every_action_is_tried():
    there = {
        value
        for name, value in vars(actions).items()
        if name.startswith("Renderbus") and value.__module__ == actions.__name__
    }
    assert there == set(ACTIONS)


@pytest.mark.parametrize("operator", ACTIONS, ids=lambda operator: operator.__name__)
def test_an_action_is_its_call_for_all_the_tasks(operator, sent):
    options, expected = ACTIONS[operator]
    assert operator(task_id="act", render_task_id=[7, "2W8"], **options).execute(context()) == [7, 8]
    assert told(sent) == told(expected)


@pytest.mark.parametrize("operator", ACTIONS, ids=lambda operator: operator.__name__)
def test_a_single_task_needs_no_list(operator, sent):
    assert operator(task_id="act", render_task_id="2W7", **ACTIONS[operator][0]).execute(context()) == [7]


@pytest.mark.parametrize("operator", ACTIONS, ids=lambda operator: operator.__name__)
def test_what_is_no_task_is_refused_before_anything_is_sent(operator, sent):
    for nonsense in ("scene", [], None):
        with pytest.raises(AirflowFailException, match=r"^render_task_id: "):
            operator(task_id="act", render_task_id=nonsense, **ACTIONS[operator][0]).execute(context())
    assert sent == []


def test_wrong_options_are_refused_before_anything_is_sent(sent):
    with pytest.raises(AirflowFailException, match=r"^priority: "):
        actions.RenderbusSetPriorityOperator(task_id="act", render_task_id=[7, 8], priority=1).execute(
            context()
        )
    assert sent == []


def test_named_frames_are_those_of_all_the_tasks(sent):
    options = {"task_id": "act", "render_task_id": [7, "2W8"], "frames": ["2"]}
    assert actions.RenderbusRecommitFramesOperator(**options).execute(context()) == [7, 8]
    assert actions.RenderbusStopFramesOperator(**options).execute(context()) == [7, 8]
    assert told(sent) == told(
        [calls.recommit_frames(ids=[72, 82]), calls.stop_frames(7, [72]), calls.stop_frames(8, [82])]
    )


@pytest.mark.parametrize(
    "operator", [actions.RenderbusRecommitFramesOperator, actions.RenderbusStopFramesOperator]
)
@pytest.mark.parametrize("frames", [["2", "3"], [], "2"])
def test_a_name_that_matches_no_frame_is_refused_before_anything_is_sent(operator, frames, sent):
    with pytest.raises(AirflowFailException, match=r"^frames: "):
        operator(task_id="act", render_task_id=[7, 8], frames=frames).execute(context())
    assert sent == []


def test_a_render_is_stopped_on_the_farm(client, submitted):
    actions.RenderbusStopTaskOperator(task_id="stop", render_task_id=submitted).execute(context())
    assert info(client, submitted).status is TaskStatus.STOP


def test_outputs_are_listed_by_pattern(farm, submitted):
    farm.advance(3600)
    listed = outputs.RenderbusListOutputsOperator(
        task_id="list", render_task_id=submitted, pattern="*_000[12].png"
    ).execute(context())
    folder = f"/{submitted}_sh010"
    assert [file["path"] for file in listed] == [f"{folder}/sh010_0001.png", f"{folder}/sh010_0002.png"]
    assert all(file["size"] > 0 for file in listed)


class TestMoney:
    """A recommit is paid for each time it is carried out."""

    def fail(self, monkeypatch, error):
        def send(_, call):
            raise error

        monkeypatch.setattr("airflow_provider_renderbus.clients.client.Client.send", send)
        return actions.RenderbusRecommitFramesOperator(task_id="again", render_task_id=7)

    @pytest.mark.parametrize("kind", [NoResponse, lambda call, _: ServerError(call, 500, "")])
    def test_a_lost_answer_fails_without_a_retry(self, monkeypatch, kind):
        operator = self.fail(monkeypatch, kind("recommit_failed_frames", "lost"))
        with pytest.raises(AirflowFailException, match="may have been carried out"):
            operator.execute(context())

    @pytest.mark.parametrize(
        "error", [NotSent("recommit_failed_frames", "down"), NoResponse("query_task_frames", "lost")]
    )
    def test_what_was_surely_not_carried_out_may_be_retried(self, monkeypatch, error):
        with pytest.raises(AirflowException) as raised:
            self.fail(monkeypatch, error).execute(context())
        assert not isinstance(raised.value, AirflowFailException)
