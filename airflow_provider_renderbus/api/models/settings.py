"""The account's settings on the farm's web pages."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_renderbus.api.parsing import flag, integer, optional, reader, text


@dataclass(frozen=True, slots=True)
class UserSetting:
    """The account's settings.

    Three of them repeat the profile's and can be null here: the profile's count. ``task_over_time`` is in
    hours and ``task_over_time_sec`` in seconds, and the vendor's example contradicts itself (12 and 3600).
    """

    info_status: int | None = optional("infoStatus", integer)
    account_type: int | None = optional("accountType", integer)
    share_main_capital: bool | None = optional("shareMainCapital", flag)
    sub_delete_task: bool | None = optional("subDeleteTask", flag)
    use_main_balance: bool | None = optional("useMainBalance", flag)
    single_node_render_frames: str | None = optional("singleNodeRenderFrames", text)
    max_ignore_map_flag: str | None = optional("maxIgnoreMapFlag", text)
    auto_commit: str | None = optional("autoCommit", text)
    separate_account_flag: int | None = optional("separateAccountFlag", integer)
    mifile_switch_flag: int | None = optional("mifileSwitchFlag", integer)
    assfile_switch_flag: int | None = optional("assfileSwitchFlag", integer)
    manually_start_analysis_flag: int | None = optional("manuallyStartAnalysisFlag", integer)
    download_disable: bool | None = optional("downloadDisable", flag)
    task_over_time: int | None = optional("taskOverTime", integer)
    task_over_time_sec: int | None = optional("taskOverTimeSec", integer)
    ignore_map_flag: int | None = optional("ignoreMapFlag", integer)
    is_vray_licence: int | None = optional("isVrayLicense", integer)
    just_upload_config_flag: int | None = optional("justUploadConfigFlag", integer)
    just_upload_cg_flag: int | None = optional("justUploadCgFlag", integer)
    mandatory_analyse_all_agent: int | None = optional("mandatoryAnalyseAllAgent", integer)


read_user_setting = reader(UserSetting)
