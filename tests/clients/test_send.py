import dataclasses
import json
import logging

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import (
    ApiError,
    AuthError,
    ClockSkew,
    EndpointNotFound,
    InvalidResponse,
    NonceUsed,
    NoResponse,
    NotSent,
    ServerError,
)
from airflow_provider_renderbus.api.signing import signature
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy
from airflow_provider_renderbus.clients.settings import Settings
from tests.clients.scripted_server import HALF, RESET, RESET_UNREAD, SILENCE, ScriptedResponse, envelope
from tests.scenes import make_task_json

PROFILE = calls.query_user_profile()
SUBMIT = calls.submit_task(7)
KEY = "key-that-must-not-be-seen"
PROFILE_RESPONSE = envelope(data={"userId": 1})


@pytest.fixture
def account(server):
    return Settings(domain=server.address, access_id="id", access_key=KEY, protocol="http")


def test_send_signs_the_request_as_it_arrives(sender, server, account):
    server.script = [PROFILE_RESPONSE]
    sender.send(account, PROFILE)
    (request,) = server.requests
    expected = signature(KEY, server.address, request.path, request.headers, request.body)
    assert request.headers["signature"] == expected
    assert request.headers["accessId"] == "id"
    assert request.headers["languageFlag"] == "1"
    assert request.headers["platform"] == "2"


def test_send_signs_every_attempt_again(sender, server, account):
    server.script = [envelope(500), envelope(1000), PROFILE_RESPONSE]
    sender.send(account, PROFILE, clock=lambda: 1.6e9)
    assert len({request.headers["nonce"] for request in server.requests}) == 3
    assert len({request.headers["signature"] for request in server.requests}) == 3


TRANSIENT = [
    envelope(500),
    ScriptedResponse(500, b"<html>"),
    ScriptedResponse(502),
    ScriptedResponse(504, b'{"code": 504}'),
    ScriptedResponse(429),
    RESET,
    RESET_UNREAD,
]


@pytest.mark.parametrize("response", TRANSIENT, ids=str)
def test_send_after_transient_failure_makes_five_attempts(sender, server, account, response):
    server.script = [response]
    with pytest.raises((ServerError, NoResponse)):
        sender.send(account, PROFILE)
    assert len(server.requests) == 5
    assert len(sender.waits) == 4
    assert all(0 < wait <= 2.0**attempt for attempt, wait in enumerate(sender.waits))


def test_send_waits_random_times_between_attempts(sender, server, account):
    server.script = [ScriptedResponse(502)]
    waits = set()
    for _ in range(3):
        with pytest.raises(NoResponse):
            sender.send(account, PROFILE)
        waits.add(tuple(sender.waits[-4:]))
    assert len(waits) == 3


@pytest.mark.parametrize("response", TRANSIENT, ids=str)
def test_send_of_costly_call_after_failure_makes_one_attempt(sender, server, account, response):
    server.script = [response]
    with pytest.raises((ServerError, NoResponse)):
        sender.send(account, SUBMIT)
    assert len(server.requests) == 1


@pytest.mark.parametrize("call", [PROFILE, SUBMIT], ids=lambda call: call.name)
def test_send_without_connection_always_retries(sender, server, account, call):
    server.close()
    with pytest.raises(NotSent, match="no connection to 127"):
        sender.send(account, call)
    assert len(sender.waits) == 4


@pytest.mark.parametrize("response", [envelope(601), ScriptedResponse(200, b"<html>"), HALF], ids=str)
def test_send_after_permanent_failure_makes_one_attempt(sender, server, account, response):
    server.script = [response]
    with pytest.raises((ApiError, InvalidResponse)):
        sender.send(account, PROFILE)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_send_does_not_follow_redirects(sender, server, account, status):
    server.script = [
        ScriptedResponse(status, headers={"Location": f"http://{server.address}/elsewhere"}),
        PROFILE_RESPONSE,
    ]
    with pytest.raises(InvalidResponse):
        sender.send(account, PROFILE)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("call", "sent"), [(PROFILE, 2), (SUBMIT, 1)], ids=["query", "submit"])
