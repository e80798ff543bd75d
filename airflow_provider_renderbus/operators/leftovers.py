"""The operator of a maintenance DAG that stops renders which nothing waits for any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import excerpt, non_empty_strs, require_bool
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.compat import AirflowException
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.polling.task_instance_state import states_of_dag
from airflow_provider_renderbus.renders.stop import StopRequest, stop_and_confirm
from airflow_provider_renderbus.task_result import translate_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_renderbus.compat import Context, XComArg

DEFAULT_MAX_AGE = timedelta(days=14)
MAX_AGE = timedelta(days=10_000)


class RenderbusStopLeftoversOperator(RenderbusOperator):
    """Stop renders that still run although their Airflow task has ended.

    A kill can miss a render: SIGKILL of a worker without a retry left, a frozen worker, a triggerer that
    ended in the middle of it. This operator lists the account's renders, finds those of
    `RenderbusRenderOperator` by the marker behind the artist's name, and asks Airflow for the state of their
    task. Renders without a marker are left alone, and so are those of other DAGs, of another Airflow, and of
    runs that were deleted.

    A task with ``cancel_on_kill=False`` leaves its render running on purpose: do not name its DAG.

    :param dag_ids: the DAGs whose renders are looked for (templated).
    :param stop: whether to stop the renders; if not, they are only logged and returned.
    :param max_age: renders that were submitted earlier are not looked for.
    :param renderbus_conn_id: id of the connection (templated).
    :return: a list of mappings with render_task_id, dag_id, run_id, task_id, map_index, the state of the
        Airflow task, and console_url.
    :raises AirflowException: the farm has not confirmed all stops within 20 s.
    """

    template_fields = (*RenderbusOperator.template_fields, "dag_ids")
    operator_extra_links = ()

    def __init__(
        self,
        *,
        dag_ids: Sequence[str] | XComArg,
        stop: bool = True,
        max_age: timedelta = DEFAULT_MAX_AGE,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(renderbus_conn_id=renderbus_conn_id, **kwargs)
        self.dag_ids: Any = dag_ids
        self.stop = require_bool("stop", stop)
        if not isinstance(max_age, timedelta) or not timedelta(0) < max_age <= MAX_AGE:
            raise ValueError(
                f"max_age: must be a timedelta of up to {MAX_AGE.days:,} days, got {excerpt(max_age)}"
            )
        self.max_age = max_age

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Find the renders, and stop them."""
        from airflow_provider_renderbus.renders.leftovers import find_leftovers, task_instances

        with translate_errors():
            dag_ids = self._checked_dag_ids()
            since = datetime.fromtimestamp(self.hook.clock.now(), UTC) - self.max_age
            pages = flows.task_pages(start_time=since.strftime("%Y-%m-%d %H:%M:%S"))
            # The renders first: one that is submitted later may be of a task that is running by now.
            renders = [task for page in self.hook.iter_pages(pages) for task in page.items]
            instances = (task for dag_id in dag_ids for task in task_instances(dag_id, states_of_dag(dag_id)))
            leftovers = find_leftovers(renders, instances)
            found = [
                {**each.to_dict(), "console_url": self.hook.console_url(each.render_task_id)}
                for each in leftovers
            ]
            for each in found:
                self.log.warning(
                    "Render %s: still running, its Airflow task %s of run %s of %s has ended (%s): %s",
                    *(each[name] for name in ("render_task_id", "task_id", "run_id", "dag_id", "state")),
                    each["console_url"],
                )
            if found and self.stop:
                self._stop([each.render_task_id for each in leftovers])
        if not found:
            self.log.info("No render runs without its Airflow task, of %s renders", len(renders))
        return found

    def _checked_dag_ids(self) -> list[str]:
        """Return the ids of the DAGs.

        :raises ValueError: they are no list of texts.
        """
        dag_ids = non_empty_strs("dag_ids", self.dag_ids)
        if not dag_ids:
            raise ValueError("dag_ids: must be a list of at least one DAG id, got an empty one")
        return dag_ids

    def _stop(self, task_ids: list[int]) -> None:
        request = stop_and_confirm(self.hook, StopRequest(task_ids))
        message = request.result_message(task_ids, self.hook.console_url)
        if request.pending:
            raise AirflowException(message)
        self.log.info(message)
