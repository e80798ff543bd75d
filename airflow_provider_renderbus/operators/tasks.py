"""The steps of a render as single Airflow tasks: check, create, upload task.json, submit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.validation import parse_task_id, require_bool
from airflow_provider_renderbus.cancel_on_kill import is_first_try_after_clear
from airflow_provider_renderbus.compat import conf
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.operators.base import RenderbusOperator
from airflow_provider_renderbus.operators.submitting import DEFAULT_TIMEOUT, SubmittingOperator
from airflow_provider_renderbus.operators.task_files import FILE_ARGUMENTS, TaskFiles
from airflow_provider_renderbus.renders import submit
from airflow_provider_renderbus.task_result import records_end, translate_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import timedelta
    from decimal import Decimal

    from airflow_provider_renderbus.api.validation import TaskId
    from airflow_provider_renderbus.compat import Context, XComArg
    from airflow_provider_renderbus.operators.task_files import JsonSource
    from airflow_provider_renderbus.renders.policy import (
        OnFailedFrames,
        OnInsufficientFunds,
        OnTestFramesDone,
    )


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

    @records_end
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Check the renders, and return the table."""
        from airflow_provider_renderbus.operators.preflight_renders import check_renders

        with translate_errors():
            return check_renders(self, self.renders)


class RenderbusCreateTaskOperator(RenderbusOperator):
    """Create a render, which costs nothing until it is submitted.

    :param count: how many renders (templated).
    :param priority: priority among the account's own renders, 50 or 60 (templated).
    :param labels: labels of the render in the web console (templated).
    :param artist: name of the artist (templated).
    :param clone_original_id: id or alias of the render to clone (templated).
    :param renderbus_conn_id: id of the connection (templated).
    :return: the id of the render, or a list of ids if `count` is greater than 1.
    """

    template_fields = (
        *RenderbusOperator.template_fields,
        "count",
        "priority",
        "labels",
        "artist",
        "clone_original_id",
    )
    operator_extra_links = ()

    def __init__(
        self,
        *,
        count: int | str | XComArg = 1,
        priority: int | str | XComArg = 50,
        labels: Sequence[str] | XComArg | None = None,
        artist: str | XComArg | None = None,
        clone_original_id: TaskId | XComArg | None = None,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(renderbus_conn_id=renderbus_conn_id, **kwargs)
        self.count = count
        self.priority = priority
        self.labels: Any = labels
        self.artist: Any = artist
        self.clone_original_id: Any = clone_original_id

    @records_end
    def execute(self, context: Context) -> int | list[int]:
        """Create the renders."""
        with translate_errors():
            call = submit.create_call(
                self.count,
                priority=self.priority,
                labels=self.labels,
                artist=self.artist,
                clone_original_id=self.clone_original_id,
            )
            task_ids = submit.create_tasks(self.hook, call)
        from airflow_provider_renderbus.render_record import push_start

        push_start(self, context, task_ids)
        return task_ids[0] if len(task_ids) == 1 else list(task_ids)


class RenderbusUploadTaskJsonOperator(RenderbusOperator):
    """Upload the files that describe a render, before it is submitted.

    All files are checked before anything is sent. A missing field, a wrong type, or a problem in tips.json
    that the farm blocks fails the task; unusual values are logged as warnings. The id of the render, the
    account's user and the connection's platform are written into task.json, with project and hardware if they
    are given.

    :param render_task_id: id or alias of the render (templated).
    :param task_json: describes the render; a mapping, JSON text, or a path ending in ``.json`` (templated).
    :param upload_json: lists the assets, as a mapping, JSON text or path (templated).
    :param asset_json: the assets that an analysis found, as a mapping, JSON text or path (templated).
    :param tips_json: the problems that an analysis found, as a mapping, JSON text or path (templated).
    :param project_name: a project of the account (templated).
    :param hardware: the hardware to render on: as many of model ("Default"), ram in GB (64) and gpu_num (2)
        as identify it (templated).
    :param preflight: whether to compare software, version, plug-ins, scene file, operating system, platform,
        machines and project with the farm's lists first, as `RenderbusRenderOperator` does.
    :param renderbus_conn_id: id of the connection (templated).
    :return: the size of each uploaded file in bytes, by its name.
    """

    template_fields = (
        *RenderbusOperator.template_fields,
        *FILE_ARGUMENTS,
        "project_name",
        "hardware",
        "render_task_id",
    )
    template_fields_renderers = dict.fromkeys(FILE_ARGUMENTS, "json")
    operator_extra_links = ()

    def __init__(
        self,
        *,
        render_task_id: TaskId | XComArg,
        task_json: JsonSource | XComArg,
        upload_json: JsonSource | XComArg | None = None,
        asset_json: JsonSource | XComArg | None = None,
        tips_json: JsonSource | XComArg | None = None,
        project_name: str | XComArg | None = None,
        hardware: Mapping[str, Any] | XComArg | None = None,
        preflight: bool = True,
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(renderbus_conn_id=renderbus_conn_id, **kwargs)
        self.preflight = require_bool("preflight", preflight)
        self.render_task_id = render_task_id
        self.task_json = task_json
        self.upload_json = upload_json
        self.asset_json = asset_json
        self.tips_json = tips_json
        self.project_name: Any = project_name
        self.hardware: Any = hardware

    @records_end
    def execute(self, context: Context) -> dict[str, int]:
        """Check, complete and upload the files."""
        with translate_errors():
            task_id = parse_task_id("render_task_id", self.render_task_id)
            sources = {name: getattr(self, name) for name in FILE_ARGUMENTS}
            files = TaskFiles.load(sources, self.project_name, self.hardware)
            profile = self.hook.send(calls.query_user_profile())
            if self.preflight:
                from airflow_provider_renderbus.operators.preflight import check_on_farm, farm_lists

                check_on_farm(files, farm_lists(self.hook, profile), int(self.hook.settings.platform))
            return files.upload(self.hook, task_id, files.look_up(self.hook, profile))


class RenderbusSubmitTaskOperator(SubmittingOperator):
    """Submit a render, which starts to cost money, and optionally wait for its end.

    A render that is already submitted, e.g. by an earlier try of this Airflow task, is never submitted again;
    the task reattaches to it. To render again, clear the task that creates the render too. A retry restarts a
    render that was stopped, unless it neither waits nor has `cancel_on_kill`.

    :param render_task_id: id or alias of the render (templated).
    :param artist: name of the artist, at most 100 characters, which the farm returns with the render
        (templated).
    :param wait_for_completion: whether to wait until the render has finished. Without it, arguments that only
        a task that waits can apply are refused: timeout, max_duration, max_cost, on_insufficient_funds,
        on_failed_frames, max_recommits and on_test_frames_done.
    :param poll_interval: seconds between polls; ``[renderbus] poll_interval`` if omitted.
    :param timeout: how long a try waits for the end, in seconds or as a timedelta. Airflow's
        ``execution_timeout``, which Airflow 3 does not enforce while a task is deferred, limits it too.
    :param max_duration: how long the render may take from its submit, over all tries, in seconds or as a
        timedelta.
    :param max_cost: upper limit of the cost over all layers, in the account's currency; a render that exceeds
        it is stopped, and the task fails without retries. The cost is checked at each poll, and frames that
        are running then still cost money. If the forecast at the pause after the test frames exceeds it, the
        task fails without retries while nothing is rendered, unless the pause is a success (templated).
    :param min_funds: available funds that the account must have, or nothing is submitted (templated).
    :param on_insufficient_funds: when the account runs out of funds, "fail" without retries, or "wait" for a
        top-up and continue.
    :param on_failed_frames: when frames have failed, "fail", "accept" it, or "recommit" them.
    :param max_recommits: how often a frame may be recommitted in all, over all tries.
    :param on_test_frames_done: at the pause after the test frames (state 40), "wait" until a user resumes the
        render, "succeed", or request "full_speed".
    :param cancel_on_kill: whether the render is stopped when the Airflow task is killed or times out.
    :param deferrable: whether to wait in the triggerer instead of on a worker.
    :param renderbus_conn_id: id of the connection (templated).
    :return: the id; with `wait_for_completion` a mapping of render_task_id, state, frames, cost,
        duration_seconds, output_folders, console_url, failed_frames and forecast
        (:func:`airflow_provider_renderbus.renders.results.summary`).
    """

    template_fields = (*SubmittingOperator.template_fields, "render_task_id")
    rerender_hint = "clear the task that creates the render too"

    def __init__(
        self,
        *,
        render_task_id: TaskId | XComArg,
        artist: str | XComArg | None = None,
        wait_for_completion: bool = False,
        poll_interval: float | None = None,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        max_duration: float | timedelta | None = None,
        max_cost: Decimal | float | str | XComArg | None = None,
        min_funds: Decimal | float | str | XComArg | None = None,
        on_insufficient_funds: OnInsufficientFunds = "fail",
        on_failed_frames: OnFailedFrames = "fail",
        max_recommits: int = 1,
        on_test_frames_done: OnTestFramesDone = "wait",
        cancel_on_kill: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        renderbus_conn_id: str = RenderbusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poll_interval=poll_interval,
            timeout=timeout,
            max_duration=max_duration,
            max_cost=max_cost,
            min_funds=min_funds,
            artist=artist,
            on_insufficient_funds=on_insufficient_funds,
            on_failed_frames=on_failed_frames,
            max_recommits=max_recommits,
            on_test_frames_done=on_test_frames_done,
            cancel_on_kill=cancel_on_kill,
            deferrable=deferrable,
            renderbus_conn_id=renderbus_conn_id,
            **kwargs,
        )
        self.render_task_id = render_task_id
        self.wait_for_completion = require_bool("wait_for_completion", wait_for_completion)
        if not wait_for_completion:
            _require_defaults(
                timeout=(timeout, DEFAULT_TIMEOUT),
                max_duration=(max_duration, None),
                max_cost=(max_cost, None),
                on_insufficient_funds=(on_insufficient_funds, "fail"),
                on_failed_frames=(on_failed_frames, "fail"),
                max_recommits=(max_recommits, 1),
                on_test_frames_done=(on_test_frames_done, "wait"),
            )

    @records_end
    def execute(self, context: Context) -> int | dict[str, Any]:
        """Submit the render unless it is submitted, and wait if requested."""
        self.note_start(context)
        is_retry = context["ti"].try_number > 1
        with translate_errors(), self.stop_renders_on_error():
            task_id = parse_task_id("render_task_id", self.render_task_id)
            self.load_connection()
            # A try that may have stopped the render is followed by one that owns it.
            owns_render = is_retry and (self.wait_for_completion or self.cancel_on_kill)
            self.owned_render_task_ids = [task_id] if owns_render else []
            from airflow_provider_renderbus.operators.preflight import preflight

            preflight(self)
            self.push_links(context, task_id)
            task = submit.find_task(self.hook, task_id)
            is_submitted = task is not None and task.is_submitted
            if not is_submitted and is_retry:
                is_submitted = submit.confirm_submitted(self.hook, task_id)
            if not is_submitted:
                self.submit(context, task_id, self.artist, may_be_submitted=is_retry)
            elif owns_render:
                self.restart_stopped(task_id, is_cleared=is_first_try_after_clear(context))
            else:
                self.log.info("Render %s: already submitted", task_id)
        if self.wait_for_completion:
            return self.wait_for_render(context, task_id, reattached=is_retry)
        self.release_renders(context)
        return task_id

    @property
    def waits(self) -> bool:
        """Whether the operator waits for the end of the render."""
        return self.wait_for_completion

    def deferred_render_task_ids(self, context: Context) -> Sequence[int]:
        """Return the id that was submitted."""
        return [parse_task_id("render_task_id", self.render_task_id)]


def _require_defaults(**arguments: tuple[Any, Any]) -> None:
    """Refuse arguments that a task which does not wait would ignore.

    :param arguments: the value and the default of each.
    :raises ValueError: one has another value than its default.
    """
    given = [
        name for name, (value, default) in arguments.items() if value is not default and value != default
    ]
    if given:
        raise ValueError(
            f"{', '.join(given)}: must be omitted if wait_for_completion is False, since this task ends with "
            f"the submit and could not apply it. Set wait_for_completion=True, or give max_cost and timeout "
            f"to the RenderbusTaskSensor that waits"
        )
