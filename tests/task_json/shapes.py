"""A small task.json for each software, as its analysis or the vendor's documents write it."""

_MAYA_COMMON = {
    "frames": "1-10[1]",
    "start": "1",
    "end": "10",
    "by_frame": "1",
    "width": "960",
    "height": "540",
    "renderer": "arnold",
    "image_format": "exr",
    "image_file_prefix": "",
    "all_camera": ["perspShape", "cameraShape1"],
    "render_camera": ["cameraShape1"],
    "animation": "False",
    "renumber_frames": "False",
}
_JOB = {
    "frames": "0-1[1]",
    "is_enable": "1",
    "job_map": "/Game/Levels/Sample",
    "job_sequence": "/Game/Sequences/One",
    "job_name": "One",
    "job_num": "0",
    "job_valid": "1",
    "width": "1920",
    "height": "1080",
    "format_type": ["JPG"],
    "flush_disk_writes_per_shot": False,
}

SCENES = {
    "2000 Maya": {
        "defaultRenderLayer": {
            "renderable": "1",
            "env": {},
            "is_default_camera": "1",
            "option": {"aa_samples": "3", "log": ["1"]},
            "common": _MAYA_COMMON,
        },
        "beauty": {
            "renderable": "0",
            "is_default_camera": "1",
            "option": {},
            "common": {**_MAYA_COMMON, "frames": "1-10[2]"},
        },
    },
    "2001 3ds Max": {
        "common": {
            "frames": "0",
            "width": "640",
            "height": "480",
            "all_camera": ["Camera001", "Camera002"],
            "renderable_camera": [],
            "output_file": "E:/out/shot.rla",
            "output_file_basename": "shot",
            "output_file_type": ".rla",
            "gamma": "1",
            "element_list": ["VRayAlpha"],
            "element_path_list": [],
            "Vertices": "1914",
        },
        "renderer": {"name": "vray", "renderer": "V_Ray_5", "gi": "1", "primary_gi_engine": "0"},
    },
    "2003 Arnold": {"common": {"frames": "1-10[1]"}},
    "2004 Houdini": {
        "rop_node": [{"node": "/out/mantra1", "frames": "1-10[1]", "option": "-1", "render": "1"}],
        "geo_node": [],
        "distributedsim_node": [
            {
                "node": "/out/sim",
                "frames": "1-240[1]",
                "option": "1",
                "render": "0",
                "num_slices": "4",
                "output_driver": "/obj/tank/save_slices",
                "simControlName": "/obj/tank/CONTROLS",
                "sliceType": "particle",
            }
        ],
    },
    "2005 Cinema 4D": {
        "renderer": {"name": "Physical", "octane_renderer_info": {}, "physical_sampler": ""},
        "common": {
            "frames": "0-333[1]",
            "width": "1920",
            "height": "1080",
            "fps": "25",
            "all_camera": ["1"],
            "regular_image_format": "TIFF",
            "regular_image_saveimage_path": None,
            "multi_pass": {"Shadow": []},
            "multi_pass_format": "TIFF",
            "multipass_saveimage_path": "",
            "multipass_save_enabled": "0",
            "c4d_software_version": 22123,
        },
    },
    "2007 Blender": {
        "common": {
            "frames": "1-1[1]",
            "width": "1024",
            "height": "1024",
            "camera_name": '<bpy_struct, Object("Camera")>',
            "Output_path": "/tmp\\",
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
                "renderable": "0",
                "LUT": "linear",
                "layers": [
                    {"name": "project://scene/cam.one", "frames": "0-50[1]", "renderable": "1"},
                    {"name": "project://scene/cam.two", "frames": "0-50[1]", "renderable": "0"},
                ],
            }
        ]
    },
    "2015 Nuke": {
        "write_nodes": [
            {
                "node": "Write1",
                "frames": "1-10[1]",
                "renderable": "1",
                "render_mode": "0",
                "option": "-1",
                "width": "1920",
                "height": "1080",
                "use_proxy": "False",
            }
        ]
    },
    "2016 Katana": {
        "rendernodes": {
            "Render": {"renderable": "1", "frames": "1-1[1]", "denoise": "0", "aov": {"a": "F:/a.exr"}}
        }
    },
    "2020 Unreal Engine": {
        "render_mod": "mrq",
        "all_game_map": ["/Game/Levels/Sample"],
        "all_movie_pipline_queue": [
            {
                "name": "/Game/Queue",
                "renderable": "1",
                "render_job": [
                    _JOB,
                    {**_JOB, "job_sequence": "/Game/Sequences/Two", "job_name": "Two", "job_num": "1"},
                ],
            }
        ],
    },
}
PLUGINS = {"2000 Maya": {"mtoa": "5.3.4"}, "2016 Katana": {"KtoA": "2.4.0.3"}}
TOP_LEVEL = {
    "2000 Maya": {"layers": list(SCENES["2000 Maya"]), "mnt_map": {"D:": "//server/d"}},
    "2015 Nuke": {"concurrent_tasks": "1"},
}


def make_task_json(software, field="scene_info_render"):
    cg_id, _, name = software.partition(" ")
    return {
        "software_config": {"cg_name": name, "cg_version": "1.0", "plugins": PLUGINS.get(software, {})},
        "task_info": {"cg_id": cg_id, "input_cg_file": "/mnt/shots/sh010"},
        field: SCENES[software],
        **TOP_LEVEL.get(software, {}),
    }
