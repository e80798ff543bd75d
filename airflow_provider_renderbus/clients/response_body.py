"""Collects the body of a response, decompressed, up to a limit of bytes."""

from __future__ import annotations

import zlib

MAX_RESPONSE_BYTES = 32 * 2**20
"""The largest response that is read, compressed and decompressed.

The largest real ones are a page of 100 tasks of 100 layers each (15 MB) and the list of a folder of 100,000
files (20 MB). Parsing takes up to twenty times that memory, in the triggerer's process too.
"""
ACCEPT_ENCODING = "gzip"
_GZIP_NAMES = {"gzip", "x-gzip"}
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


class ResponseTooLargeError(Exception):
    """The body exceeds the limit, compressed or decompressed."""


class ContentEncodingError(Exception):
    """The body is encoded in a way that was not requested, or ends early."""


class ResponseBody:
    """A body that is fed in pieces as they arrive.

    :param content_encoding: value of the ``Content-Encoding`` header; gzip once, or none.
    :param max_bytes: limit of the body, compressed and decompressed.
    :raises ContentEncodingError: the encoding is another one.
    """

    def __init__(self, content_encoding: str = "", max_bytes: int = MAX_RESPONSE_BYTES) -> None:
        names = [name.strip().lower() for name in content_encoding.split(",")]
        encodings = [name for name in names if name not in {"", "identity"}]
        if len(encodings) > 1 or not _GZIP_NAMES.issuperset(encodings):
            raise ContentEncodingError("its Content-Encoding is not gzip")
        self._decompressor = zlib.decompressobj(_GZIP_WINDOW_BITS) if encodings else None
        self._max_bytes = max_bytes
        self._received = 0
        self._body = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Add the next bytes as they were received.

        :raises ResponseTooLargeError: the limit is exceeded.
        :raises ContentEncodingError: the bytes are not gzip, but should be.
        """
        self._received += len(chunk)
        if self._received > self._max_bytes:
            raise ResponseTooLargeError
        if self._decompressor is None:
            self._body += chunk
        elif not self._decompressor.eof:
            try:
                self._body += self._decompressor.decompress(chunk, self._max_bytes - len(self._body) + 1)
            except zlib.error as error:
                raise ContentEncodingError(f"it is not gzip: {error}") from None
        if len(self._body) > self._max_bytes:
            raise ResponseTooLargeError

    def finish(self) -> bytes:
        """Return the body.

        :raises ContentEncodingError: compressed bytes are missing.
        """
        if self._decompressor is not None and self._received and not self._decompressor.eof:
            raise ContentEncodingError("its gzip ends early")
        return bytes(self._body)
