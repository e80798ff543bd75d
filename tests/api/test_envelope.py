import contextlib
import dataclasses
import json
import pickle

import pytest
from hypothesis import given, strategies as st

from airflow_provider_renderbus.api import calls
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
from airflow_provider_renderbus.api.models import account, frames, page, projects, tasks, transfer

PROFILE = calls.query_user_profile()
FRAMES = calls.query_task_frames(1)
INFO = calls.query_task_info([1])
CALLS = [PROFILE, FRAMES, INFO, calls.create_task(), calls.submit_task(1), calls.get_output_files()]


def envelope(code=200, data=None, **more):
    return json.dumps({"code": code, "data": data, "message": "message of the farm", **more}).encode()


def test_read_response_returns_data_as_model():
    assert read_response(PROFILE, 200, envelope(data={"userId": 7})).user_id == 7


def test_read_response_of_call_without_model_returns_plain_json():
    data = {"renderedTotal": [1, 2.5, None, {"deep": True}]}
    assert read_response(calls.query_all_frame_stats(), 200, envelope(data=data)) == data


def test_read_response_with_success_code_ignores_http_status():
    assert read_response(PROFILE, 500, envelope(data={"userId": 7})).user_id == 7


def test_read_response_of_call_without_result_accepts_any_data():
    for data in (None, "成功", "SUCCESS"):
        assert read_response(calls.submit_task(1), 200, envelope(data=data)) is None


def test_read_response_no_more_records_is_empty_page_for_paged_calls_only():
    assert read_response(FRAMES, 200, envelope(code=700)).items == ()
    assert read_response(INFO, 200, envelope(code=700)) == {}
    for call in (calls.submit_task(1), PROFILE, calls.get_output_files()):
        with pytest.raises(ApiError, match="700"):
            read_response(call, 200, envelope(code=700))


@pytest.mark.parametrize("leaves", ["none", [None], [{"id": 9, "taskStatus": None}], [{"id": 9}]])
def test_read_response_with_invalid_leaves_raises_invalid_response(leaves):
    task = {"id": 7, "taskStatus": 25, "respRenderingTaskList": leaves}
    with pytest.raises(InvalidResponse, match="respRenderingTaskList"):
        read_response(INFO, 200, envelope(data={"items": [task]}))


def test_read_response_with_leaves_nested_too_deep_raises_invalid_response():
    task = {"id": 1, "taskStatus": 0}
    for _ in range(400):
        task = {"id": 1, "taskStatus": 0, "respRenderingTaskList": [task]}
    with pytest.raises(InvalidResponse, match="too deep"):
        read_response(INFO, 200, envelope(data={"items": [task]}))


@pytest.mark.parametrize("error", [RecursionError(), ValueError("x"), OverflowError(), KeyError("x")])
def test_read_response_with_reader_that_raises_is_invalid_response(error):
    def read(_):
        raise error

    with pytest.raises(InvalidResponse, match=type(error).__name__) as raised:
        read_response(dataclasses.replace(PROFILE, read=read), 200, envelope(data={}))
    assert raised.value.__cause__ is error
    with pytest.raises(InvalidResponse) as raised:
        read_response(dataclasses.replace(PROFILE, read=read, returns_secrets=True), 200, envelope(data={}))
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("escape", [r"\ud800", r"\uDFFF", r"\u0000"])
def test_read_response_replaces_characters_that_cannot_be_stored(escape):
    body = b'{"code": 200, "data": {"userId": 1, "userName": "a%sb\\ud83c\\udfac", "%s": [0]}}'
    profile = read_response(PROFILE, 200, body % (escape.encode(), escape.encode()))
    assert profile.user_name == "a\ufffdb\U0001f3ac"
    profile.user_name.encode()


@pytest.mark.parametrize("code", [*CODES, 4711])
def test_read_response_with_code_raises_its_error(code):
    with pytest.raises(ApiError) as raised:
        read_response(PROFILE, 200, envelope(code))
    error = raised.value
    assert type(error) is (CODES[code].error if code in CODES else ApiError)
    assert (error.code, error.call) == (code, "query_user_profile")
    assert str(code) in str(error)
    assert "message of the farm" in str(error)


def test_retryable_codes_are_failures_of_the_farm():
    assert {code for code, info in CODES.items() if info.error.retryable} == {500, 513, 710, 748, 934, 1000}


