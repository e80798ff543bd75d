"""Checks the renders of a whole night before the first of them is paid."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.errors import AuthError, RenderbusError, is_permanent
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.clients.flows import describe_hardware
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.hooks.masking import QueryOnceClient
from airflow_provider_renderbus.operators.preflight import farm_lists
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator

if TYPE_CHECKING:
    from airflow_provider_renderbus.operators.preflight import Job
    from airflow_provider_renderbus.operators.tasks import RenderbusPreflightOperator
    from airflow_provider_renderbus.preflight.farm_lists import QueriedLists

log = logging.getLogger(__name__)

_FIELDS = frozenset({"task_json", "task_info", "software_config"})
_OWN_ARGUMENTS = frozenset({"task_id", "renderbus_conn_id", "preflight"})


def check_renders(operator: RenderbusPreflightOperator, renders: Any) -> list[dict[str, Any]]:
    """Check renders as `RenderbusRenderOperator` does, and return a row for each.

    :param operator: whose connection is used.
    :param renders: its argument of that name.
    :raises ValueError: it holds no renders.
    :raises AirflowFailException: renders are wrong; the message has a line for each fault.
    :raises AirflowException: renders are wrong on this worker only.
    :raises RenderbusError: the farm did not respond.
    """
    faults: list[str] = []
    rows: list[dict[str, Any]] = []
    lists: QueriedLists | None = None
    may_be_retried = True
    all_renders = _as_list(renders)
    # All renders share one client, which sends each query once.
    operator.hook.client = QueryOnceClient(operator.hook.settings)
    for position, render in enumerate(all_renders, 1):
        name = _name(position, render)
        try:
            job = _render_operator(operator, render).check_job(lists)
        except RenderbusError as error:
            # A wrong key is wrong for all renders.
            if isinstance(error, AuthError) or not is_permanent(error):
                raise
            faults.append(f"{name}: {error}")
            may_be_retried = False
        except (ValueError, TypeError, AirflowException) as error:
            faults += [f"{name}: {line}" for line in str(error).splitlines()]
            may_be_retried &= type(error) is AirflowException
        else:
            lists = lists or farm_lists(operator.hook, job.profile)
            rows.append(_row(name, job))
    for row in rows:
        log.info(
            "%s: %s %s, %s, %s warnings",
            *(row[field] for field in ("render", "software", "version")),
            row["hardware"] or "any machine",
            len(row["warnings"]),
        )
    if faults:
        exception_type = AirflowException if may_be_retried else AirflowFailException
        summary = f"{len(all_renders) - len(rows)} of {len(all_renders)} renders are wrong"
        raise exception_type("\n".join([f"{summary}; nothing was created:", *faults]))
    log.info("%s renders are right, and nothing was created", len(all_renders))
    return rows


def _render_operator(preflight: RenderbusPreflightOperator, render: Any) -> RenderbusRenderOperator:
    """Return the operator that would render, with the connection and the client of the one that checks.

    :raises ValueError: the arguments have one that only the latter has.
    """
    if isinstance(render, Mapping) and not _FIELDS & render.keys():
        raise ValueError(
            "renders: must have a task.json, or arguments with task_json among them, for each render, got "
            f"{excerpt(list(render))}"
        )
    arguments = render if _has_arguments(render) else {"task_json": render}
    own = sorted(_OWN_ARGUMENTS & arguments.keys())
    if own:
        raise ValueError(f"renders: must have arguments of a render, got {', '.join(own)}")
    operator = RenderbusRenderOperator(
        task_id="render", renderbus_conn_id=preflight.renderbus_conn_id, **arguments
    )
    operator.hook = preflight.hook
    return operator


def _as_list(renders: Any) -> list[Any]:
    if isinstance(renders, Mapping | str | PathLike):
        return [renders]
    if isinstance(renders, bytes) or not isinstance(renders, Iterable):
        raise ValueError(f"renders: must be a list of renders, or one render, got {excerpt(renders)}")
    return list(renders)


def _has_arguments(render: Any) -> bool:
    return isinstance(render, Mapping) and "task_json" in render


def _name(position: int, render: Any) -> str:
    """Return the place of a render in the list, with the name of its scene if that can be read."""
    task_json = render["task_json"] if _has_arguments(render) else render
    info = task_json.get("task_info") if isinstance(task_json, Mapping) else None
    scene = info.get("input_cg_file") if isinstance(info, Mapping) else task_json
    if not isinstance(scene, str | PathLike) or str(scene).lstrip().startswith("{"):
        return f"render {position}"
    return f"render {position} ({printable(str(scene).replace(chr(92), '/').rpartition('/')[2])})"


def _row(name: str, job: Job) -> dict[str, Any]:
    config, machines, profile = job.files.task_json["software_config"], job.farm_values.hardware, job.profile
    price = None
    if machines:
        price = profile.gpu_price if machines[0].gpu_num else profile.cpu_price
    return {
        "render": name,
        "software": config.get("cg_name"),
        "version": config.get("cg_version"),
        "hardware": describe_hardware(machines) or None,
        "price_per_hour": None if price is None else str(price),
        "currency": profile.currency,
        "warnings": list(job.warnings),
    }