def test_send_without_response_ends_after_read_timeout(sender, server, account, call, sent):
    server.script = [SILENCE]
    impatient = dataclasses.replace(account, read_timeout=0.1)
    with pytest.raises(NoResponse):
        sender.send(impatient, call, retry_policy=RequestRetryPolicy(max_attempts=2))
    assert len(server.requests) == sent


def test_send_error_has_no_context_with_the_request(sender, server, account):
    server.script = [RESET]
    with pytest.raises(NoResponse) as raised:
        sender.send(account, SUBMIT)
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None


def test_send_waits_as_retry_after_requests(sender, server, account):
    server.script = [ScriptedResponse(429, headers={"Retry-After": "7"}), PROFILE_RESPONSE]
    sender.send(account, PROFILE)
    assert sender.waits == [7.0]


def test_send_waits_until_the_date_of_retry_after(sender, server, account):
    server.script = [
        ScriptedResponse(503, headers={"Retry-After": "Sun, 13 Sep 2020 12:26:45 GMT"}),
        PROFILE_RESPONSE,
    ]
    sender.send(account, PROFILE, clock=lambda: 1.6e9)
    assert sender.waits == [5.0]


def test_send_does_not_wait_beyond_max_elapsed(sender, server, account):
    server.script = [ScriptedResponse(429, headers={"Retry-After": "1000"})]
    with pytest.raises(NoResponse):
        sender.send(account, PROFILE, retry_policy=RequestRetryPolicy(max_elapsed=300))
    assert sender.waits == []


def test_send_after_clock_skew_corrects_the_clock_once(sender, server, account):
    server.script = [envelope(610, serverTime=1_600_000_500_000), PROFILE_RESPONSE, PROFILE_RESPONSE]
    sender.send(account, PROFILE, PROFILE, clock=lambda: 1.6e9)
    assert [request.headers["UTCTimestamp"] for request in server.requests] == [
        "1600000000",
        "1600000500",
        "1600000500",
    ]
    assert sender.waits == []


def test_send_with_repeated_clock_skew_raises_it(sender, server, account):
    server.script = [envelope(610, serverTime=1_600_000_500_000)]
    with pytest.raises(ClockSkew):
        sender.send(account, SUBMIT)
    assert len(server.requests) == 2


def test_send_of_call_that_spends_is_not_signed_again_if_the_clock_was_right_before(sender, server, account):
    server.script = [PROFILE_RESPONSE, envelope(610, serverTime=1_600_000_500_000), PROFILE_RESPONSE]
    with pytest.raises(ClockSkew):
        sender.send(account, PROFILE, SUBMIT, clock=lambda: 1.6e9)
    assert len(server.requests) == 2


def test_calls_that_are_not_replay_safe_spend():
    every_call = [
        calls.submit_task(1),
        calls.start_task([1]),
        calls.full_speed([1]),
        calls.recommit_failed_frames([1]),
        calls.recommit_frames(ids=[1]),
    ]
    assert all(call.spends for call in every_call)
    assert not any(call.spends for call in (calls.stop_task([1]), calls.create_task(), PROFILE))


def test_send_after_used_nonce_replaces_it_once(sender, server, account):
    server.script = [envelope(603), PROFILE_RESPONSE, envelope(603)]
    sender.send(account, PROFILE)
    with pytest.raises(NonceUsed):
        sender.send(account, PROFILE)
    assert len(server.requests) == 4


def test_send_after_path_not_found_uses_the_next_path_from_then_on(sender, server, account):
    first, second = SUBMIT.paths
    server.script = [ScriptedResponse(404, b"not here"), envelope()]
    sender.send(account, SUBMIT, SUBMIT)
    assert [request.path for request in server.requests] == [first, second, second]


def test_send_of_call_without_served_path_raises_endpoint_not_found(sender, server, account):
    server.script = [ScriptedResponse(404)]
    with pytest.raises(EndpointNotFound):
        sender.send(account, SUBMIT)
    assert len(server.requests) == 2