def test_is_permanent_only_for_refusals_that_stay_the_same():
    def permanent(code):
        return is_permanent(api_error("query_task_info", code, ""))

    assert all(permanent(code) for code in (400, 403, 404, 601, 602, 608, 611, 804, 913))
    assert not any(permanent(code) for code in (500, 513, 1000, 603, 610, 100, 700, 4711))
    assert not any(
        is_permanent(kind("query_task_info", "")) for kind in (NotSent, NoResponse, InvalidResponse)
    )


def test_auth_error_of_wrong_key_says_where_the_key_is_shown():
    with pytest.raises(AuthError, match="user/developer"):
        read_response(PROFILE, 200, envelope(611))


def test_clock_skew_holds_the_farms_clock():
    with pytest.raises(ClockSkew) as raised:
        read_response(PROFILE, 200, envelope(610, serverTime=1_600_000_000_500))
    assert raised.value.server_time == 1_600_000_000.5


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b'{"code": 200, "da',
        b"[]",
        b"{}",
        b'{"code": "200"}',
        b"\xff",
        b"",
        b'{"code": NaN}',
        b'{"code": %s}' % (b"9" * 4000),
        b'{"code": -1000000000}',
    ],
)
def test_read_response_without_envelope_raises_by_http_status(body):
    with pytest.raises(InvalidResponse, match="not the farm's envelope"):
        read_response(PROFILE, 200, body)
    with pytest.raises(EndpointNotFound):
        read_response(PROFILE, 404, body)
    for status in (429, 500, 502, 503, 504):
        with pytest.raises(NoResponse):
            read_response(PROFILE, status, body)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_read_response_with_json_of_gateway_raises_no_response(status):
    with pytest.raises(NoResponse) as raised:
        read_response(PROFILE, status, envelope(status), retry_after=7.0)
    assert raised.value.retry_after == 7.0
    with pytest.raises(ApiError):
        read_response(PROFILE, 200, envelope(503))


def test_read_response_with_body_nested_too_deep_raises_invalid_response():
    with pytest.raises(InvalidResponse):
        read_response(PROFILE, 200, b"[" * 100_000)


def test_read_response_with_invalid_required_field_names_it():
    with pytest.raises(InvalidResponse, match=r"UserProfile\.userId is missing"):
        read_response(PROFILE, 200, envelope(data={}))
    with pytest.raises(InvalidResponse, match=r"TaskInfo\.taskStatus: must be an integer, got a string"):
        read_response(INFO, 200, envelope(data={"items": [{"id": 1, "taskStatus": "done"}]}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.sampled_from(CALLS), st.integers(100, 599), st.binary())
def test_read_response_with_any_bytes_returns_or_raises_renderbus_error(call, status, body):
    with contextlib.suppress(RenderbusError):
        read_response(call, status, body)


JSON_KEYS = sorted(
    {
        field.metadata["json_key"]
        for module in (account, frames, page, projects, tasks, transfer)
        for model in vars(module).values()
        if isinstance(model, type) and dataclasses.is_dataclass(model)
        for field in dataclasses.fields(model)
        if "json_key" in field.metadata
    }
)
# Objects with the farm's keys, so that the readers read their values.
likely_objects = st.recursive(
    st.dictionaries(st.sampled_from(JSON_KEYS), json_values, max_size=8).map(
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
def test_read_response_with_any_data_returns_or_raises_renderbus_error(call, data, code, server_time):
    with contextlib.suppress(RenderbusError):
        read_response(call, 200, envelope(code, data, serverTime=server_time))


@pytest.mark.parametrize(
    "error",
    [
        NotSent("create_task", "no connection", 3.0),
        NoResponse("create_task", "no response"),
        InvalidResponse("create_task", "no envelope"),
        ClockSkew("create_task", 610, "expired", 5.0),
    ],
)
def test_error_pickled_and_unpickled_is_equal(error):
    unpickled = pickle.loads(pickle.dumps(error))
    assert (type(unpickled), str(unpickled), vars(unpickled)) == (type(error), str(error), vars(error))


def test_api_error_without_message_and_of_unknown_code_names_call_and_code():
    assert str(ApiError("create_task", 4711, "")) == (
        "create_task: the farm responded with code 4711: a code that is not documented."
    )


def test_unknown_task_names_the_task():
    assert "task 7" in str(UnknownTask(7))


def test_read_response_passes_on_the_farms_time_in_seconds():
    times = []
    read_response(
        PROFILE, 200, envelope(data={"userId": 7}, serverTime=1_600_000_000_500), on_server_time=times.append
    )
    read_response(PROFILE, 200, envelope(data={"userId": 7}), on_server_time=times.append)
    assert times == [1_600_000_000.5]
