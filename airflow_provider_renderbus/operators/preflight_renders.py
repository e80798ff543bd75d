"""The operator that checks the renders of a whole night before the first of them is paid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.errors import RenderbusError, is_permanent
from airflow_provider_renderbus.api.text import printable
from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.clients.flows import describe_hardware
from airflow_provider_renderbus.compat import AirflowException, AirflowFailException
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator
from airflow_provider_renderbus.task_result import translate_errors

if TYPE_CHECKING:
    from airflow_provider_renderbus.compat import Context, XComArg
    from airflow_provider_renderbus.operators.preflight import Job
    from airflow_provider_renderbus.preflight.farm_lists import QueriedLists

_OWN_ARGUMENTS = frozenset({"task_id", "renderbus_conn_id", "preflight"})


class RenderbusPreflightOperator(RenderbusOperator):
    """Check renders as `RenderbusRenderOperator` does before it creates one, and create nothing.

    It checks all of them and fails without retries with all faults of all renders. What cannot be checked,
    because the farm does not list it, is a warning. The farm is asked once for each thing, however many
    renders there are.

    Folders, files and the transfer command are checked on the worker that runs this operator: give it the
    queue of the renders.

    :param renders: the renders, or one of them if the operator is mapped. Each is a task.json as a mapping,
        JSON text or path, or a mapping of arguments of `RenderbusRenderOperator` with at least ``task_json``
        (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: a list with a mapping per render: render (name of the scene, with its place in the list),
        software, version, hardware, price_per_hour with currency (of the account, None if it does not say),
        and warnings.
    :raises AirflowFailException: renders are wrong; the message has a line for each fault.
    """

    template_fields = (*RenderbusOperator.template_fields, "renders")
    operator_extra_links = ()

    def __init__(
        self,
        *,
        renders: Iterable[Any] | Mapping[str, Any] | str | XComArg,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(renderbus_conn_id=renderbus_conn_id, **kwargs)
        self.renders: Any = renders

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Check the renders, and return the table."""
        from airflow_provider_renderbus.hooks.masking import QueryOnceClient
        from airflow_provider_renderbus.operators.preflight import farm_lists

        faults: list[str] = []
        rows: list[dict[str, Any]] = []
        lists: QueriedLists | None = None
        may_be_retried = True
        with translate_errors():
            renders = _as_list(self.renders)
            # All renders share one client, which sends each query once.
            self.hook.client = QueryOnceClient(self.hook.settings)
            for position, render in enumerate(renders, 1):
                name = _name(position, render)
                try:
                    job = self._render_operator(render).check_job(lists)
                except RenderbusError as error:
                    if not is_permanent(error):
                        raise
                    faults.append(f"{name}: {error}")
                    may_be_retried = False
                except (ValueError, TypeError, AirflowException) as error:
                    faults += [f"{name}: {line}" for line in str(error).splitlines()]
                    may_be_retried &= type(error) is AirflowException
                else:
                    lists = lists or farm_lists(self.hook, job.profile)
                    rows.append(_row(name, job))
        for row in rows:
            self.log.info(
                "%s: %s %s, %s, %s warnings",
                *(row[field] for field in ("render", "software", "version")),
                row["hardware"] or "any machine",
                len(row["warnings"]),
            )
        if faults:
            exception_type = AirflowException if may_be_retried else AirflowFailException
            summary = f"{len(renders) - len(rows)} of {len(renders)} renders are wrong"
            raise exception_type("\n".join([f"{summary}; nothing was created:", *faults]))
        self.log.info("%s renders are right, and nothing was created", len(renders))
        return rows

    def _render_operator(self, render: Any) -> RenderbusRenderOperator:
        """Return the operator that would render, with this operator's connection and client.

        :raises ValueError: the arguments have one that is this operator's own.
        """
        arguments = render if _has_arguments(render) else {"task_json": render}
        own = sorted(_OWN_ARGUMENTS & arguments.keys())
        if own:
            raise ValueError(f"renders: must have arguments of a render, got {', '.join(own)}")
        operator = RenderbusRenderOperator(
            task_id="render", renderbus_conn_id=self.renderbus_conn_id, **arguments
        )
        operator.hook = self.hook
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
