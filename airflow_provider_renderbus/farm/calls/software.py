"""Calls about software and the render environments that a customer puts together of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.farm.server.envelope import (
    ILLEGAL_PARAMETER,
    MISSING_PARAMETER,
    NAME_EXISTS,
    NAME_NOT_FOUND,
    ApiRefusal,
)

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.context import CallContext, Request

SOFTWARE = (
    # number, name, file ending, versions, plugin, its version
    (2000, "Maya", "ma;mb", ("2023", "2024"), "mtoa", "5.3.4"),
    (2001, "3ds Max", "max", ("2022", "2024"), "vray", "6.10.00"),
    (2004, "Houdini", "hip;hiplc;hipnc", ("19.5.640", "20.0.547"), "htoa", "6.2.5.1"),
    (2005, "Cinema 4D", "c4d", ("R26", "2024"), "redshift", "3.5.16"),
    (2007, "Blender", "blend", ("2.81", "3.6", "4.2"), "sheepit", "1.0"),
    (2013, "Clarisse", "project", ("5.0 SP10",), "ifx", "5.0"),
    (2020, "Unreal Engine", "uproject", ("5.3",), "mrq", "1.0"),
)
ENV_FIELDS = ("cgId", "cgName", "cgVersion", "editName", "renderSystem", "renderLayerType", "projectPath")


def query_software_list(_desk: CallContext, _request: Request) -> dict[str, Any]:
    """Tell which software the farm renders."""
    return {
        "isAutoCommit": 2,
        "renderInfoList": [
            {
                "cgId": cg_id,
                "cgName": name,
                "cgType": endings,
                "iconPath": "",
                "isNeedProjectPath": 3,
                "isNeedAnalyse": 1,
                "isSupportLinux": 1,
            }
            for cg_id, name, endings, *_ in SOFTWARE
        ],
        "defaultCgId": SOFTWARE[0][0],
    }


def query_software_detail(_desk: CallContext, request: Request) -> dict[str, Any]:
    """Tell the versions and plugins of a software; one that is not rendered has none."""
    wanted = request.integer("cgId")
    request.one_of("osName", "windows", "linux")
    plugins, versions = [], []
    for cg_id, name, _, own_versions, plugin, plugin_version in SOFTWARE:
        if cg_id == wanted:
            for place, version in enumerate(own_versions, 1):
                number = cg_id * 10 + place
                detail = {
                    "pluginId": number,
                    "pluginName": plugin,
                    "pluginVersion": f"{plugin} {plugin_version}",
                }
                versions.append({"id": number, "cgId": cg_id, "cgName": name, "cgVersion": version})
                plugins.append({"cvId": number, "pluginName": plugin, "pluginVersions": [detail]})
    return {"cgPlugin": plugins, "cgVersion": versions}


def add_render_env(desk: CallContext, request: Request) -> dict[str, Any]:
    """Keep a new render environment; a known name is refused with 503."""
    env, envs = _read_env(request), _envs(desk)
    if env["editName"] in envs:
        raise ApiRefusal(NAME_EXISTS, name=env["editName"])
    env["isDefault"] = int(not any(other["cgId"] == env["cgId"] for other in envs.values()))
    desk.database.set_value("render_envs", envs | {env["editName"]: env})
    return {"editName": env["editName"]}


def edit_render_env(desk: CallContext, request: Request) -> None:
    """Change a render environment."""
    env = _read_env(request)
    envs, known = _find_env(desk, env["editName"])
    desk.database.set_value("render_envs", envs | {env["editName"]: known | env})


def delete_render_env(desk: CallContext, request: Request) -> None:
    """Delete a render environment."""
    envs, known = _find_env(desk, request.string("editName"))
    desk.database.set_value("render_envs", {name: env for name, env in envs.items() if env is not known})


def set_default_render_env(desk: CallContext, request: Request) -> None:
    """Make a render environment the default of its software."""
    envs, known = _find_env(desk, request.string("editName"))
    for env in envs.values():
        if env["cgId"] == known["cgId"]:
            env["isDefault"] = int(env is known)
    desk.database.set_value("render_envs", envs)


def get_render_env(desk: CallContext, request: Request) -> list[dict[str, Any]]:
    """Tell the render environments for some software and a system."""
    system = request.one_of("osName", 1, 0)
    wanted = set(request.strings("cgIds", []))
    if request.has("cgId"):
        wanted.add(str(request.integer("cgId")))
    if not wanted:
        raise ApiRefusal(MISSING_PARAMETER, field="cgId / cgIds")
    return [
        env for env in _envs(desk).values() if str(env["cgId"]) in wanted and env["renderSystem"] == system
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
    plugins = [{"pluginId": number} for number in request.integers("pluginIds")]
    return {name: request.body.get(name) for name in ENV_FIELDS} | {"respUserPluginInfos": plugins}


def _envs(desk: CallContext) -> dict[str, dict[str, Any]]:
    envs: dict[str, dict[str, Any]] = desk.database.get_value("render_envs", {})
    return envs


def _find_env(desk: CallContext, name: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    envs = _envs(desk)
    if name not in envs:
        raise ApiRefusal(NAME_NOT_FOUND, name=name)
    return envs, envs[name]
