import json
from pathlib import Path

import pytest

from airflow_provider_renderbus.api.signing import message, signature

VECTORS = json.loads(Path(__file__).parents[1].joinpath("data/signing_vectors.json").read_text("utf-8"))[
    "vectors"
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors_of_the_vendor(vector):
    request = vector["domain"], vector["path"], vector["headers"], vector["body"]
    assert message(*request) == vector["message"]
    assert signature(vector["access_key"], *request) == vector["signature"]


def test_headers_that_the_farm_does_not_sign_are_passed_over():
    signed = {"accessId": "a", "nonce": "1"}
    more = {**signed, "languageFlag": "1", "signature": "x", "Content-Type": "application/json", "Host": "h"}
    assert message("d", "/p", more, {}) == message("d", "/p", signed, {})
