"""Tests that the vendor's code and ours sign any JSON body the same."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings, strategies as st

from airflow_provider_renderbus.api.signing import signature

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
# Names that collide: a list's first item is signed under its own name and "0", an object's field after a dot.
NAMES = st.one_of(
    TEXTS, st.sampled_from(["platform", "nonce", "a", "a0", "a00", "a.b", "a0.b", "", "0", "b"])
)
LEAVES = st.one_of(
    TEXTS, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=24,
)
HEADERS = {
    "accessId": "AKIDEXAMPLE",
    "channel": "4",
    "platform": "2",
    "UTCTimestamp": "1600000000",
    "nonce": "123456",
    "version": "2.0.0",
}


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=TEXTS.filter(bool),
    domain=st.sampled_from(["task.renderbus.com", "127.0.0.1:8899"]),
    body=st.dictionaries(NAMES, VALUES, max_size=6),
)
def test_signature_of_any_body_equals_the_vendors(vendor, key, domain, body):
    request = {"key": key, "domain": domain, "path": "/api/x", "headers": HEADERS, "body": body}
    theirs = vendor.call("sign", **request)
    same = theirs == signature(key, domain, "/api/x", HEADERS, body)
    assert same
