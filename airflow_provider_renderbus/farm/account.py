"""The farm's one customer: identity, key, storage ids and money."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from airflow_provider_renderbus.farm.storage import write_private

if TYPE_CHECKING:
    from pathlib import Path

USER_ID = 100001
USER_NAME = "embedded-farm"
INPUT_BID, OUTPUT_BID, CONFIG_BID = "10201", "20201", "30201"
CENT_OF_A_CENT = Decimal("0.0001")
SECONDS_AN_HOUR = 3600


@dataclass(slots=True)
class Account:
    """An account of the farm. Amounts are RMB.

    :param access_id: what a caller names itself by.
    :param access_key: what it signs with; never shown.
    :param price: what an hour of a machine costs.
    :param coupon: what is left of the coupons; they are used up before the balance.
    :param balance: what is left of the money paid in. It may fall below zero.
    """

    access_id: str
    access_key: str = field(repr=False)
    price: Decimal = Decimal("0.67")
    coupon: Decimal = Decimal(10)
    balance: Decimal = Decimal(500)

    def cost(self, seconds: int) -> Decimal:
        """Return what a machine costs for a time in seconds, to four decimals."""
        return (self.price * seconds / SECONDS_AN_HOUR).quantize(CENT_OF_A_CENT, ROUND_HALF_UP)

    def charge(self, cost: Decimal) -> tuple[Decimal, Decimal]:
        """Take an amount, from the coupons first.

        :return: what the coupons paid and what the balance paid.
        """
        by_coupon = min(cost, self.coupon)
        by_balance = cost - by_coupon
        self.coupon -= by_coupon
        self.balance -= by_balance
        return by_coupon, by_balance


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
