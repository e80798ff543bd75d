"""A task.json for tests."""

from __future__ import annotations


def make_task_json(shot: str = "sh010", frames: str = "1-4[1]") -> dict:
    return {
        "software_config": {"cg_name": "Blender", "cg_version": "4.2", "plugins": {}},
        "task_info": {"cg_id": "2007", "input_cg_file": f"/mnt/{shot}.blend"},
        "scene_info_render": {
            "common": {
                "frames": frames,
                "width": "64",
                "height": "36",
                "camera_name": "Camera",
                "Render_Format": "PNG",
                "scene_name": [shot],
            }
        },
    }
