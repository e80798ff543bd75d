"""Authentication: signature, timestamp and nonce."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock
from tests.farm.raw_client import CREATE, LIST, PROFILE, SUBMIT, RawClient

NOON = 1_800_000_000


class WallClock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def wall_clock():
    return WallClock()


@pytest.fixture
def client(tmp_path, wall_clock):
    with closing(Farm(tmp_path / "farm", ManualClock(unix_time=wall_clock))) as farm:
        yield RawClient(farm)


def at(unix_time, **headers):
    return {"UTCTimestamp": str(unix_time), **headers}


def test_authenticate_signed_request_succeeds(client):
    answer = client.request(PROFILE, **at(NOON))
    assert (answer["code"], answer["result"], answer["message"]) == (200, True, "success")
    assert set(answer) == {
        "version", "result", "message", "code", "data", "serverTime", "requestId",
    }  # fmt: skip
    assert answer["serverTime"] == NOON * 1000


@pytest.mark.parametrize("change_case", [str.lower, str.upper])
def test_authenticate_ignores_case_of_header_names(client, change_case):
    headers = client.sign(PROFILE, {}, **at(NOON))
    assert (
        client.send(PROFILE, {change_case(name): value for name, value in headers.items()}, b"{}")["code"]
        == 200
    )


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
def test_authenticate_wrong_credentials_or_timestamp_refuses(client, headers, code):
    assert client.request(PROFILE, **(at(NOON) | headers))["code"] == code


def test_authenticate_body_not_signed_refuses(client):
    headers = client.sign(CREATE, {"count": 1}, **at(NOON))
    assert client.send(CREATE, headers, b'{"count": 100}')["code"] == 611


@pytest.mark.parametrize("name", ["nonce", "UTCTimestamp", "accessId", "channel", "version"])
def test_authenticate_signed_header_moved_into_body_refuses(client, wall_clock, name):
    headers = client.sign(CREATE, {"count": 1}, **at(NOON))
    assert client.send(CREATE, headers, b'{"count": 1}')["code"] == 200
    wall_clock.now += 1
    replayed = headers | {"nonce": "654321", "UTCTimestamp": str(wall_clock.now)}
    for moved in ([name], ["nonce", "UTCTimestamp"], ["nonce", "UTCTimestamp", name]):
        body = json.dumps({"count": 1} | {each: headers[each] for each in moved}).encode()
        assert client.send(CREATE, replayed, body)["code"] in {600, 611}
    assert client.send(CREATE, headers, json.dumps({"count": 1, name: headers[name]}).encode())["code"] == 600


@pytest.mark.parametrize(
    ("path", "body", "header"),
    [(LIST, {"pageNum": 1}, "nonce"), (CREATE, {"count": 2}, "channel"), (SUBMIT, {"taskId": 1}, "platform")],
)
def test_authenticate_field_moved_into_header_refuses(client, path, body, header):
    headers = client.sign(path, body, **at(NOON))
    ((name, value),) = body.items()
    headers[header] += f"&{name}={value}"
    assert client.send(path, headers, b"{}")["code"] == 600


def test_authenticate_field_platform_in_body_succeeds(client):
    body = {"platform": 62, "pageNum": 1, "pageSize": 10, "startDate": "", "endDate": ""}
    assert client.request("/api/render/handle/operate/sdk/taskRecord", body, **at(NOON))["code"] == 200


@pytest.mark.parametrize("missing", ["signature", "UTCTimestamp", "nonce", "channel", "platform", "version"])
def test_authenticate_missing_header_refuses(client, missing):
    headers = client.sign(PROFILE, {}, **at(NOON))
    del headers[missing]
    assert client.send(PROFILE, headers, b"{}")["code"] == 611


def test_authenticate_missing_access_id_refuses(client):
    headers = client.sign(PROFILE, {}, **at(NOON))
    del headers["accessId"]
    assert client.send(PROFILE, headers, b"{}")["code"] == 602


def test_authenticate_repeated_nonce_refuses(client):
    assert [client.request(PROFILE, **at(NOON, nonce="123456"))["code"] for _ in "ab"] == [200, 603]
    assert client.request(PROFILE, **at(NOON + 1, nonce="123456"))["code"] == 200


def test_authenticate_stores_nonce_while_timestamp_is_valid(client, wall_clock):
    headers = at(NOON + 200, nonce="123456")
    assert client.request(PROFILE, **headers)["code"] == 200
    wall_clock.now = NOON + 500
    assert client.request(PROFILE, **at(NOON + 500))["code"] == 200
    assert client.request(PROFILE, **headers)["code"] == 603
    wall_clock.now = NOON + 501
    assert client.request(PROFILE, **headers)["code"] == 610


def test_authenticate_wrong_signature_keeps_nonce_unused(client):
    assert client.request(PROFILE, **at(NOON, nonce="123456"), key="wrong")["code"] == 611
    assert client.request(PROFILE, **at(NOON, nonce="123456"))["code"] == 200


@pytest.mark.parametrize(("flag", "message"), [("0", "签名无效"), ("1", "The signature is invalid")])
def test_error_message_follows_language_flag(client, flag, message):
    assert client.request(PROFILE, **at(NOON), key="wrong", languageFlag=flag)["message"] == message


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'"\\ud800"', b"[" * 100_000, b"\xff"])
def test_request_body_not_an_object_refuses(client, body):
    assert client.send(PROFILE, client.sign(PROFILE, {}, **at(NOON)), body)["code"] == 400


def test_request_platform_not_a_number_refuses(client):
    assert client.request(PROFILE, **at(NOON, platform="W2"))["code"] == 600


@pytest.mark.parametrize("body", [b'{"a": "\\ud800"}', b'{"a":' * 900 + b"1" + b"}" * 900])
def test_authenticate_unsignable_body_refuses(client, body):
    assert client.send(PROFILE, client.sign(PROFILE, {}, **at(NOON)), body)["code"] == 611


def test_authenticate_manual_clock_advanced_still_succeeds(tmp_path):
    with closing(Farm(tmp_path / "farm", ManualClock())) as farm:
        farm.advance(86_400)
        assert RawClient(farm).request(PROFILE)["code"] == 200


def test_handle_unknown_path_returns_404_without_envelope(client):
    status, headers, body = client.farm.handle("/api/nothing", {}, b"{}")
    assert status == 404
    assert headers["Content-Type"] == "text/plain"
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_access_key_appears_in_no_answer_and_no_repr(client):
    key = client.farm.connection()["password"]
    answers = [client.request(PROFILE, **at(NOON)), client.request(PROFILE, **at(NOON), key="wrong")]
    assert key not in repr(answers)
    assert key not in repr(vars(client.farm))
