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
def test_vectors_of_the_vendor(vector):
    request = vector["domain"], vector["path"], vector["headers"], vector["body"]
    assert string_to_sign(*request) == vector["message"]
    assert signature(vector["access_key"], *request) == vector["signature"]


def test_headers_that_the_farm_does_not_sign_are_passed_over():
    signed = {"accessId": "a", "nonce": "1"}
    more = {**signed, "languageFlag": "1", "signature": "x", "Content-Type": "application/json", "Host": "h"}
    assert string_to_sign("d", "/p", more, {}) == string_to_sign("d", "/p", signed, {})


def test_a_field_of_the_body_stands_in_for_the_header_of_its_name_also_where_it_is_an_object():
    headers = {"accessId": "a", "nonce": "1"}
    assert string_to_sign("d", "/p", headers, {"nonce": {"x": [2, {"y": 3}]}}) == (
        "[POST]d:/p&accessId=a&nonce.x0=2&nonce.x1.y=3"
    )
    assert string_to_sign("d", "/p", headers, {"nonce": []}) == "[POST]d:/p&accessId=a"


def test_a_long_message_is_signed_to_its_end():
    request = "d", "/p", {"accessId": "a"}, {"content": "衣帽间 wardrobe " * 20_000}
    digest = hmac.digest(b"key", string_to_sign(*request).encode(), "sha256")
    assert signature("key", *request) == base64.b64encode(digest).decode()
