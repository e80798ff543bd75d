"""The vendor's client makes every call that it has, both of ours make the same: what is sent is equal."""

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
from tests.interop.deviations import DEVIATIONS, SILENT
from tests.interop.differences import differences
from tests.interop.recorder import ACCESS_ID, ACCESS_KEY, ENDPOINTS, ONE_TIME
from tests.interop.vendor import VendorError

SIGNED = ("accessId", "channel", "platform", "UTCTimestamp", "nonce", "version")
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
both_clients = pytest.mark.parametrize("client", [Client, AsyncClient])


@pytest.fixture(scope="module")
def logged_in(vendor, recorder):
    connection = {"access_id": ACCESS_ID, "access_key": ACCESS_KEY, "domain": recorder.address}
    vendor.ask("log_in", **connection, platform="2", protocol="http")
    assert [sent.path.rpartition("/")[2] for sent in recorder.take()] == [
        "queryUserProfile",
        "queryUserSetting",
        "getBid",
    ]
    return vendor


@pytest.fixture(scope="module")
def theirs(logged_in, recorder):
    """What the vendor's client sends in a case. It is asked once: it remembers the number it created."""
    known = {}

    def sent(case):
        if case.id not in known:
            ask(logged_in, case.order, case.arguments)
            known[case.id] = recorder.take()
        return known[case.id]

    return sent


def ask(vendor, order, arguments):
    """Give an order. That the vendor's client can end in an error is its affair: what it sent counts."""
    with contextlib.suppress(VendorError):
        vendor.ask(order, **arguments)


@pytest.fixture
def ours(recorder):
    """What a client of ours sends in a case."""

    def sent(case, client):
        settings = Settings(
            domain=recorder.address, access_id=ACCESS_ID, access_key=ACCESS_KEY, protocol="http"
        )
        work = work_of(case)
        if isinstance(work, Call):
            Sender(client).send(settings, work)
        elif work is not None:
            Sender(client).run(settings, work)
        return recorder.take()

    return sent


def work_of(case):
    """The call or the sequence of a case; None where the arguments are refused before anything is sent."""
    try:
        return case.ours()
    except ValueError:
        return None


@both_clients
@every_case
def test_what_is_sent_is_equal_but_for_what_is_meant(case, client, theirs, ours):
    their_requests, our_requests = theirs(case), ours(case, client)
    assert their_requests or our_requests
    found = list(differences(their_requests, our_requests))
    assert found == [deviation.difference for deviation in DEVIATIONS if deviation.case == case.id]


@every_case
def test_signatures_are_right_by_the_code_of_both(case, theirs, ours, logged_in, recorder):
    for sent in theirs(case) + ours(case, Client):
        signed = {name: sent.arrival.headers[name] for name in SIGNED}
        signature = logged_in.ask(
            "sign",
            key=ACCESS_KEY,
            domain=recorder.address,
            path=sent.path,
            headers=signed,
            body=sent.arrival.body,
        )
        by_their_code = "right" if signature == sent.arrival.headers["signature"] else "wrong"
        assert by_their_code == sent.signature


@every_case
def test_what_is_good_for_one_request_has_the_same_form(case, theirs, ours):
    for sent in theirs(case) + ours(case, Client):
        moment, nonce, signature = (sent.arrival.headers[name] for name in ONE_TIME)
        in_time = moment.isdecimal() and abs(time.time() - int(moment)) < 600
        in_form = re.fullmatch("[1-9][0-9]{5}", nonce) and re.fullmatch("[A-Za-z0-9+/]{43}=", signature)
        assert (bool(in_time), bool(in_form)) == (True, True)


def test_every_method_of_theirs_is_asked_for(logged_in):
    silent = {each.order for each in SILENT}
    assert {case.order for case in CASES}.isdisjoint(silent)
    assert {case.order for case in CASES} | silent == set(logged_in.ask("methods"))


@pytest.mark.parametrize("silent", SILENT, ids=lambda silent: silent.order)
def test_what_is_not_compared_sends_nothing(silent, logged_in, recorder):
    ask(logged_in, silent.order, silent.arguments)
    assert recorder.take() == []


def test_every_call_of_ours_is_compared():
    works = [work for work in map(work_of, CASES) if isinstance(work, Call)]
    assert {call.name for call in works} == set(calls.__all__)


def test_every_path_of_theirs_is_ours(vendor):
    assert set(vendor.ask("paths")) == {endpoint["paths"][0] for endpoint in ENDPOINTS}


def test_cases_and_deviations_are_told_apart():
    names = [case.id for case in CASES]
    assert len(set(names)) == len(names)
    assert {deviation.case for deviation in DEVIATIONS} <= set(names)
    assert all(deviation.reason for deviation in DEVIATIONS)
