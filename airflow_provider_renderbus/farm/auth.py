"""Authentication of requests: signature, timestamp and nonce."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.signing import SIGNED_HEADERS, signature
from airflow_provider_renderbus.farm.server.envelope import (
    BAD_SIGNATURE,
    ILLEGAL_PARAMETER,
    NONCE_USED,
    SIGNATURE_EXPIRED,
    UNKNOWN_ACCOUNT,
    ApiRefusal,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_renderbus.farm.simulation.account import Account
    from airflow_provider_renderbus.farm.simulation.database import Database

TIMESTAMP_TOLERANCE = 300
"""Seconds by which a request's timestamp may differ from the farm's clock."""
HEADER_ONLY = frozenset(SIGNED_HEADERS) - {"platform"}
"""Signed headers that no body may have as a field. A field of the body replaces the header of its name in the
signature: with an old nonce in the body, the same signature would fit any other nonce in the header. The
documents have a call with the field ``platform``."""
NUMBER_PATTERN = re.compile(r"[0-9.]{1,20}")
"""Values of the signed headers but the access id. Nothing is escaped in the signed message: a header such as
``111&count=5`` would fit the signature of a nonce 111 and a field count."""


class Authenticator:
    """Accepts each signed request of the account once.

    The signature is checked before timestamp and nonce: a caller without the key can neither learn whether
    the rest was right nor use up a nonce. A nonce is stored as long as its timestamp is valid.
    """

    def __init__(self, account: Account, database: Database) -> None:
        self._account = account
        self._database = database
        self._nonces_pruned_at = 0.0

    def check_access_id(self, headers: Mapping[str, str]) -> None:
        """Check the access id, before any work is done for a request.

        :param headers: the request's headers, names in lower case.
        :raises ApiRefusal: with code 602.
        """
        if headers.get("accessid") != self._account.access_id:
            raise ApiRefusal(UNKNOWN_ACCOUNT)

    def check_signature(
        self, path: str, headers: Mapping[str, str], body: Mapping[str, Any], domain: str
    ) -> None:
        """Check the signature. It takes seconds for a body of a million fields.

        :param path: the path of the call.
        :param headers: the request's headers, names in lower case.
        :param body: the decoded body.
        :param domain: the host and port that the request was sent to.
        :raises ApiRefusal: with code 611, or with code 600 for a body or header that can replay a signature.
        """
        signed = {name: headers[name.lower()] for name in SIGNED_HEADERS if name.lower() in headers}
        try:
            expected = signature(self._account.access_key, domain, path, signed, body)
        except (UnicodeEncodeError, RecursionError):  # no client can have signed such a body
            raise ApiRefusal(BAD_SIGNATURE) from None
        if len(signed) < len(SIGNED_HEADERS) or not hmac.compare_digest(
            expected.encode(), headers.get("signature", "").encode()
        ):
            raise ApiRefusal(BAD_SIGNATURE)
        _check_header_values(signed, body)

    def accept_once(self, headers: Mapping[str, str], unix_time: float) -> None:
        """Accept a request whose signature was checked, if its timestamp is valid and its nonce is new.

        :param headers: the request's headers, names in lower case.
        :param unix_time: the farm's time, Unix seconds.
        :raises ApiRefusal: with code 610 or 603.
        """
        try:
            timestamp = int(headers["utctimestamp"])
        except ValueError:
            raise ApiRefusal(SIGNATURE_EXPIRED) from None
        if abs(unix_time - timestamp) > TIMESTAMP_TOLERANCE:
            raise ApiRefusal(SIGNATURE_EXPIRED)
        self._use_nonce(timestamp, headers["nonce"], unix_time)

    def _use_nonce(self, timestamp: int, nonce: str, unix_time: float) -> None:
        if abs(unix_time - self._nonces_pruned_at) > 1:
            self._database.delete_nonces(unix_time - TIMESTAMP_TOLERANCE)
            self._nonces_pruned_at = unix_time
        if not self._database.use_nonce(timestamp, nonce):
            raise ApiRefusal(NONCE_USED)


def _check_header_values(signed: Mapping[str, str], body: Mapping[str, Any]) -> None:
    """Refuse what lets the signature of another request pass."""
    for name, value in signed.items():
        if name in HEADER_ONLY and name in body:
            raise ApiRefusal(ILLEGAL_PARAMETER, field=name, expected="a header, not a field of the body")
        if name not in {"accessId", "UTCTimestamp"} and not NUMBER_PATTERN.fullmatch(value):
            raise ApiRefusal(ILLEGAL_PARAMETER, field=name, expected="a number")
