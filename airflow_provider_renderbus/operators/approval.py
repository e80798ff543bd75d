"""The operator that asks a user whether a render continues after its test frames. Airflow 3.1 and later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.validation import parse_decimal, parse_task_id
from airflow_provider_renderbus.compat import AirflowFailException
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.links import picture_url
from airflow_provider_renderbus.native_templates import require_rendered
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.task_result import records_end, translate_errors

try:
    from airflow.providers.standard.operators.hitl import HITLBranchOperator
except Exception as error:
    import airflow
    from airflow.exceptions import AirflowOptionalProviderFeatureException

    raise AirflowOptionalProviderFeatureException(
        f"RenderbusApproveFramesOperator must have Airflow 3.1 or later with "
        f"apache-airflow-providers-standard, got Airflow {airflow.__version__}: {error}. On older lines, let "
        f'a user request full speed in the web console, with on_test_frames_done="wait"'
    ) from error

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.compat import Context, XComArg

APPROVE, REJECT = "Approve", "Reject"


class RenderbusApproveFramesOperator(RenderbusOperator, HITLBranchOperator):
    """Ask a user in Airflow's UI whether a render that pauses after its test frames is to be rendered.

    The question shows test frames, what the render has cost, and what "Approve" will spend. The pictures are
    those of Airflow's own page of frames, so they need its login, and Pillow on the API server (extra
    `wall`). Each try needs a request for the render, and one for each hundred frames of each layer. The other
    arguments are those of Airflow's `HITLBranchOperator`, such as `options_mapping`, `defaults`,
    `response_timeout`, `assigned_users` and `notifiers`.

    :param render_task_id: id or alias of the render, which must be paused (40) (templated).
    :param max_cost: budget of the render, in the account's currency, to which the question compares the
        forecast. The task that renders the rest applies it (templated).
    :param subject: the question in one line; "Render the other frames of SHOT?" if omitted (templated).
    :param body: text above the figures, as Markdown (templated).
    :param options: what a user can choose; "Approve" and "Reject" if omitted.
    :param renderbus_conn_id: id of the connection (templated).
    :return: what `HITLBranchOperator` returns.
    """

    template_fields = (*RenderbusOperator.template_fields, "render_task_id", "max_cost", "subject", "body")

    def __init__(
        self,
        *,
        render_task_id: TaskId | XComArg,
        max_cost: Decimal | float | str | XComArg | None = None,
        subject: str | XComArg = "",
        body: str | XComArg | None = None,
        options: list[str] | None = None,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            subject=subject,
            body=body,
            options=[APPROVE, REJECT] if options is None else options,
            renderbus_conn_id=renderbus_conn_id,
            **kwargs,
        )
        self.render_task_id = render_task_id
        self.max_cost = max_cost

    @records_end
    def execute(self, context: Context) -> Any:
        """Describe the render, and ask."""
        with translate_errors():
            self._describe(context)
        return super().execute(context)

    def _describe(self, context: Context) -> None:
        """Complete the question with what the farm says.

        :raises AirflowFailException: the render is not paused.
        """
        from airflow_provider_renderbus.api.states import TaskStatus
        from airflow_provider_renderbus.renders import approval
        from airflow_provider_renderbus.renders.forecast import fetch_frames, forecast
        from airflow_provider_renderbus.renders.results import describe

        require_rendered(self, ["max_cost"])
        max_cost: Any = self.max_cost
        if max_cost is not None:
            max_cost = parse_decimal("max_cost", max_cost, above_zero=True)
        task_id = parse_task_id("render_task_id", self.render_task_id)
        self.push_links(context, task_id)
        task, frames = self.hook.run(fetch_frames(task_id))
        if task.status is not TaskStatus.FINISHED_TEST:
            raise AirflowFailException(
                f"{describe(task)}. It must be paused after its test frames (FINISHED_TEST) to be approved: "
                f"nothing was asked"
            )
        self.show_shot_name(context, scene=task.scene_name)
        expected = forecast(task, frames)
        self.log.info("%s, forecast %s", describe(task), expected)
        self.subject = self.subject or approval.subject(task)
        ti: Any = context["ti"]

        def url(leaf_id: int, frame: Frame) -> str:
            return picture_url(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, leaf_id, frame.id)

        question = approval.body(
            task, frames, expected, self.hook.console_url(task_id), max_cost=max_cost, picture_url=url
        )
        self.body = f"{self.body}\n\n{question}" if self.body else question
