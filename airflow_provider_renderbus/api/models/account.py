"""The account that renders."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from airflow_provider_renderbus.api.parsing import (
    amount,
    flag,
    integer,
    moment,
    optional,
    reader,
    required,
    text,
)

if TYPE_CHECKING:
    from datetime import datetime

CHINA_ZONE = 1


@dataclass(frozen=True, slots=True)
class UserProfile:
    """The account's profile: who it is, what it owns and what it may do.

    ``ONLY_ADVICE`` is what to say of `means` where the account does not show it.
    """

    ONLY_ADVICE: ClassVar[str] = "it pays from its main account or hides its figures, so this is only advice"
    user_id: int = required("userId", integer)
    user_name: str | None = optional("userName", text)
    main_user_id: int | None = optional("mainUserId", integer)
    zone: int | None = optional("zone", integer)
    platform: int | None = optional("platform", integer)
    rmb_balance: Decimal = optional("rmbbalance", amount, Decimal(0), strict=True)
    usd_balance: Decimal = optional("usdbalance", amount, Decimal(0), strict=True)
    coupon: Decimal = optional("coupon", amount, Decimal(0), strict=True)
    credit: Decimal = optional("credit", amount, Decimal(0), strict=True)
    rmb_cumulative: Decimal | None = optional("rmbCumulative", amount)
    usd_cumulative: Decimal | None = optional("usdCumulative", amount)
    cpu_price: Decimal | None = optional("cpuPrice", amount)
    gpu_price: Decimal | None = optional("gpuPrice", amount)
    share_main_capital: bool | None = optional("shareMainCapital", flag)
    use_main_balance: bool | None = optional("useMainBalance", flag)
    hide_balance: bool | None = optional("hideBalance", flag)
    hide_job_charge: bool | None = optional("hideJobCharge", flag)
    sub_delete_task: bool | None = optional("subDeleteTask", flag)
    download_disable: bool | None = optional("downloadDisable", flag)
    use_level_directory: bool | None = optional("useLevelDirectory", flag)
    display_subaccount: bool | None = optional("displaySubaccount", flag)
    subaccount_limits: int | None = optional("subaccountLimits", integer)
    status: int | None = optional("status", integer)
    info_status: int | None = optional("infoStatus", integer)
    account_type: int | None = optional("accountType", integer)
    user_type: int | None = optional("userType", integer)
    business_type: int | None = optional("businessType", integer)
    soft_type: int | None = optional("softType", integer)
    soft_status: int | None = optional("softStatus", integer)
    level: int | None = optional("level", integer)
    picture_level: int | None = optional("pictureLever", integer)
    houdini_flag: int | None = optional("houdiniFlag", integer)
    c4d_flag: int | None = optional("c4dFlag", integer)
    blender_flag: int | None = optional("blenderFlag", integer)
    keyshot_flag: int | None = optional("keyshotFlag", integer)
    student_end_time: datetime | None = optional("studentEndTime", moment)
    name: str | None = optional("name", text)
    company: str | None = optional("company", text)
    job: str | None = optional("job", text)
    phone: str | None = optional("phone", text)
    email: str | None = optional("email", text)
    communication_number: str | None = optional("communicationNumber", text)
    description: str | None = optional("description", text)
    country: str | None = optional("country", text)
    city: str | None = optional("city", text)
    address: str | None = optional("address", text)

    @property
    def currency(self) -> str:
        """The account's currency, by its zone: RMB in China, else USD (an inference)."""
        return "RMB" if self.zone == CHINA_ZONE else "USD"

    @property
    def means(self) -> Decimal:
        """What the account can spend: balance, coupons and credit, in its currency.

        For a sub-account that pays from its main account (`use_main_balance`) or whose figures are hidden
        (`hide_balance`) this is only what it may see.
        """
        balance = self.rmb_balance if self.currency == "RMB" else self.usd_balance
        return balance + self.coupon + self.credit

    @property
    def shows_means(self) -> bool:
        """Whether `means` is what the account can spend; else it is at best advice."""
        return not (self.use_main_balance or self.hide_balance)

    def lacks(self, amount: Decimal) -> bool:
        """Return whether the account is known to have less than an amount to spend."""
        return self.shows_means and self.means < amount


read_user_profile = reader(UserProfile)
