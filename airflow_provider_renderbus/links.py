"""The extra link of operators and sensors: a render's page in the farm's web console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.compat import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow_provider_renderbus.compat import BaseOperator, Context, TaskInstanceKey


class RenderbusTaskLink(BaseOperatorLink):
    """Link to the render's page in the farm's web console, available while the Airflow task waits too."""

    # It names no farm, because Airflow shows it before the connection is read.
    name = "Render task"

    @property
    def xcom_key(self) -> str:
        """Key of the XCom that holds the URL."""
        return "renderbus_task_link"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL of the render's page.

        Each time the task leaves its worker, Airflow overwrites the XCom with the return value. If the
        operator has the URL, the return value must therefore be that URL.
        """
        return (
            getattr(operator, "console_url", None) or XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""
        )


def push_console_url(operator: Any, context: Context, url: str) -> None:
    """Show the link of an operator or sensor at once, not only when its Airflow task has ended."""
    operator.console_url = url
    context["ti"].xcom_push(key=RenderbusTaskLink().xcom_key, value=url)
