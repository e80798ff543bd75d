"""The extra links of operators and sensors: a render in the farm's web console, and its frames in Airflow.

The ids of a task's renders are pushed beside the links, for Airflow's own page of frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_renderbus.compat import HAS_PAGES, BaseOperatorLink, XCom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_renderbus.compat import BaseOperator, Context, TaskInstanceKey

RENDER_TASK_IDS_KEY = "renderbus_render_task_ids"
"""Key of the XCom that holds the ids of an Airflow task's renders, as a list."""
MAX_RENDERS = 1_000
"""Renders of one Airflow task that its page of frames shows."""


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
        return _stored_link(self, operator, "console_url", ti_key)


class RenderbusFramesLink(BaseOperatorLink):
    """Link to the frames of the task's renders in Airflow, for roles that do not see the tab (3.1 and later).

    The URL is relative to Airflow's base URL.
    """

    name = "Frames"

    @property
    def xcom_key(self) -> str:
        """Key of the XCom that holds the URL."""
        return "renderbus_frames_link"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL of the page of frames; see `RenderbusTaskLink.get_link`."""
        return _stored_link(self, operator, "frames_url", ti_key)


EXTRA_LINKS: tuple[BaseOperatorLink, ...] = (
    (RenderbusTaskLink(), RenderbusFramesLink()) if HAS_PAGES else (RenderbusTaskLink(),)
)
"""The links of each operator and sensor."""


def frames_url(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """Return the URL of a task's page of frames, relative to Airflow's base URL."""
    parts = ("renderbus", "dags", dag_id, "runs", run_id, "tasks", task_id, str(map_index))
    return "/".join(quote(part, safe="") for part in parts)


def picture_url(
    dag_id: str, run_id: str, task_id: str, map_index: int, leaf_task_id: int, frame_id: int
) -> str:
    """Return the URL of a frame's picture, relative to Airflow's base URL, e.g. for Markdown in its UI.

    Airflow serves it, behind its login, if the Airflow task has pushed the id of the frame's render, as
    :func:`push_links` does.

    :param leaf_task_id: id of the frame's layer on the farm, or of the render if it has no layers.
    :param frame_id: id of the frame on the farm.
    """
    page = frames_url(dag_id, run_id, task_id, map_index)
    return f"{page}/leaves/{leaf_task_id:d}/frames/{frame_id:d}.jpg"


def set_links(operator: Any, context: Context, url: str) -> None:
    """Set the links of an operator or sensor, which Airflow stores when its process ends.

    :param url: of the first render in the web console.
    """
    ti: Any = context["ti"]
    operator.console_url = url
    if HAS_PAGES:
        operator.frames_url = frames_url(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)


def push_links(operator: Any, context: Context, url: str, render_task_ids: Sequence[int]) -> None:
    """Show the links of an operator or sensor at once, not only when its Airflow task has ended.

    :param url: of the first render in the web console.
    """
    ti: Any = context["ti"]
    set_links(operator, context, url)
    ti.xcom_push(key=RenderbusTaskLink().xcom_key, value=url)
    if HAS_PAGES:
        ti.xcom_push(key=RenderbusFramesLink().xcom_key, value=operator.frames_url)
        ti.xcom_push(key=RENDER_TASK_IDS_KEY, value=list(render_task_ids[:MAX_RENDERS]))


def _stored_link(link: BaseOperatorLink, operator: Any, attribute: str, ti_key: TaskInstanceKey) -> str:
    return getattr(operator, attribute, None) or XCom.get_value(key=link.xcom_key, ti_key=ti_key) or ""
