"""The button in Airflow's page that leads to a task on the farm's web pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey


class RenderbusTaskLink(BaseOperatorLink):
    """Leads to the task's page on the farm, also while the Airflow task still waits."""

    # The same for all farms: Airflow shows it before it knows the connection.
    name = "Render task"

    @property
    def xcom_key(self) -> str:
        """The key under which the address is kept."""
        return "renderbus_task_link"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address.

        Airflow writes what this returns over the address that was pushed, each time the task leaves its
        worker, so where the operator knows the address it must be the same.

        :param operator: the operator.
        :param ti_key: which run of it.
        """
        address = getattr(operator, "console_address", None)
        return address or XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""


class ConsoleLinked:
    """An operator or sensor with a link to its task on the farm's web pages."""

    operator_extra_links: Collection[BaseOperatorLink] = (RenderbusTaskLink(),)
    console_address: str | None = None

    def link_console(self, context: Context, address: str) -> None:
        """Show the link from now on, not only when the Airflow task has ended.

        :param context: of the Airflow task.
        :param address: of the task's page.
        """
        self.console_address = address
        context["ti"].xcom_push(key=RenderbusTaskLink().xcom_key, value=address)
