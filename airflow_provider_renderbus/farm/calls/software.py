"""Calls on software and on the render environments that a customer configures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.server.envelope import (
    ILLEGAL_PARAMETER,
    MISSING_PARAMETER,
    NAME_NOT_FOUND,
    PLUGIN_CONFIG_EXISTS,
    ApiRefusal,
)

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.context import CallContext, Request

SOFTWARE = (
    # id, name, file extensions, versions, plugin, version of the plugin
    (2000, "Maya", "ma;mb", ("2023", "2024"), "mtoa", "5.3.4"),
    (2001, "3ds Max", "max", ("2022", "2024"), "vray", "6.10.00"),
    (2003, "Arnold Standalone", "ass", ("6.0.3.0",), "arnold", "6.0.3.0"),
    (2004, "Houdini", "hip;hiplc;hipnc", ("19.5.640", "20.0.547"), "htoa", "6.2.5.1"),
    (2005, "Cinema 4D", "c4d", ("R26", "2024"), "redshift", "3.5.16"),
    (2007, "Blender", "blend", ("2.81", "3.6", "4.2"), "sheepit", "1.0"),
    (2008, "VR Standalone", "vrscene", ("standalone_vray5.00.05",), "vray", "5.00.05"),
    (2013, "Clarisse", "project", ("5.0 SP10",), "ifx", "5.0"),
    (2015, "Nuke", "nk", ("12.1",), "ocio", "1.0"),
    (2016, "Katana", "katana", ("3.2v1",), "KtoA", "2.4.0.3"),
    (2020, "Unreal Engine", "uproject", ("5.3", "5.4.4"), "mrq", "1.0"),
)
ENV_FIELDS = ("cgId", "cgName", "cgVersion", "editName", "renderSystem", "renderLayerType", "projectPath")


def query_software_list(_ctx: CallContext, _request: Request) -> dict[str, Any]:
    """Return the software that the farm renders."""
    return {
        "isAutoCommit": 2,
        "renderInfoList": [
            {
                "cgId": cg_id,
                "cgName": name,
                "cgType": extensions,
                "iconPath": "",
                "isNeedProjectPath": 3,
                "isNeedAnalyse": 1,
                "isSupportLinux": 1,
            }
            for cg_id, name, extensions, *_ in SOFTWARE
        ],
        "defaultCgId": SOFTWARE[0][0],
    }


def query_software_detail(_ctx: CallContext, request: Request) -> dict[str, Any]:
    """Return the versions and plugins of a software; unknown software has none."""
    requested_id = request.integer("cgId")
    request.one_of("osName", "windows", "linux")
    plugins, versions = [], []
    for cg_id, name, _, own_versions, plugin, plugin_version in SOFTWARE:
        if cg_id == requested_id:
            for index, version in enumerate(own_versions, 1):
                version_id = cg_id * 10 + index
                detail = {
                    "pluginId": version_id,
                    "pluginName": plugin,
                    "pluginVersion": f"{plugin} {plugin_version}",
                }
                versions.append({"id": version_id, "cgId": cg_id, "cgName": name, "cgVersion": version})
                plugins.append({"cvId": version_id, "pluginName": plugin, "pluginVersions": [detail]})
    return {"cgPlugin": plugins, "cgVersion": versions}


def add_render_env(ctx: CallContext, request: Request) -> dict[str, Any]:
    """Add a render environment; an existing name is refused with 504."""
    env, envs = _read_env(request), _envs(ctx)
    if env["editName"] in envs:
        raise ApiRefusal(PLUGIN_CONFIG_EXISTS, name=env["editName"])
    env["isDefault"] = int(not any(other["cgId"] == env["cgId"] for other in envs.values()))
    ctx.database.set_value("render_envs", envs | {env["editName"]: env})
    return {"editName": env["editName"]}


def edit_render_env(ctx: CallContext, request: Request) -> None:
    """Change a render environment."""
    env = _read_env(request)
    envs, stored = _find_env(ctx, env["editName"])
    ctx.database.set_value("render_envs", envs | {env["editName"]: stored | env})


def delete_render_env(ctx: CallContext, request: Request) -> None:
    """Delete a render environment."""
    envs, deleted = _find_env(ctx, request.string("editName"))
    ctx.database.set_value("render_envs", {name: env for name, env in envs.items() if env is not deleted})


def set_default_render_env(ctx: CallContext, request: Request) -> None:
    """Make a render environment the default of its software."""
    envs, default = _find_env(ctx, request.string("editName"))
    for env in envs.values():
        if env["cgId"] == default["cgId"]:
            env["isDefault"] = int(env is default)
    ctx.database.set_value("render_envs", envs)


def get_render_env(ctx: CallContext, request: Request) -> list[dict[str, Any]]:
    """Return the render environments of some software on an operating system."""
    system = request.one_of("osName", 1, 0)
    cg_ids = set(request.strings("cgIds", []))
    if request.has("cgId"):
        cg_ids.add(str(request.integer("cgId")))
    if not cg_ids:
        raise ApiRefusal(MISSING_PARAMETER, field="cgId / cgIds")
    return [
        env for env in _envs(ctx).values() if str(env["cgId"]) in cg_ids and env["renderSystem"] == system
    ]


def _read_env(request: Request) -> dict[str, Any]:
    for name in ("cgName", "cgVersion"):
        request.string(name)
    if not request.string("editName"):
        raise ApiRefusal(ILLEGAL_PARAMETER, field="editName", expected="a name")
    request.integer("cgId")
    request.one_of("renderSystem", 1, 0)
    request.integer("renderLayerType", 0, minimum=0)
    request.string("projectPath", "")
    plugins = [{"pluginId": plugin_id} for plugin_id in request.integers("pluginIds")]
    return {name: request.body.get(name) for name in ENV_FIELDS} | {"respUserPluginInfos": plugins}


def _envs(ctx: CallContext) -> dict[str, dict[str, Any]]:
    envs: dict[str, dict[str, Any]] = ctx.database.get_value("render_envs", {})
    return envs


def _find_env(ctx: CallContext, name: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    envs = _envs(ctx)
    if name not in envs:
        raise ApiRefusal(NAME_NOT_FOUND, name=name)
    return envs, envs[name]
