"""Names that the supported lines of Airflow have in different modules.

Each is imported at its first use, since most of them load much, from the first of its modules that has it.
Once the line of Airflow above a group is the oldest supported, plain imports of the first modules replace it.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import (
        DAG as DAG,
        Asset as Asset,
        BaseHook as BaseHook,
        BaseOperator as BaseOperator,
        BaseOperatorLink as BaseOperatorLink,
        BaseSensorOperator as BaseSensorOperator,
        Connection as Connection,
        Context as Context,
        Param as Param,
        PokeReturnValue as PokeReturnValue,
        XComArg as XComArg,
        chain as chain,
        dag as dag,
        get_current_context as get_current_context,
        task as task,
        task_group as task_group,
    )
    from airflow.sdk.bases.decorator import (
        DecoratedOperator as DecoratedOperator,
        TaskDecorator as TaskDecorator,
        determine_kwargs as determine_kwargs,
        task_decorator_factory as task_decorator_factory,
    )
    from airflow.sdk.configuration import conf as conf
    from airflow.sdk.definitions.context import context_merge as context_merge
    from airflow.sdk.exceptions import (
        AirflowException as AirflowException,
        AirflowFailException as AirflowFailException,
        AirflowNotFoundException as AirflowNotFoundException,
        AirflowRescheduleException as AirflowRescheduleException,
        AirflowSensorTimeout as AirflowSensorTimeout,
        AirflowSkipException as AirflowSkipException,
        AirflowTaskTimeout as AirflowTaskTimeout,
        TaskDeferred as TaskDeferred,
    )
    from airflow.sdk.execution_time.xcom import XCom as XCom
    from airflow.sdk.log import mask_secret as mask_secret
    from airflow.sdk.types import TaskInstanceKey as TaskInstanceKey

log = logging.getLogger(__name__)

AIRFLOW_3 = importlib.util.find_spec("airflow.sdk") is not None
"""Whether this is Airflow 3. Superfluous from 3.0."""

HAS_PAGES = AIRFLOW_3 and importlib.util.find_spec("airflow.sdk.timezone") is not None
"""Whether plugins can add pages to Airflow's UI. Superfluous from 3.1."""

_BETWEEN_TRIES = {"up_for_retry", "scheduled", "queued"}
_EXCEPTIONS = ("airflow.sdk.exceptions", "airflow.exceptions")

_MODULES: dict[str, tuple[str, ...]] = {
    # Superfluous from 3.0.
    "Asset": ("airflow.sdk",),
    "BaseOperator": ("airflow.sdk", "airflow.models.baseoperator"),
    "BaseOperatorLink": ("airflow.sdk", "airflow.models.baseoperatorlink"),
    "BaseSensorOperator": ("airflow.sdk", "airflow.sensors.base"),
    "Connection": ("airflow.sdk", "airflow.models.connection"),
    "Context": ("airflow.sdk", "airflow.utils.context"),
    "DAG": ("airflow.sdk", "airflow.models.dag"),
    "DecoratedOperator": ("airflow.sdk.bases.decorator", "airflow.decorators.base"),
    "Param": ("airflow.sdk", "airflow.models.param"),
    "PokeReturnValue": ("airflow.sdk", "airflow.sensors.base"),
    "TaskDecorator": ("airflow.sdk.bases.decorator", "airflow.decorators.base"),
    "XCom": ("airflow.sdk.execution_time.xcom", "airflow.models.xcom"),
    "XComArg": ("airflow.sdk", "airflow.models.xcom_arg"),
    "chain": ("airflow.sdk", "airflow.models.baseoperator"),
    "context_merge": ("airflow.sdk.definitions.context", "airflow.utils.context"),
    "dag": ("airflow.sdk", "airflow.decorators"),
    "get_current_context": ("airflow.sdk", "airflow.operators.python"),
    "mask_secret": ("airflow.sdk.log", "airflow.utils.log.secrets_masker"),
    "task": ("airflow.sdk", "airflow.decorators"),
    "task_decorator_factory": ("airflow.sdk.bases.decorator", "airflow.decorators.base"),
    "task_group": ("airflow.sdk", "airflow.decorators"),
    # Superfluous from 3.1.
    "AirflowException": _EXCEPTIONS,
    "BaseHook": ("airflow.sdk", "airflow.hooks.base"),
    # Superfluous from 3.2.
    "AirflowFailException": _EXCEPTIONS,
    "AirflowNotFoundException": _EXCEPTIONS,
    "AirflowPlugin": ("airflow.sdk.plugins_manager", "airflow.plugins_manager"),
    "AirflowRescheduleException": _EXCEPTIONS,
    "AirflowSensorTimeout": _EXCEPTIONS,
    "AirflowSkipException": _EXCEPTIONS,
    "AirflowTaskTimeout": _EXCEPTIONS,
    "TaskDeferred": _EXCEPTIONS,
    "TaskInstanceKey": ("airflow.sdk.types", "airflow.models.taskinstancekey"),
    "conf": ("airflow.sdk.configuration", "airflow.configuration"),
    "determine_kwargs": ("airflow.sdk.bases.decorator", "airflow.utils.operator_helpers"),
}


def __getattr__(name: str) -> Any:
    modules = _MODULES.get(name, ())
    for module in modules:
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    if name == "Asset" and not AIRFLOW_3:
        return importlib.import_module("airflow.datasets").Dataset
    if modules:
        raise ImportError(f"This version of Airflow has {name} in none of {', '.join(modules)}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class ReplacedError(SystemExit):
    """A newer try of the task has taken the place of this process, which must end without a trace."""


def is_replaced() -> bool:
    """Return whether a newer try of the task has taken the place of this process. Superfluous from 3.0.

    Airflow 2 can leave the process of an old try alone, whose heartbeats fail, until the newer try has ended.
    False also if Airflow does not answer.
    """
    if AIRFLOW_3:
        return False
    try:
        ti = __getattr__("get_current_context")()["ti"]
        instance = importlib.import_module("airflow.models.taskinstance").TaskInstance
        key = {name: getattr(ti, name) for name in ("dag_id", "run_id", "task_id", "map_index")}
        with importlib.import_module("airflow.utils.session").create_session() as session:
            query = session.query(instance.try_number, instance.state).filter_by(**key)
            row = query.one_or_none()
    except Exception:  # whatever Airflow raises means that it does not answer
        log.exception("Airflow does not say whether it runs a newer try")
        return False
    return row is not None and (row.try_number > ti.try_number or row.state in _BETWEEN_TRIES)


async def aget_connection(hook: BaseHook, conn_id: str) -> Connection:
    """Return a connection within an event loop. Superfluous from 3.3.2.

    Before, Airflow's own method masks the secrets by a call that blocks the loop, and refuses to do so while
    another call is under way.
    """
    if hasattr(__getattr__("Connection"), "aextra_dejson"):
        return await hook.aget_connection(conn_id)
    from asgiref.sync import sync_to_async

    return await sync_to_async(hook.get_connection)(conn_id)


async def amask_extra(connection: Connection) -> None:
    """Have Airflow mask the secrets in a connection's extra, within an event loop. Superfluous from 3.3.2."""
    if hasattr(connection, "aextra_dejson"):
        await connection.aextra_dejson()
    else:
        from asgiref.sync import sync_to_async

        await sync_to_async(getattr)(connection, "extra_dejson")
