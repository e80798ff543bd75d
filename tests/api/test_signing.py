import base64
import hmac
import json
from pathlib import Path

import pytest

from airflow_provider_renderbus.api.signing import signature, string_to_sign

VECTORS = json.loads(Path(__file__).parents[1].joinpath("data/signing_vectors.json").read_text("utf-8"))[
    "vectors"
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_signature_of_vendor_vectors(vector):
    request = vector["domain"], vector["path"], vector["headers"], vector["body"]
    assert string_to_sign(*request) == vector["message"]
    assert signature(vector["access_key"], *request) == vector["signature"]


def test_string_to_sign_ignores_headers_that_are_not_signed():
    signed = {"accessId": "a", "nonce": "1"}
    headers = {
        **signed,
        "languageFlag": "1",
        "signature": "x",
        "Content-Type": "application/json",
        "Host": "h",
    }
    assert string_to_sign("d", "/p", headers, {}) == string_to_sign("d", "/p", signed, {})


def test_string_to_sign_body_field_replaces_header_of_same_name():
    headers = {"accessId": "a", "nonce": "1"}
    assert string_to_sign("d", "/p", headers, {"nonce": {"x": [2, {"y": 3}]}}) == (
        "[POST]d:/p&accessId=a&nonce.x0=2&nonce.x1.y=3"
    )
    assert string_to_sign("d", "/p", headers, {"nonce": []}) == "[POST]d:/p&accessId=a"


def test_signature_of_long_body_covers_all_of_it():
    request = "d", "/p", {"accessId": "a"}, {"content": "衣帽间 wardrobe " * 20_000}
    digest = hmac.digest(b"key", string_to_sign(*request).encode(), "sha256")
    assert signature("key", *request) == base64.b64encode(digest).decode()
