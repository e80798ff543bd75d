"""Expectations of the example DAG nightly_render: its tasks, its shots and its pictures."""

from __future__ import annotations

DAG_ID = "nightly_render"
SHOTS = ("sh010", "sh020", "sh030")
SCENES = tuple(f"D:/projects/nightly/{shot}.blend" for shot in SHOTS)
"""The scenes, as the farm's machines open them. The DAG uploads none."""
FRAMES = 24
FRAME_SIZE = (320, 180)

CREATE, UPLOAD, SUBMIT, WAIT = (f"render_shot.{name}" for name in ("create", "upload", "submit", "wait"))
"""Tasks of the mapped group, one of each per shot."""
CONTACT_SHEET, PREVIEW = "contact_sheet", "preview"
"""Tasks that return the path of the picture they make."""

MAPPED = range(len(SHOTS))
INSTANCES = frozenset(
    {(task_id, index) for task_id in (CREATE, UPLOAD, SUBMIT, WAIT) for index in MAPPED}
    | {(CONTACT_SHEET, -1), (PREVIEW, -1)}
)
"""All task instances of a run, by task id and map index, which is -1 if a task is not mapped."""
