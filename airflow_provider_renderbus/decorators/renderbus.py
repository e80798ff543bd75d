"""``@task.renderbus``: a function that describes a render becomes an Airflow task that renders it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_renderbus.compat import (
    AirflowException,
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)
from airflow_provider_renderbus.operators.render import RenderbusRenderOperator

if TYPE_CHECKING:
    from airflow_provider_renderbus.compat import Context, TaskDecorator


class _RenderbusDecoratedOperator(DecoratedOperator, RenderbusRenderOperator):
    """A `RenderbusRenderOperator` whose task_json is what a function returns.

    The function is called at each try, before a render is created, and not again after a deferral. What it
    returns is not rendered as a template; its arguments are.
    """

    custom_operator_name = "@task.renderbus"
    _returned: Mapping[str, Any] | None = None
    template_fields = (
        *DecoratedOperator.template_fields,
        *(field for field in RenderbusRenderOperator.template_fields if field != "task_json"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **RenderbusRenderOperator.template_fields_renderers,
    }

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if inspect.iscoroutinefunction(python_callable):
            raise TypeError(f"{python_callable.__name__}: must be a plain function, got an async one")
        super().__init__(
            python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, task_json={}, **kwargs
        )

    def execute(self, context: Context) -> Any:
        """Call the function, and render what it describes."""
        self._context = context
        self._returned = None
        return super().execute(context)

    def load_task_json(self) -> Mapping[str, Any]:
        """Return what the function returns. A later try needs it twice, and calls the function once.

        :raises ValueError: it is no mapping.
        :raises AirflowException: the function has failed; a retry may succeed.
        """
        if self._returned is not None:
            return self._returned
        name = self.python_callable.__name__
        context_merge(self._context, self.op_kwargs)
        arguments = determine_kwargs(self.python_callable, self.op_args, self._context)
        try:
            task_json = self.python_callable(*self.op_args, **arguments)
        except AirflowException:
            raise
        except Exception as error:
            raise AirflowException(f"{name}() failed: {type(error).__name__}: {error}") from error
        if not isinstance(task_json, Mapping):
            raise ValueError(
                f"{name}(): must return a mapping, as build_task_json does, got {type(task_json).__name__}"
            )
        self._returned = task_json
        self.show_shot_name(self._context, task_json=task_json)
        return task_json


def renderbus_task(
    python_callable: Callable[..., Any] | None = None, *, multiple_outputs: bool | None = None, **kwargs: Any
) -> TaskDecorator:
    """Turn a function that returns a task.json into a task that renders it. Use it as ``@task.renderbus``.

    :param python_callable: the function. It returns a mapping as `build_task_json` does, which is taken as it
        is: templates in it are not rendered. Templates in its arguments are.
    :param multiple_outputs: whether each field of the result is an XCom of its own. A ``-> dict`` of the
        function does not switch it on, since the result is not what the function returns.
    :param kwargs: the other arguments of
        :class:`~airflow_provider_renderbus.operators.render.RenderbusRenderOperator`, templated as there.
    :raises TypeError: ``task_json`` is given.
    """
    if "task_json" in kwargs:
        raise TypeError("task_json: must be what the decorated function returns, not an argument")
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=bool(multiple_outputs),
        decorated_operator_class=_RenderbusDecoratedOperator,
        **kwargs,
    )
