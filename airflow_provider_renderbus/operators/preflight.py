"""What is checked before a render is created or submitted, while nothing is paid."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.validation import parse_decimal
from airflow_provider_renderbus.operators.state_folder import state_folder
from airflow_provider_renderbus.operators.task_files import TaskFiles
from airflow_provider_renderbus.preflight.checks import check_project, check_render
from airflow_provider_renderbus.preflight.farm_lists import QueriedLists, zone_of
from airflow_provider_renderbus.preflight.list_cache import ListCache, account_name
from airflow_provider_renderbus.renders import submit
from airflow_provider_renderbus.task_json.doubts import find_scene_doubts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.models.account import UserProfile
    from airflow_provider_renderbus.api.models.tasks import CreatedTasks
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
    from airflow_provider_renderbus.operators.file_transfer import FileTransfer
    from airflow_provider_renderbus.operators.submitting import SubmittingOperator
    from airflow_provider_renderbus.operators.task_files import FarmValues
    from airflow_provider_renderbus.preflight.checks import Findings
    from airflow_provider_renderbus.renders.fingerprint import JobFingerprint
    from airflow_provider_renderbus.transfer.uploads import Asset

log = logging.getLogger(__name__)

_LIST_FOLDER = "farm-lists"


class JobArguments(NamedTuple):
    """The arguments of an operator that describe a render, as they are after Airflow has rendered templates.

    :param load_sources: returns the sources of task.json and the other files, by argument.
    :param has_transfer_arguments: whether any argument of transfers is set.
    :param file_transfer: returns what transfers assets and frames, whose modules take a while to import.
    :param preflight: whether to compare the render with the farm's lists.
    """

    load_sources: Callable[[], Mapping[str, Any]]
    project_name: Any
    hardware: Any
    priority: Any
    labels: Any
    assets: Any
    download_folder: Any
    download_pattern: Any
    download_layout: Any
    has_transfer_arguments: bool
    file_transfer: Callable[[], FileTransfer]
    preflight: bool


class Job(NamedTuple):
    """A render that passed all checks.

    :param create: the call that creates it.
    :param files: what describes it.
    :param farm_values: what only the farm has of it.
    :param assets: what to upload; None for nothing.
    :param fingerprint: of files and assets.
    :param profile: of the account.
    :param warnings: what is doubtful or could not be checked; it is logged.
    """

    create: Call[CreatedTasks]
    files: TaskFiles
    farm_values: FarmValues
    assets: list[Asset] | None
    fingerprint: JobFingerprint
    profile: UserProfile
    warnings: tuple[str, ...]


@overload
def preflight(operator: SubmittingOperator, arguments: None = None) -> None: ...
@overload
def preflight(
    operator: SubmittingOperator, arguments: JobArguments, lists: QueriedLists | None = None
) -> Job: ...
def preflight(
    operator: SubmittingOperator, arguments: JobArguments | None = None, lists: QueriedLists | None = None
) -> Job | None:
    """Check everything that can be known before a render is created or submitted.

    What needs no request is checked first, so that a mistake in a DAG costs none. The requests that follow
    change nothing on the farm. After it, only the farm, the network or a transfer can fail before the submit.

    :param operator: the operator, for its connection, its limits and its wait.
    :param arguments: what to render; None if the render exists.
    :param lists: the farm's lists; those of the operator's connection if omitted.
    :return: what to render, checked; None if the render exists.
    :raises ValueError: an argument is wrong, or the account lacks something. A retry would fail the same way.
    :raises AirflowFailException: files cannot be uploaded, or the transfer command cannot be run.
    :raises AirflowException: a folder cannot be written on this worker.
    :raises RenderbusError: the farm refused or did not respond.
    """
    operator.load_connection()
    operator.validate_arguments()
    if arguments is None:
        return None
    create = submit.create_call(priority=arguments.priority, labels=arguments.labels, artist=operator.artist)
    transfer = arguments.file_transfer() if arguments.has_transfer_arguments else None
    has_transfers = arguments.assets is not None or arguments.download_folder is not None
    if transfer:
        transfer.check_arguments(arguments.download_pattern, arguments.download_layout)
    if transfer and has_transfers:
        transfer.check_worker(arguments.download_folder)
    files = TaskFiles.load(arguments.load_sources(), arguments.project_name, arguments.hardware)
    assets = transfer.resolve(arguments.assets) if transfer and arguments.assets is not None else None
    warnings = files.warnings
    if assets is not None:
        doubts = find_scene_doubts(files.task_json, (asset.server for asset in assets))
        warnings += tuple(doubts)
        for doubt in doubts:
            log.warning(doubt)
    # From here on the farm is asked.
    profile = operator.hook.send(calls.query_user_profile())
    if operator.min_funds is not None:
        submit.check_funds(profile, parse_decimal("min_funds", operator.min_funds))
    if transfer and has_transfers:
        transfer.check_storage(profile, uploads=assets is not None)
    if arguments.preflight:
        if lists is None:
            lists = farm_lists(operator.hook, profile)
        warnings += check_on_farm(files, lists, int(operator.hook.settings.platform))
    farm_values = files.look_up(operator.hook, profile)
    return Job(create, files, farm_values, assets, files.fingerprint(assets), profile, warnings)


def farm_lists(hook: RenderbusHook, profile: UserProfile) -> QueriedLists:
    """Return the farm's lists for a connection, which all renders of its account on this worker share.

    :param hook: the hook of the connection.
    :param profile: of its account.
    """
    settings = hook.settings

    def send(call: Call[Any]) -> Any:
        # Without retries: a list that cannot be had is a warning, which must not delay the render.
        with hook.no_retry_client() as client:
            return client.send(call)

    account = account_name(settings.domain, settings.access_id, int(settings.platform))
    cache = ListCache(state_folder() / _LIST_FOLDER, account, hook.clock)
    return QueriedLists(send, zone_of(profile.zone, settings.domain), cache, hook.clock)


def check_on_farm(files: TaskFiles, lists: QueriedLists, platform: int) -> tuple[str, ...]:
    """Compare a render with the farm's lists, log the warnings, and return them.

    :param files: what describes the render.
    :param lists: the farm's lists.
    :param platform: id of the connection's platform.
    :raises ValueError: the farm does not have what the render asks for.
    """

    def check() -> Findings:
        findings = check_render(files.task_json, lists, platform)
        check_project(findings, lists, "project_name", files.project_name)
        return findings

    findings = check()
    if findings.errors and lists.renew():
        findings = check()
    for warning in findings.warnings:
        log.warning(warning)
    if findings.errors:
        lines = "\n".join(findings.errors)
        raise ValueError(f"{lines}\nNothing was submitted. If the farm's list is wrong, set preflight=False")
    return tuple(findings.warnings)
