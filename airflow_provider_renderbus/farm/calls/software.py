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
from airflow_provider_renderbus.farm.software import MAYA

if TYPE_CHECKING:
    from airflow_provider_renderbus.farm.calls.context import CallContext, Request

ANALYSIS_NEEDED, ANALYSIS_NOT_NEEDED = 1, 2
ENV_FIELDS = ("cgId", "cgName", "cgVersion", "editName", "renderSystem", "renderLayerType", "projectPath")


def query_software_list(ctx: CallContext, _request: Request) -> dict[str, Any]:
    """Return the software that the farm renders."""
    return {
        "isAutoCommit": 2,
        "renderInfoList": [
            {
                "cgId": each.cg_id,
                "cgName": each.name,
                "cgType": ";".join(each.extensions),
                "iconPath": "",
                "isNeedProjectPath": 3,
                "isNeedAnalyse": ANALYSIS_NEEDED if each.needs_analysis else ANALYSIS_NOT_NEEDED,
                "isSupportLinux": int(each.has_linux),
            }
            for each in ctx.scenario.software.values()
        ],
        "defaultCgId": MAYA,
    }


def query_software_detail(ctx: CallContext, request: Request) -> dict[str, Any]:
    """Return the versions and plugins of a software; unknown software has none.

    Both systems have the same ones: no document says how they differ.
    """
    software = ctx.scenario.software.get(request.integer("cgId"))
    request.one_of("osName", "windows", "linux")
    if software is None:
        return {"cgPlugin": [], "cgVersion": []}
    first_id = software.cg_id * 1000
    versions = [
        {"id": version_id, "cgId": software.cg_id, "cgName": software.name, "cgVersion": version}
        for version_id, version in enumerate(software.versions, first_id + 1)
    ]
    plugins = [(name, version) for name, own in software.plugins.items() for version in own]
    details = [
        {"pluginId": plugin_id, "pluginName": name, "pluginVersion": f"{name} {version}"}
        for plugin_id, (name, version) in enumerate(plugins, first_id + 1)
    ]
    return {
        "cgPlugin": [
            {
                "cvId": version["id"],
                "pluginName": name,
                "pluginVersions": [each for each in details if each["pluginName"] == name],
            }
            for version in versions
            for name in software.plugins
        ],
        "cgVersion": versions,
    }


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
