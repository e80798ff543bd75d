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
from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.retry import RequestRetryPolicy
from airflow_provider_renderbus.clients.settings import Settings
from tests.clients.scripted_server import HALF, RESET, RESET_UNREAD, SILENCE, Answer, envelope
from tests.scenes import make_task_json

PROFILE = calls.query_user_profile()
SUBMIT = calls.submit_task(7)
KEY = "key-that-must-not-be-seen"
READ = envelope(data={"userId": 1})


@pytest.fixture
def account(server):
    return Settings(domain=server.address, access_id="id", access_key=KEY, protocol="http")


def test_a_request_is_signed_as_it_arrives(sender, server, account):
    server.script = [READ]
    sender.send(account, PROFILE)
    (arrival,) = server.arrived
    signed = signature(KEY, server.address, arrival.path, arrival.headers, arrival.body)
    assert arrival.headers["signature"] == signed
    assert arrival.headers["accessId"] == "id"
    assert arrival.headers["languageFlag"] == "1"
    assert arrival.headers["platform"] == "2"


def test_every_try_is_signed_afresh(sender, server, account):
    server.script = [envelope(500), envelope(1000), READ]
    sender.send(account, PROFILE, clock=lambda: 1.6e9)
    assert len({arrival.headers["nonce"] for arrival in server.arrived}) == 3
    assert len({arrival.headers["signature"] for arrival in server.arrived}) == 3


TRANSIENT = [
    envelope(500),
    Answer(500, b"<html>"),
    Answer(502),
    Answer(504, b'{"code": 504}'),
    Answer(429),
    RESET,
    RESET_UNREAD,
]


@pytest.mark.parametrize("answer", TRANSIENT, ids=str)
def test_transient_failures_are_tried_five_times(sender, server, account, answer):
    server.script = [answer]
    with pytest.raises((ServerError, NoResponse)):
        sender.send(account, PROFILE)
    assert len(server.arrived) == 5
    assert len(sender.waits) == 4
    assert all(0 < wait <= 2.0**number for number, wait in enumerate(sender.waits))


def test_the_waits_are_drawn_at_random(sender, server, account):
    server.script = [Answer(502)]
    seen = set()
    for _ in range(3):
        with pytest.raises(NoResponse):
            sender.send(account, PROFILE)
        seen.add(tuple(sender.waits[-4:]))
    assert len(seen) == 3


@pytest.mark.parametrize("answer", TRANSIENT, ids=str)
def test_a_call_that_spends_money_is_sent_once(sender, server, account, answer):
    server.script = [answer]
    with pytest.raises((ServerError, NoResponse)):
        sender.send(account, SUBMIT)
    assert len(server.arrived) == 1


@pytest.mark.parametrize("call", [PROFILE, SUBMIT], ids=lambda call: call.name)
def test_what_never_reached_the_farm_is_always_tried_again(sender, server, account, call):
    server.close()
    with pytest.raises(NotSent, match="no connection to 127"):
        sender.send(account, call)
    assert len(sender.waits) == 4


@pytest.mark.parametrize("answer", [envelope(601), Answer(200, b"<html>"), HALF], ids=str)
def test_what_a_retry_cannot_help_is_sent_once(sender, server, account, answer):
    server.script = [answer]
    with pytest.raises((ApiError, InvalidResponse)):
        sender.send(account, PROFILE)
    assert len(server.arrived) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_never_followed(sender, server, account, status):
    server.script = [Answer(status, headers={"Location": f"http://{server.address}/elsewhere"}), READ]
    with pytest.raises(InvalidResponse):
        sender.send(account, PROFILE)
    assert len(server.arrived) == 1


@pytest.mark.parametrize(("call", "sent"), [(PROFILE, 2), (SUBMIT, 1)], ids=["ask", "submit"])
def test_a_farm_that_stays_silent_is_not_waited_for_for_ever(sender, server, account, call, sent):
    server.script = [SILENCE]
    hurried = dataclasses.replace(account, read_timeout=0.1)
    with pytest.raises(NoResponse):
        sender.send(hurried, call, retry_policy=RequestRetryPolicy(max_attempts=2))
    assert len(server.arrived) == sent


def test_an_error_does_not_carry_the_request_along(sender, server, account):
    server.script = [RESET]
    with pytest.raises(NoResponse) as raised:
        sender.send(account, SUBMIT)
    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None


def test_retry_after_is_honoured(sender, server, account):
    server.script = [Answer(429, headers={"Retry-After": "7"}), READ]
    sender.send(account, PROFILE)
    assert sender.waits == [7.0]


def test_a_date_to_retry_after_is_honoured(sender, server, account):
    server.script = [Answer(503, headers={"Retry-After": "Sun, 13 Sep 2020 12:26:45 GMT"}), READ]
    sender.send(account, PROFILE, clock=lambda: 1.6e9)
    assert sender.waits == [5.0]