def test_send_with_code_404_of_the_farm_does_not_try_another_path(sender, server, account):
    server.script = [envelope(404)]
    with pytest.raises(ApiError):
        sender.send(account, SUBMIT)
    assert len(server.requests) == 1


def test_send_reuses_connections_except_for_costly_calls(sender, server, account):
    server.script = [PROFILE_RESPONSE]
    sender.send(account, PROFILE, PROFILE, SUBMIT, PROFILE)
    first, second, submit, last = [request.connection for request in server.requests]
    assert first == second == last
    assert submit != first


def test_send_uses_a_new_nonce_for_each_request_of_a_second(sender, server, account):
    server.script = [PROFILE_RESPONSE]
    sender.send(account, *[PROFILE] * 20, clock=lambda: 1.6e9)
    assert len({request.headers["nonce"] for request in server.requests}) == 20


def test_send_shows_key_in_no_log_and_no_error(sender, server, account, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpx")
    server.script = [envelope(500), RESET, ScriptedResponse(200, KEY.encode())]
    with pytest.raises(InvalidResponse) as raised:
        sender.send(account, PROFILE)
    output = caplog.text + str(raised.value) + repr(raised.value) + repr(account)
    assert KEY not in output
    for request in server.requests:
        assert request.headers["signature"] not in output


def test_send_logs_no_request_of_its_own(sender, server, account, caplog):
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, "httpx")
    server.script = [PROFILE_RESPONSE]
    sender.send(account, PROFILE)
    assert not caplog.records


def test_send_whole_render_on_the_farm(sender, farm, settings):
    (created,) = sender.send(settings, calls.create_task(labels=["夜间"]))
    (task_id,) = created.ids
    sender.send(
        settings, calls.upload_task_json(task_id, json.dumps(make_task_json())), calls.submit_task(task_id)
    )
    farm.advance(3600)
    task = sender.send(settings, calls.query_task_info([task_id]))[0][task_id]
    assert task.is_terminal
    frames = sender.send(settings, calls.query_task_frames(task_id))[0]
    assert [frame.name for frame in frames.items] == ["1", "2", "3", "4"]
    assert sum(frame.cost for frame in frames.items) == task.cost > 0
    folder = sender.send(settings, calls.get_output_files(task_id))[0][0]
    files = sender.send(settings, calls.get_output_files(tree_path=folder.path))[0]
    assert len(files) == 4
    assert all((farm.output_root / file.path.lstrip("/")).stat().st_size == file.size for file in files)


def test_send_with_wrong_key_raises_auth_error(sender, settings):
    with pytest.raises(AuthError):
        sender.send(dataclasses.replace(settings, access_key="wrong"), PROFILE)


def test_send_sends_no_credentials_of_netrc_and_keeps_no_cookies(
    sender, server, account, tmp_path, monkeypatch
):
    (tmp_path / ".netrc").write_text("default login artist password NETRC-SECRET\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.script = [dataclasses.replace(PROFILE_RESPONSE, headers={"Set-Cookie": "tracking=1; Path=/"})]
    sender.send(account, PROFILE, PROFILE)
    for request in server.requests:
        assert not request.headers.keys() & {"Authorization", "authorization", "Cookie", "cookie"}


def test_send_uses_proxy_of_the_environment(sender, server, account, monkeypatch):
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.setenv("no_proxy", "fe80::/10,127.0.0.1")
    server.script = [PROFILE_RESPONSE]
    sender.send(dataclasses.replace(account, domain="farm.invalid"), PROFILE)
    (request,) = server.requests
    assert request.path.startswith("http://farm.invalid/")
    assert request.headers["Host"] == "farm.invalid"


@pytest.mark.parametrize("domain", ["127.0.0.1:80", "LOCALHOST", "a.example."])
def test_send_signs_the_host_that_it_sends(sender, server, account, monkeypatch, domain):
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.script = [PROFILE_RESPONSE]
    sender.send(dataclasses.replace(account, domain=domain), PROFILE)
    (request,) = server.requests
    host, path = request.headers["Host"], request.path.removeprefix(f"http://{request.headers['Host']}")
    assert request.headers["signature"] == signature(KEY, host, path, request.headers, request.body)
