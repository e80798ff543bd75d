"""Expectations of the example DAG nightly_render: its tasks, its shots and its pictures."""

from __future__ import annotations

DAG_ID = "nightly_render"
SHOTS = ("sh010", "sh020", "sh030")
SCENES = tuple(f"D:/projects/nightly/{shot}.blend" for shot in SHOTS)
"""The scenes, as the farm's machines open them. The DAG uploads none."""
FRAMES = 24
FRAME_SIZE = (320, 180)

RENDER = "render"
"""The mapped task, an instance per shot, which returns the result of the render."""
CONTACT_SHEET, PREVIEW = "contact_sheet", "preview"
"""Tasks that return the path of the picture they make."""
REPORT, REQUIRE_ALL = "morning_report", "require_all"
"""The task that writes the report of the night, and the one that fails if a shot has."""

MAPPED = range(len(SHOTS))
INSTANCES = frozenset(
    {(RENDER, index) for index in MAPPED}
    | {(task_id, -1) for task_id in (CONTACT_SHEET, PREVIEW, REPORT, REQUIRE_ALL)}
)
"""All task instances of a run, by task id and map index, which is -1 if a task is not mapped."""
