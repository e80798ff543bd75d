import gzip

import pytest

from airflow_provider_renderbus.clients.response_body import (
    ContentEncodingError,
    ResponseBody,
    ResponseTooLargeError,
)

TEXT = b'{"code": 200}' * 100


def read(encoding, data, *, max_bytes=10_000, pieces=1):
    body = ResponseBody(encoding, max_bytes)
    for index in range(0, len(data), pieces):
        body.feed(data[index : index + pieces])
    return body.finish()


@pytest.mark.parametrize("pieces", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT, mtime=0)),
        (" X-GZIP ", gzip.compress(TEXT, mtime=0)),
        ("identity, gzip", gzip.compress(TEXT, mtime=0)),
        ("gzip", gzip.compress(TEXT, mtime=0) + b"padding"),
    ],
)
def test_response_body_returns_decompressed_bytes(encoding, data, pieces):
    assert read(encoding, data, pieces=pieces) == TEXT


def test_response_body_empty_is_empty():
    assert read("gzip", b"") == read("", b"") == b""


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "gzip, br", "x"])
def test_response_body_in_other_encoding_is_refused(encoding):
    with pytest.raises(ContentEncodingError):
        ResponseBody(encoding)


@pytest.mark.parametrize(
    "data", [TEXT, gzip.compress(TEXT, mtime=0)[:-1], gzip.compress(TEXT, mtime=0)[:-8] + b"12345678"]
)
def test_response_body_of_broken_gzip_is_refused(data):
    with pytest.raises(ContentEncodingError):
        read("gzip", data)


@pytest.mark.parametrize("pieces", [1, 64, 10_000])
@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("", bytes(101)),
        ("gzip", gzip.compress(bytes(101), mtime=0)),
        ("gzip", gzip.compress(b"", mtime=0) + bytes(101)),
    ],
)
def test_response_body_above_limit_is_refused(encoding, data, pieces):
    with pytest.raises(ResponseTooLargeError):
        read(encoding, data, max_bytes=100, pieces=pieces)


def test_response_body_of_exactly_the_limit_is_accepted():
    assert read("gzip", gzip.compress(bytes(100), mtime=0), max_bytes=100) == bytes(100)