def test_a_wait_beyond_the_total_is_not_begun(sender, server, account):
    server.script = [Answer(429, headers={"Retry-After": "1000"})]
    with pytest.raises(NoResponse):
        sender.send(account, PROFILE, retry_policy=RequestRetryPolicy(max_elapsed=300))
    assert sender.waits == []


def test_a_wrong_clock_is_corrected_once(sender, server, account):
    server.script = [envelope(610, serverTime=1_600_000_500_000), READ, READ]
    sender.send(account, PROFILE, PROFILE, clock=lambda: 1.6e9)
    assert [arrival.headers["UTCTimestamp"] for arrival in server.arrived] == [
        "1600000000",
        "1600000500",
        "1600000500",
    ]
    assert sender.waits == []


def test_a_clock_that_stays_wrong_is_an_error(sender, server, account):
    server.script = [envelope(610, serverTime=1_600_000_500_000)]
    with pytest.raises(ClockSkew):
        sender.send(account, SUBMIT)
    assert len(server.arrived) == 2


def test_a_nonce_that_was_seen_is_replaced_once(sender, server, account):
    server.script = [envelope(603), READ, envelope(603)]
    sender.send(account, PROFILE)
    with pytest.raises(NonceUsed):
        sender.send(account, PROFILE)
    assert len(server.arrived) == 4


def test_a_path_that_is_not_served_gives_way_for_good(sender, server, account):
    first, second = SUBMIT.paths
    server.script = [Answer(404, b"not here"), envelope()]
    sender.send(account, SUBMIT, SUBMIT)
    assert [arrival.path for arrival in server.arrived] == [first, second, second]


def test_a_call_that_is_served_nowhere_is_an_error(sender, server, account):
    server.script = [Answer(404)]
    with pytest.raises(EndpointNotFound):
        sender.send(account, SUBMIT)
    assert len(server.arrived) == 2


def test_an_answer_of_404_is_the_farms_own(sender, server, account):
    server.script = [envelope(404)]
    with pytest.raises(ApiError):
        sender.send(account, SUBMIT)
    assert len(server.arrived) == 1


def test_connections_are_kept_but_a_call_that_spends_money_opens_its_own(sender, server, account):
    server.script = [READ]
    sender.send(account, PROFILE, PROFILE, SUBMIT, PROFILE)
    first, second, submit, last = [arrival.connection for arrival in server.arrived]
    assert first == second == last
    assert submit != first


def test_two_requests_of_a_second_never_share_a_nonce(sender, server, account):
    server.script = [READ]
    sender.send(account, *[PROFILE] * 20, clock=lambda: 1.6e9)
    assert len({arrival.headers["nonce"] for arrival in server.arrived}) == 20


def test_the_key_is_in_no_log_and_no_error(sender, server, account, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpx")
    server.script = [envelope(500), RESET, Answer(200, KEY.encode())]
    with pytest.raises(InvalidResponse) as raised:
        sender.send(account, PROFILE)
    seen = caplog.text + str(raised.value) + repr(raised.value) + repr(account)
    assert KEY not in seen
    for arrival in server.arrived:
        assert arrival.headers["signature"] not in seen


@pytest.mark.parametrize(
    ("level", "lines"), [(logging.NOTSET, 0), (logging.INFO, 1)], ids=["by itself", "where it is asked to"]
)
async def test_httpx_has_a_line_for_a_request_only_where_it_is_asked_to(
    server, account, caplog, level, lines
):
    caplog.set_level(logging.INFO)
    caplog.set_level(level, "httpx")
    server.script = [READ]
    async with AsyncClient(account) as client:
        await client.send(PROFILE)
    assert [record.name for record in caplog.records] == ["httpx"] * lines


def test_a_whole_render_on_the_farm(sender, farm, settings):
    (created,) = sender.send(settings, calls.create_task(labels=["夜间"]))
    (number,) = created.ids
    sender.send(
        settings, calls.upload_task_json(number, json.dumps(make_task_json())), calls.submit_task(number)
    )
    farm.advance(3600)
    task = sender.send(settings, calls.query_task_info([number]))[0][number]
    assert task.is_terminal
    frames = sender.send(settings, calls.query_task_frames(number))[0]
    assert [frame.name for frame in frames.items] == ["1", "2", "3", "4"]
    assert sum(frame.cost for frame in frames.items) == task.cost > 0
    folder = sender.send(settings, calls.get_output_files(number))[0][0]
    files = sender.send(settings, calls.get_output_files(tree_path=folder.path))[0]
    assert len(files) == 4
    assert all((farm.output_root / file.path.lstrip("/")).stat().st_size == file.size for file in files)


def test_a_wrong_key_is_refused_by_the_farm(sender, settings):
    with pytest.raises(AuthError):
        sender.send(dataclasses.replace(settings, access_key="wrong"), PROFILE)
