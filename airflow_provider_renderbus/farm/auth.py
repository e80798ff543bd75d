"""Who may come in: the check of a request's signature, timestamp and nonce."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.signing import SIGNED_HEADERS, signature
from airflow_provider_renderbus.farm.server.envelope import (
    BAD_SIGNATURE,
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


class Authenticator:
    """Lets signed requests of one account in, each once.

    The signature is looked at before timestamp and nonce, so that nobody without the key learns whether the
    rest was right or uses up a nonce. The books remember nonces as long as their timestamps are good.
    """

    def __init__(self, account: Account, books: Database) -> None:
        self._account = account
        self._books = books
        self._cleared = 0.0

    def authenticate(
        self, path: str, headers: Mapping[str, str], body: Mapping[str, Any], domain: str, wall: float
    ) -> None:
        """Let a request pass, or refuse it.

        :param path: the path of the call.
        :param headers: the request's headers, names in lower case.
        :param body: the decoded body.
        :param domain: the domain and port that the caller asked.
        :param wall: the farm's time, Unix seconds.
        :raises Refused: with code 602, 611, 610 or 603.
        """
        if headers.get("accessid") != self._account.access_id:
            raise ApiRefusal(UNKNOWN_ACCOUNT)
        signed = {name: headers[name.lower()] for name in SIGNED_HEADERS if name.lower() in headers}
        try:
            expected = signature(self._account.access_key, domain, path, signed, body)
        except (UnicodeEncodeError, RecursionError):  # nobody can have signed such a body
            raise ApiRefusal(BAD_SIGNATURE) from None
        if len(signed) < len(SIGNED_HEADERS) or not hmac.compare_digest(
            expected.encode(), headers.get("signature", "").encode()
        ):
            raise ApiRefusal(BAD_SIGNATURE)
        try:
            timestamp = int(signed["UTCTimestamp"])
        except ValueError:
            raise ApiRefusal(SIGNATURE_EXPIRED) from None
        if abs(wall - timestamp) > TIMESTAMP_TOLERANCE:
            raise ApiRefusal(SIGNATURE_EXPIRED)
        self._use(timestamp, signed["nonce"], wall)

    def _use(self, timestamp: int, nonce: str, wall: float) -> None:
        if abs(wall - self._cleared) > 1:
            self._books.forget_nonces(wall - TIMESTAMP_TOLERANCE)
            self._cleared = wall
        if not self._books.use_nonce(timestamp, nonce):
            raise ApiRefusal(NONCE_USED)
