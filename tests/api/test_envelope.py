import contextlib
import dataclasses
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_renderbus.api import calls, models
from airflow_provider_renderbus.api.envelope import read_response
from airflow_provider_renderbus.api.errors import (
    CODES,
    ApiError,
    AuthError,
    ClockSkew,
    EndpointNotFound,
    InvalidResponse,
    NoResponse,
    NotSent,
    RenderbusError,
    UnknownTask,
    api_error,
    is_permanent,
)

PROFILE = calls.query_user_profile()
FRAMES = calls.query_task_frames(1)
INFO = calls.query_task_info([1])
CALLS = [PROFILE, FRAMES, INFO, calls.create_task(), calls.submit_task(1), calls.get_output_files()]


def envelope(code=200, data=None, **more):
    return json.dumps({"code": code, "data": data, "message": "said the farm", **more}).encode()


def test_a_result_is_what_data_holds():
    assert read_response(PROFILE, 200, envelope(data={"userId": 7})).user_id == 7


def test_a_call_without_a_model_returns_the_plain_json():
    data = {"renderedTotal": [1, 2.5, None, {"deep": True}]}
    assert read_response(calls.query_all_frame_stats(), 200, envelope(data=data)) == data


def test_the_code_decides_and_not_the_http_status():
    assert read_response(PROFILE, 500, envelope(data={"userId": 7})).user_id == 7


def test_calls_without_a_result_take_any():
    for data in (None, "成功", "SUCCESS"):
        assert read_response(calls.submit_task(1), 200, envelope(data=data)) is None


def test_no_more_records_is_an_empty_page_and_no_success_of_anything_else():
    assert read_response(FRAMES, 200, envelope(code=700)).items == ()
    assert read_response(INFO, 200, envelope(code=700)) == {}
    for call in (calls.submit_task(1), PROFILE, calls.get_output_files()):
        with pytest.raises(ApiError, match="700"):
            read_response(call, 200, envelope(code=700))


@pytest.mark.parametrize("leaves", ["none", [None], [{"id": 9, "taskStatus": None}], [{"id": 9}]])
def test_a_list_of_leaves_that_cannot_be_read_is_never_taken_for_none(leaves):
    task = {"id": 7, "taskStatus": 25, "respRenderingTaskList": leaves}
    with pytest.raises(InvalidResponse, match="respRenderingTaskList"):
        read_response(INFO, 200, envelope(data={"items": [task]}))


def test_leaves_nested_too_deep_are_a_bad_answer():
    task = {"id": 1, "taskStatus": 0}
    for _ in range(400):
        task = {"id": 1, "taskStatus": 0, "respRenderingTaskList": [task]}
    with pytest.raises(InvalidResponse, match="too deep"):
        read_response(INFO, 200, envelope(data={"items": [task]}))


@pytest.mark.parametrize("code", [*CODES, 4711])
def test_each_code_becomes_its_error(code):
    with pytest.raises(ApiError) as raised:
        read_response(PROFILE, 200, envelope(code))
    error = raised.value
    assert type(error) is (CODES[code].error if code in CODES else ApiError)
    assert (error.code, error.call) == (code, "query_user_profile")
    assert str(code) in str(error)
    assert "said the farm" in str(error)


def test_only_failures_of_the_farm_are_worth_another_try():
    assert {code for code, known in CODES.items() if known.error.retryable} == {500, 513, 1000}


def test_waiting_ends_only_for_refusals_that_will_be_the_same_next_time():
    def ends(code):
        return is_permanent(api_error("query_task_info", code, ""))

    assert all(ends(code) for code in (400, 403, 404, 601, 602, 608, 611, 804, 913))
    assert not any(ends(code) for code in (500, 513, 1000, 603, 610, 100, 700, 4711))
    assert not any(
        is_permanent(kind("query_task_info", "")) for kind in (NotSent, NoResponse, InvalidResponse)
    )


