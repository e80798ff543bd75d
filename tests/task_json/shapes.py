"""A small task.json for each software, as its analysis writes it."""

SCENES = {
    "2000 Maya": {
        "masterLayer": {
            "renderable": "1",
            "env": {},
            "is_default_camera": "1",
            "option": "",
            "common": {"frames": "1-10[1]", "width": "960", "height": "540", "render_camera": ["persp"]},
        },
        "beauty": {"renderable": "0", "common": {"frames": "1-10[2]"}},
    },
    "2001 3ds Max": {
        "common": {"frames": "0", "width": "640", "height": "480", "all_camera": [], "gamma": "1"},
        "renderer": {"name": "scanline"},
    },
    "2003 Arnold": {"common": {"frames": "1-10[1]"}},
    "2004 Houdini": {
        "rop_node": [{"node": "/out/mantra1", "frames": "1-10[1]", "option": "-1", "render": "1"}],
        "geo_node": [],
        "distributedsim_node": [
            {"node": "/out/sim", "frames": "1-240[1]", "option": "1", "render": "0", "num_slices": "4"}
        ],
    },
    "2005 Cinema 4D": {
        "renderer": {"name": "Physical", "octane_renderer_info": {}},
        "common": {
            "frames": "0-333[1]",
            "width": "1920",
            "height": "1080",
            "fps": "25",
            "all_camera": ["1"],
            "regular_image_format": "TIFF",
            "c4d_software_version": 22123,
        },
    },
    "2007 Blender": {
        "common": {
            "frames": "1-1[1]",
            "width": "1024",
            "height": "1024",
            "camera_name": "Camera",
            "Output_path": "/tmp",
            "Render_Format": "OPEN_EXR",
            "scene_name": ["Scene"],
        }
    },
    "2008 V-Ray Standalone": {},
    "2012 KeyShot": {"anything": [1, None, {"goes": True}]},
    "2013 Clarisse": {
        "image_node": [
            {
                "name": "project://scene/cam",
                "frames": "0-50[1]",
                "renderable": "1",
                "layers": [{"name": "l", "frames": "0-50[1]"}],
            }
        ]
    },
    "2016 Katana": {"rendernodes": {"Render": {"renderable": "1", "frames": "1-1[1]", "aov": {}}}},
    "2020 Unreal Engine": {
        "all_movie_pipline_queue": [
            {"renderable": "1", "render_job": [{"frames": "0-1[1]", "is_enable": "1"}]}
        ]
    },
}


def make_task_json(software, field="scene_info_render"):
    cg_id, _, name = software.partition(" ")
    content = {
        "software_config": {"cg_name": name, "cg_version": "1.0", "plugins": {}},
        "task_info": {"cg_id": cg_id, "input_cg_file": "/mnt/shots/sh010"},
        field: SCENES[software],
    }
    return content | ({"layers": list(SCENES[software])} if name == "Maya" else {})
