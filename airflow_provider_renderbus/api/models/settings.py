"""The account's settings on the farm's web pages."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_renderbus.api.parsing import optional_field, read_bool, read_int, read_str, reader_for


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


read_user_setting = reader_for(UserSetting)