def test_a_wrong_key_says_where_to_get_one():
    with pytest.raises(AuthError, match="user/developer"):
        read_response(PROFILE, 200, envelope(611))


def test_an_expired_signature_tells_the_farms_clock():
    with pytest.raises(ClockSkew) as raised:
        read_response(PROFILE, 200, envelope(610, serverTime=1_600_000_000_500))
    assert raised.value.server_time == 1_600_000_000.5


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"code": 200, "da', b"[]", b"{}", b'{"code": "200"}', b"\xff", b""]
)
def test_what_is_not_the_envelope_is_never_success(body):
    with pytest.raises(InvalidResponse, match="not the farm's envelope"):
        read_response(PROFILE, 200, body)
    with pytest.raises(EndpointNotFound):
        read_response(PROFILE, 404, body)
    for status in (429, 500, 502, 503, 504):
        with pytest.raises(NoResponse):
            read_response(PROFILE, status, body)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_json_of_a_gateway_is_not_the_farms(status):
    with pytest.raises(NoResponse) as raised:
        read_response(PROFILE, status, envelope(status), retry_after=7.0)
    assert raised.value.retry_after == 7.0
    with pytest.raises(ApiError):
        read_response(PROFILE, 200, envelope(503))


def test_deep_nesting_is_a_bad_answer():
    with pytest.raises(InvalidResponse):
        read_response(PROFILE, 200, b"[" * 100_000)


def test_a_required_field_is_named():
    with pytest.raises(InvalidResponse, match=r"UserProfile\.userId is missing"):
        read_response(PROFILE, 200, envelope(data={}))
    with pytest.raises(
        InvalidResponse, match=r"TaskInfo\.taskStatus: a whole number was expected, not a text"
    ):
        read_response(INFO, 200, envelope(data={"items": [{"id": 1, "taskStatus": "done"}]}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.sampled_from(CALLS), st.integers(100, 599), st.binary())
def test_any_bytes_give_a_result_or_an_error_of_ours(call, status, body):
    with contextlib.suppress(RenderbusError):
        read_response(call, status, body)


WIRE_NAMES = sorted(
    {
        field.metadata["wire"]
        for model in (getattr(models, name) for name in models.__all__)
        if dataclasses.is_dataclass(model)
        for field in dataclasses.fields(model)
        if "wire" in field.metadata
    }
)
# Objects whose fields bear the farm's names, so that readers look at what is in them.
likely_objects = st.recursive(
    st.dictionaries(st.sampled_from(WIRE_NAMES), json_values, max_size=8).map(
        lambda fields: {"id": 1, "taskStatus": 0, **fields}
    ),
    lambda inner: st.fixed_dictionaries(
        {"id": st.integers(), "taskStatus": st.integers(), "respRenderingTaskList": st.lists(inner)}
    ),
)


@given(
    st.sampled_from(CALLS),
    json_values | likely_objects | st.fixed_dictionaries({"items": st.lists(json_values | likely_objects)}),
    st.sampled_from([200, 700, 610, 5]),
    json_values,
)
def test_any_data_gives_a_result_or_an_error_of_ours(call, data, code, server_time):
    with contextlib.suppress(RenderbusError):
        read_response(call, 200, envelope(code, data, serverTime=server_time))


@pytest.mark.parametrize(
    "error",
    [
        NotSent("create_task", "no connection", 3.0),
        NoResponse("create_task", "no answer"),
        InvalidResponse("create_task", "no envelope"),
        ClockSkew("create_task", 610, "expired", 5.0),
    ],
)
def test_errors_can_be_pickled(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_an_error_without_the_farms_message_or_of_an_unknown_code_still_says_enough():
    assert str(ApiError("create_task", 4711, "")) == (
        "create_task: the farm answered 4711: a code that this provider does not know."
    )


def test_a_task_that_is_missing_from_an_answer_is_named():
    assert "task 7" in str(UnknownTask(7))
