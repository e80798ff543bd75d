"""The farm's one customer: identity, key, storage ids and money."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.storage.storage import write_private

if TYPE_CHECKING:
    from pathlib import Path

USER_ID = 100001
USER_NAME = "embedded-farm"
INPUT_BID, OUTPUT_BID, CONFIG_BID = "10201", "20201", "30201"
COST_PRECISION = Decimal("0.0001")
SECONDS_PER_HOUR = 3600


@dataclass(slots=True)
class Funds:
    """What the customer has and pays. Amounts are RMB.

    :param price: what an hour of a machine costs.
    :param coupon: what is left of the coupons; they are used up before the balance.
    :param balance: what is left of the money paid in. Below zero it is owed.
    :param credit: what may be owed before the farm stops its work.
    """

    price: Decimal = Decimal("0.67")
    coupon: Decimal = Decimal(10)
    balance: Decimal = Decimal(500)
    credit: Decimal = Decimal(0)

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to pay with."""
        return self.coupon <= 0 and self.balance + self.credit <= 0

    def cost(self, seconds: int) -> Decimal:
        """Return what a machine costs for a time in seconds, to four decimals."""
        return (self.price * seconds / SECONDS_PER_HOUR).quantize(COST_PRECISION, ROUND_HALF_UP)

    def charge(self, cost: Decimal) -> tuple[Decimal, Decimal, Decimal]:
        """Take an amount, from the coupons first.

        :return: what the coupons paid, what the balance paid or owes, and how much of that is owed beyond
            the credit.
        """
        by_coupon = min(cost, self.coupon)
        by_balance = cost - by_coupon
        owed = self.unpaid
        self.coupon -= by_coupon
        self.balance -= by_balance
        return by_coupon, by_balance, self.unpaid - owed

    @property
    def unpaid(self) -> Decimal:
        """What is owed beyond the credit."""
        return max(-self.balance - self.credit, Decimal(0))


@dataclass(frozen=True, slots=True)
class Account:
    """What a caller names itself by and what it signs with.

    :param access_id: the id.
    :param access_key: the key, never shown.
    """

    access_id: str
    access_key: str = field(repr=False)

    def transfer_password(self, bid: str) -> str:
        """Return the password of a storage, in base64 as the documents' examples have it."""
        return base64.b64encode(self._derived(f"storage {bid}")).decode()

    def raysync_key(self, name: str) -> str:
        """Return one of the keys for RaySync, in hexadecimal as the documents' examples have it.

        :param name: which one.
        """
        return self._derived(f"raysync {name}").hex()

    def _derived(self, purpose: str) -> bytes:
        """Return what is as secret as the key, the same in every run, and does not give the key away."""
        return hmac.digest(self.access_key.encode(), purpose.encode(), "sha256")


def open_account(path: Path) -> Account:
    """Return the account kept in a file, made with a new id and key where there is no such file.

    :raises ValueError: the file is there and is not an account.
    """
    if not path.exists():
        keys = {"access_id": secrets.token_hex(16), "access_key": secrets.token_hex(32)}
        write_private(path, json.dumps(keys))
    try:
        keys = json.loads(path.read_text())
        return Account(str(keys["access_id"]), str(keys["access_key"]))
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{path} is not an account: expected JSON with access_id and access_key; "
            "remove the file to have a new account made"
        ) from None
