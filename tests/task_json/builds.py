"""Arguments that build a task.json for each documented software."""

SIZE = {"width": 64, "height": 36}
BUILDS = {
    "Maya": {
        "version": "2024",
        "scene": "D:/shots/sh010.ma",
        "frames": "1-10[2]",
        "renderer": "arnold",
        "plugins": {"mtoa": "5.3.4"},
        **SIZE,
    },
    "3ds Max": {
        "version": "2024",
        "scene": "D:/shots/sh010.max",
        "frames": "1-4",
        "camera": "Camera001",
        "renderer": "vray",
        "plugins": {"vray": "6.10.00"},
        **SIZE,
    },
    "Arnold Standalone": {"version": "6.0.3.0", "scene": "/mnt/shots/sh010.ass", "frames": "1-4"},
    "Houdini": {
        "version": "20.0.547",
        "scene": "/mnt/shots/sh010.hip",
        "frames": 7,
        "rop_nodes": ["/out/mantra1"],
    },
    "Cinema 4D": {
        "version": "R26",
        "scene": "D:/shots/sh010.c4d",
        "frames": "1-4",
        "renderer": "Physical",
        "image_format": "PNG",
        **SIZE,
    },
    "Blender": {"version": "4.2", "scene": "D:/shots/sh010.blend", "frames": "1-24[1]"},
    "V-Ray Standalone": {"version": "standalone_vray5.00.05", "scene": "D:/shots/sh010.vrscene"},
    "Clarisse": {
        "version": "5.0 SP10",
        "scene": "/mnt/shots/sh010.project",
        "frames": "1-4",
        "layers": ["project://scene/cam.beauty"],
    },
    "Nuke": {
        "version": "12.1",
        "scene": "/mnt/shots/sh010.nk",
        "frames": "1-4",
        "write_nodes": ["Write1"],
        **SIZE,
    },
    "Katana": {
        "version": "3.2v1",
        "scene": "/mnt/shots/sh010.katana",
        "frames": "1-4",
        "render_nodes": ["Render"],
    },
    "Unreal Engine": {
        "version": "5.4.4",
        "scene": "D:/shots/sh010.uproject",
        "frames": "1-4",
        "queue": "/Game/Queue",
        "level": "/Game/Levels/Sample",
        "sequences": ["/Game/Sequences/One"],
        **SIZE,
    },
}
