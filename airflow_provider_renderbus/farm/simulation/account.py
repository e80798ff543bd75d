"""The farm's one customer: id and key, storage ids and money."""

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
    """The customer's money and its price list, in RMB.

    :param price: price of a machine per hour.
    :param coupon: value of the remaining coupons, which are used before the balance.
    :param balance: prepaid money that remains. A negative balance is debt.
    :param credit: debt up to which the farm continues to work.
    """

    price: Decimal = Decimal("0.67")
    coupon: Decimal = Decimal(10)
    balance: Decimal = Decimal(500)
    credit: Decimal = Decimal(0)

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to pay with."""
        return self.coupon <= 0 and self.balance + self.credit <= 0

    @property
    def unpaid(self) -> Decimal:
        """The debt beyond the credit."""
        return max(-self.balance - self.credit, Decimal(0))

    def cost(self, seconds: int) -> Decimal:
        """Return the price of a machine for some seconds, to four decimals."""
        return (self.price * seconds / SECONDS_PER_HOUR).quantize(COST_PRECISION, ROUND_HALF_UP)

    def charge(self, cost: Decimal) -> tuple[Decimal, Decimal, Decimal]:
        """Subtract a cost, from the coupons first.

        :return: the parts paid by coupons and by the balance, and how much of the latter is unpaid.
        """
        paid_by_coupon = min(cost, self.coupon)
        paid_by_balance = cost - paid_by_coupon
        unpaid_before = self.unpaid
        self.coupon -= paid_by_coupon
        self.balance -= paid_by_balance
        return paid_by_coupon, paid_by_balance, self.unpaid - unpaid_before


@dataclass(frozen=True, slots=True)
class Account:
    """Id and key of the customer.

    :param access_id: the id.
    :param access_key: the key that requests are signed with, excluded from ``repr``.
    """

    access_id: str
    access_key: str = field(repr=False)

    def transfer_password(self, bid: str) -> str:
        """Return the password of a storage, in base64 as in the documents' examples."""
        return base64.b64encode(self._derive(f"storage {bid}")).decode()

    def raysync_key(self, name: str) -> str:
        """Return one of the keys for RaySync, in hexadecimal as in the documents' examples."""
        return self._derive(f"raysync {name}").hex()

    def _derive(self, purpose: str) -> bytes:
        """Derive a secret from the key: the same in every process, and of no use to find the key."""
        return hmac.digest(self.access_key.encode(), purpose.encode(), "sha256")


def open_account(path: Path) -> Account:
    """Read the account from a file, which is created with a new id and key if missing.

    :raises ValueError: the file is not an account.
    """
    if not path.exists():
        keys = {"access_id": secrets.token_hex(16), "access_key": secrets.token_hex(32)}
        write_private(path, json.dumps(keys))
    try:
        keys = json.loads(path.read_text())
        return Account(str(keys["access_id"]), str(keys["access_key"]))
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{path}: must be JSON with access_id and access_key; remove the file to create a new account"
        ) from None
