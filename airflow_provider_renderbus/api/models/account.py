"""The account: profile, settings, and the hardware that it can render on."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from airflow_provider_renderbus.api.parsing import (
    list_of,
    optional_field,
    read_bool,
    read_decimal,
    read_id,
    read_int,
    read_str,
    read_timestamp_ms,
    reader_for,
    required_field,
)

if TYPE_CHECKING:
    from datetime import datetime

CHINA_ZONE = 1
_ENABLED = 1


@dataclass(frozen=True, slots=True)
class UserProfile:
    """Profile of the account: identity, funds and rights.

    ``FUNDS_HIDDEN_NOTE`` is added to messages about `available_funds` if not `funds_visible`.
    """

    FUNDS_HIDDEN_NOTE: ClassVar[str] = (
        "it pays from its main account or hides its figures, so its funds may differ"
    )
    user_id: int = required_field("userId", read_id)
    user_name: str | None = optional_field("userName", read_str)
    main_user_id: int | None = optional_field("mainUserId", read_int)
    zone: int | None = optional_field("zone", read_int)
    platform: int | None = optional_field("platform", read_int)
    rmb_balance: Decimal = optional_field("rmbbalance", read_decimal, Decimal(0), strict=True)
    usd_balance: Decimal = optional_field("usdbalance", read_decimal, Decimal(0), strict=True)
    coupon: Decimal = optional_field("coupon", read_decimal, Decimal(0), strict=True)
    credit: Decimal = optional_field("credit", read_decimal, Decimal(0), strict=True)
    rmb_cumulative: Decimal | None = optional_field("rmbCumulative", read_decimal)
    usd_cumulative: Decimal | None = optional_field("usdCumulative", read_decimal)
    cpu_price: Decimal | None = optional_field("cpuPrice", read_decimal)
    gpu_price: Decimal | None = optional_field("gpuPrice", read_decimal)
    share_main_capital: bool | None = optional_field("shareMainCapital", read_bool)
    use_main_balance: bool | None = optional_field("useMainBalance", read_bool)
    hide_balance: bool | None = optional_field("hideBalance", read_bool)
    hide_job_charge: bool | None = optional_field("hideJobCharge", read_bool)
    sub_delete_task: bool | None = optional_field("subDeleteTask", read_bool)
    download_disable: bool | None = optional_field("downloadDisable", read_bool)
    use_level_directory: bool | None = optional_field("useLevelDirectory", read_bool)
    display_subaccount: bool | None = optional_field("displaySubaccount", read_bool)
    subaccount_limits: int | None = optional_field("subaccountLimits", read_int)
    status: int | None = optional_field("status", read_int)
    info_status: int | None = optional_field("infoStatus", read_int)
    account_type: int | None = optional_field("accountType", read_int)
    user_type: int | None = optional_field("userType", read_int)
    business_type: int | None = optional_field("businessType", read_int)
    soft_type: int | None = optional_field("softType", read_int)
    soft_status: int | None = optional_field("softStatus", read_int)
    level: int | None = optional_field("level", read_int)
    picture_level: int | None = optional_field("pictureLever", read_int)
    houdini_flag: int | None = optional_field("houdiniFlag", read_int)
    c4d_flag: int | None = optional_field("c4dFlag", read_int)
    blender_flag: int | None = optional_field("blenderFlag", read_int)
    keyshot_flag: int | None = optional_field("keyshotFlag", read_int)
    student_end_time: datetime | None = optional_field("studentEndTime", read_timestamp_ms)
    name: str | None = optional_field("name", read_str)
    company: str | None = optional_field("company", read_str)
    job: str | None = optional_field("job", read_str)
    phone: str | None = optional_field("phone", read_str)
    email: str | None = optional_field("email", read_str)
    communication_number: str | None = optional_field("communicationNumber", read_str)
    description: str | None = optional_field("description", read_str)
    country: str | None = optional_field("country", read_str)
    city: str | None = optional_field("city", read_str)
    address: str | None = optional_field("address", read_str)

    @property
    def currency(self) -> str:
        """The account's currency, by its zone: RMB in China, else USD (an inference)."""
        return "RMB" if self.zone == CHINA_ZONE else "USD"

    @property
    def available_funds(self) -> Decimal:
        """Balance, coupons and credit together, in the account's currency.

        A sub-account that pays from its main account (`use_main_balance`) or whose figures are hidden
        (`hide_balance`) can have more; see `funds_visible`.
        """
        balance = self.rmb_balance if self.currency == "RMB" else self.usd_balance
        return balance + self.coupon + self.credit

    @property
    def funds_visible(self) -> bool:
        """Whether `available_funds` is all that the account can spend."""
        return not (self.use_main_balance or self.hide_balance)

    def has_less_than(self, amount: Decimal) -> bool:
        """Return whether the account is known to have less funds than an amount."""
        return self.funds_visible and self.available_funds < amount


