"""Tests that the vendor's client and both of ours send the same requests for every call."""

from __future__ import annotations

import contextlib
import re
import time

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.call import Call
from airflow_provider_renderbus.clients.async_client import AsyncClient
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.settings import Settings
from tests.clients.conftest import Sender
from tests.interop.cases import CASES
from tests.interop.deviations import DEVIATIONS, WITHOUT_REQUEST
from tests.interop.differences import differences
from tests.interop.recorder import ACCESS_ID, ACCESS_KEY, ENDPOINTS, PER_REQUEST_HEADERS
from tests.interop.vendor import VendorError

SIGNED_HEADERS = ("accessId", "channel", "platform", "UTCTimestamp", "nonce", "version")
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
both_clients = pytest.mark.parametrize("client", [Client, AsyncClient])


@pytest.fixture(scope="module")
def logged_in(vendor, recorder):
    connection = {"access_id": ACCESS_ID, "access_key": ACCESS_KEY, "domain": recorder.address}
    vendor.call("log_in", **connection, platform="2", protocol="http")
    assert [request.path.rpartition("/")[2] for request in recorder.pop_requests()] == [
        "queryUserProfile",
        "queryUserSetting",
        "getBid",
    ]
    return vendor


@pytest.fixture(scope="module")
def theirs(logged_in, recorder):
    """Return the vendor's requests of a case. Each case runs once, because the client stores created ids."""
    cache = {}

    def requests_of(case):
        if case.id not in cache:
            call_vendor(logged_in, case.method, case.arguments)
            cache[case.id] = recorder.pop_requests()
        return cache[case.id]

    return requests_of


def call_vendor(vendor, method, arguments):
    """Call a method. Errors of the vendor's client are ignored: only its requests are compared."""
    with contextlib.suppress(VendorError):
        vendor.call(method, **arguments)


@pytest.fixture
def ours(recorder):
    """Return the requests of one of our clients for a case."""

    def requests_of(case, client):
        settings = Settings(
            domain=recorder.address, access_id=ACCESS_ID, access_key=ACCESS_KEY, protocol="http"
        )
        call_or_flow = build(case)
        if isinstance(call_or_flow, Call):
            Sender(client).send(settings, call_or_flow)
        elif call_or_flow is not None:
            Sender(client).run(settings, call_or_flow)
        return recorder.pop_requests()

    return requests_of


def build(case):
    """Return the call or the flow of a case; None if its arguments are invalid."""
    try:
        return case.ours()
    except ValueError:
        return None


@both_clients
@every_case
def test_requests_of_both_clients_differ_only_as_intended(case, client, theirs, ours):
    their_requests, our_requests = theirs(case), ours(case, client)
    assert their_requests or our_requests
    found = list(differences(their_requests, our_requests))
    assert found == [deviation.difference for deviation in DEVIATIONS if deviation.case == case.id]


@every_case
def test_signature_is_equally_valid_for_the_code_of_both(case, theirs, ours, logged_in, recorder):
    for request in theirs(case) + ours(case, Client):
        signed = {name: request.received.headers[name] for name in SIGNED_HEADERS}
        signature = logged_in.call(
            "sign",
            key=ACCESS_KEY,
            domain=recorder.address,
            path=request.path,
            headers=signed,
            body=request.received.body,
        )
        by_vendor = "right" if signature == request.received.headers["signature"] else "wrong"
        assert by_vendor == request.signature


@every_case
def test_headers_of_a_single_request_have_the_same_format(case, theirs, ours):
    for request in theirs(case) + ours(case, Client):
        timestamp, nonce, signature = (request.received.headers[name] for name in PER_REQUEST_HEADERS)
        valid_time = timestamp.isdecimal() and abs(time.time() - int(timestamp)) < 600
        valid_format = re.fullmatch("[1-9][0-9]{5}", nonce) and re.fullmatch("[A-Za-z0-9+/]{43}=", signature)
        assert (bool(valid_time), bool(valid_format)) == (True, True)


def test_cases_cover_every_method_of_the_vendor(logged_in):
    without_request = {each.method for each in WITHOUT_REQUEST}
    assert {case.method for case in CASES}.isdisjoint(without_request)
    assert {case.method for case in CASES} | without_request == set(logged_in.call("methods"))


@pytest.mark.parametrize("entry", WITHOUT_REQUEST, ids=lambda entry: entry.method)
def test_method_without_request_sends_nothing(entry, logged_in, recorder):
    call_vendor(logged_in, entry.method, entry.arguments)
    assert recorder.pop_requests() == []


def test_cases_cover_every_call():
    compared = [each for each in map(build, CASES) if isinstance(each, Call)]
    assert {call.name for call in compared} == set(calls.__all__)


def test_endpoints_have_every_path_of_the_vendor_first(vendor):
    assert set(vendor.call("paths")) == {endpoint["paths"][0] for endpoint in ENDPOINTS}


def test_cases_and_deviations_have_unique_ids_and_reasons():
    names = [case.id for case in CASES]
    assert len(set(names)) == len(names)
    assert {deviation.case for deviation in DEVIATIONS} <= set(names)
    assert all(deviation.reason for deviation in DEVIATIONS)
