"""The path of a frame's picture, for code outside of Airflow's API server."""

from __future__ import annotations

from airflow_provider_renderbus.links import frames_url


def picture_url(
    dag_id: str, run_id: str, task_id: str, map_index: int, leaf_task_id: int, frame_id: int
) -> str:
    """Return the URL of a frame's picture, relative to Airflow's base URL, e.g. for Markdown in its UI.

    The Airflow task must have the frame's render in its XCom `renderbus_render_task_ids`, as each operator
    and sensor with the link *Frames* has.

    :param leaf_task_id: id of the frame's layer on the farm, or of the render if it has no layers.
    :param frame_id: id of the frame on the farm.
    """
    page = frames_url(dag_id, run_id, task_id, map_index)
    return f"{page}/leaves/{leaf_task_id:d}/frames/{frame_id:d}.jpg"