@dataclass(frozen=True, slots=True)
class UserSetting:
    """The account's settings.

    Three of them are in the profile too and can be null here; the profile's are valid. ``task_over_time`` is
    in hours and ``task_over_time_sec`` in seconds; the vendor's example contradicts itself (12 and 3600).
    """

    info_status: int | None = optional_field("infoStatus", read_int)
    account_type: int | None = optional_field("accountType", read_int)
    share_main_capital: bool | None = optional_field("shareMainCapital", read_bool)
    sub_delete_task: bool | None = optional_field("subDeleteTask", read_bool)
    use_main_balance: bool | None = optional_field("useMainBalance", read_bool)
    single_node_render_frames: str | None = optional_field("singleNodeRenderFrames", read_str)
    max_ignore_map_flag: str | None = optional_field("maxIgnoreMapFlag", read_str)
    auto_commit: str | None = optional_field("autoCommit", read_str)
    separate_account_flag: int | None = optional_field("separateAccountFlag", read_int)
    mifile_switch_flag: int | None = optional_field("mifileSwitchFlag", read_int)
    assfile_switch_flag: int | None = optional_field("assfileSwitchFlag", read_int)
    manually_start_analysis_flag: int | None = optional_field("manuallyStartAnalysisFlag", read_int)
    download_disable: bool | None = optional_field("downloadDisable", read_bool)
    task_over_time: int | None = optional_field("taskOverTime", read_int)
    task_over_time_sec: int | None = optional_field("taskOverTimeSec", read_int)
    ignore_map_flag: int | None = optional_field("ignoreMapFlag", read_int)
    is_vray_licence: int | None = optional_field("isVrayLicense", read_int)
    just_upload_config_flag: int | None = optional_field("justUploadConfigFlag", read_int)
    just_upload_cg_flag: int | None = optional_field("justUploadCgFlag", read_int)
    mandatory_analyse_all_agent: int | None = optional_field("mandatoryAnalyseAllAgent", read_int)


@dataclass(frozen=True, slots=True)
class HardwareConfig:
    """A kind of machine on one platform.

    ``ram`` is "64GB" here and "64" in task.json; ``gpu_num`` is None for CPU machines, else e.g. "2*GPU".
    """

    id: int = required_field("id", read_int)
    platform: int = required_field("platform", read_int)
    model: str | None = optional_field("model", read_str)
    ram: str | None = optional_field("ram", read_str)
    gpu_num: str | None = optional_field("gpuNum", read_str)
    kind: int | None = optional_field("type", read_int)
    current: bool = optional_field("current", read_bool, False)
    not_support_cg_ids: tuple[int, ...] = optional_field("notSupportCgId", list_of(read_int), ())
    status: int | None = optional_field("status", read_int)

    def supports(self, platform: int, cg_id: int) -> bool:
        """Return whether it is enabled, belongs to a platform and can render a software."""
        return self.status == _ENABLED and self.platform == platform and cg_id not in self.not_support_cg_ids


read_user_profile = reader_for(UserProfile)
read_user_setting = reader_for(UserSetting)
read_hardware_config = reader_for(HardwareConfig)
