"""Who is let in: signature, timestamp and nonce."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock
from tests.farm.raw_client import CREATE, PROFILE, RawClient

NOON = 1_800_000_000


class Wall:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def client(tmp_path, wall):
    with closing(Farm(tmp_path / "farm", ManualClock(unix_time=wall))) as farm:
        yield RawClient(farm)


def at(moment, **headers):
    return {"UTCTimestamp": str(moment), **headers}


def test_a_signed_request_is_let_in(client):
    answer = client.request(PROFILE, **at(NOON))
    assert (answer["code"], answer["result"], answer["message"]) == (200, True, "success")
    assert set(answer) == {
        "version", "result", "message", "code", "data", "serverTime", "requestId",
    }  # fmt: skip
    assert answer["serverTime"] == NOON * 1000


@pytest.mark.parametrize("name", [str.lower, str.upper])
def test_the_case_of_header_names_does_not_matter(client, name):
    headers = client.sign(PROFILE, {}, **at(NOON))
    assert client.send(PROFILE, {name(key): value for key, value in headers.items()}, b"{}")["code"] == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"key": "wrong"}, 611),
        ({"accessId": "nobody"}, 602),
        ({"UTCTimestamp": str(NOON - 301)}, 610),
        ({"UTCTimestamp": str(NOON + 301)}, 610),
        ({"UTCTimestamp": "yesterday"}, 610),
    ],
)
def test_others_are_not(client, headers, code):
    assert client.request(PROFILE, **(at(NOON) | headers))["code"] == code


def test_a_body_other_than_the_signed_one_is_refused(client):
    headers = client.sign(CREATE, {"count": 1}, **at(NOON))
    assert client.send(CREATE, headers, b'{"count": 100}')["code"] == 611


@pytest.mark.parametrize("missing", ["signature", "UTCTimestamp", "nonce", "channel", "platform", "version"])
def test_a_header_left_out_is_refused(client, missing):
    headers = client.sign(PROFILE, {}, **at(NOON))
    del headers[missing]
    assert client.send(PROFILE, headers, b"{}")["code"] == 611


def test_without_an_access_id_nobody_is_logged_in(client):
    headers = client.sign(PROFILE, {}, **at(NOON))
    del headers["accessId"]
    assert client.send(PROFILE, headers, b"{}")["code"] == 602


def test_a_nonce_is_good_once_a_second(client):
    assert [client.request(PROFILE, **at(NOON, nonce="123456"))["code"] for _ in "ab"] == [200, 603]
    assert client.request(PROFILE, **at(NOON + 1, nonce="123456"))["code"] == 200


def test_a_nonce_is_remembered_as_long_as_its_timestamp_is_good(client, wall):
    headers = at(NOON + 200, nonce="123456")
    assert client.request(PROFILE, **headers)["code"] == 200
    wall.now = NOON + 500
    assert client.request(PROFILE, **at(NOON + 500))["code"] == 200
    assert client.request(PROFILE, **headers)["code"] == 603
    wall.now = NOON + 501
    assert client.request(PROFILE, **headers)["code"] == 610


def test_a_forger_uses_up_no_nonce(client):
    assert client.request(PROFILE, **at(NOON, nonce="123456"), key="wrong")["code"] == 611
    assert client.request(PROFILE, **at(NOON, nonce="123456"))["code"] == 200


@pytest.mark.parametrize(("flag", "message"), [("0", "签名无效"), ("1", "The signature is invalid")])
def test_messages_are_in_the_callers_language(client, flag, message):
    assert client.request(PROFILE, **at(NOON), key="wrong", languageFlag=flag)["message"] == message


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'"\\ud800"', b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_object_is_refused(client, body):
    assert client.send(PROFILE, client.sign(PROFILE, {}, **at(NOON)), body)["code"] == 400


def test_a_platform_that_is_no_number_is_refused(client):
    assert client.request(PROFILE, **at(NOON, platform="W2"))["code"] == 600


@pytest.mark.parametrize("body", [b'{"a": "\\ud800"}', b'{"a":' * 900 + b"1" + b"}" * 900])
def test_a_body_that_nobody_can_have_signed_is_refused(client, body):
    assert client.send(PROFILE, client.sign(PROFILE, {}, **at(NOON)), body)["code"] == 611


def test_hand_driven_time_makes_no_signature_old(tmp_path):
    with closing(Farm(tmp_path / "farm", ManualClock())) as farm:
        farm.advance(86_400)
        assert RawClient(farm).request(PROFILE)["code"] == 200


def test_an_unknown_path_has_no_envelope(client):
    status, headers, body = client.farm.handle("/api/nothing", {}, b"{}")
    assert status == 404
    assert headers["Content-Type"] == "text/plain"
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_the_key_is_in_no_answer_and_no_text(client):
    key = client.farm.connection()["password"]
    answers = [client.request(PROFILE, **at(NOON)), client.request(PROFILE, **at(NOON), key="wrong")]
    assert key not in repr(answers)
    assert key not in repr(vars(client.farm))
