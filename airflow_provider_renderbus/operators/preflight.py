"""What is checked before a render is created or submitted, while nothing is paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, overload

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.validation import parse_decimal
from airflow_provider_renderbus.operators.task_files import TaskFiles
from airflow_provider_renderbus.renders import submit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_renderbus.api.call import Call
    from airflow_provider_renderbus.api.models.tasks import CreatedTasks
    from airflow_provider_renderbus.operators.file_transfer import FileTransfer
    from airflow_provider_renderbus.operators.submitting import SubmittingOperator
    from airflow_provider_renderbus.operators.task_files import FarmValues
    from airflow_provider_renderbus.renders.fingerprint import JobFingerprint
    from airflow_provider_renderbus.transfer.uploads import Asset


class JobArguments(NamedTuple):
    """The arguments of an operator that describe a render, as they are after Airflow has rendered templates.

    :param load_sources: returns the sources of task.json and the other files, by argument.
    :param has_transfer_arguments: whether any argument of transfers is set.
    :param file_transfer: returns what transfers assets and frames, whose modules take a while to import.
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


class Job(NamedTuple):
    """A render that passed all checks.

    :param create: the call that creates it.
    :param files: what describes it.
    :param farm_values: what only the farm has of it.
    :param assets: what to upload; None for nothing.
    :param fingerprint: of files and assets.
    """

    create: Call[CreatedTasks]
    files: TaskFiles
    farm_values: FarmValues
    assets: list[Asset] | None
    fingerprint: JobFingerprint


@overload
def preflight(operator: SubmittingOperator, arguments: None = None) -> None: ...
@overload
def preflight(operator: SubmittingOperator, arguments: JobArguments) -> Job: ...
def preflight(operator: SubmittingOperator, arguments: JobArguments | None = None) -> Job | None:
    """Check everything that can be known before a render is created or submitted.

    What needs no request is checked first, so that a mistake in a DAG costs none. The requests that follow
    change nothing on the farm. After it, only the farm, the network or a transfer can fail before the submit.

    :param operator: the operator, for its connection, its limits and its wait.
    :param arguments: what to render; None if the render exists.
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
    # From here on the farm is asked.
    profile = operator.hook.send(calls.query_user_profile())
    if operator.min_funds is not None:
        submit.check_funds(profile, parse_decimal("min_funds", operator.min_funds))
    if transfer and has_transfers:
        transfer.check_storage(profile, uploads=assets is not None)
    farm_values = files.look_up(operator.hook, profile)
    return Job(create, files, farm_values, assets, files.fingerprint(assets))
