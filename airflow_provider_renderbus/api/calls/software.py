"""Calls about software, plug-ins and the account's render environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import validation
from airflow_provider_renderbus.api.call import Call, drop_none
from airflow_provider_renderbus.api.parsing import ignore, raw_json

if TYPE_CHECKING:
    from collections.abc import Iterable


def query_software_list() -> Call[Any]:
    """List the software that the farm renders with.

    :return: an object.
    """
    return Call("query_software_list", ("/api/render/plugin/querySoftwareList",), {}, read=raw_json)


def query_software_detail(cg_id: int, os_name: str = "windows") -> Call[Any]:
    """List the versions and plug-ins of a software.

    :param cg_id: id of the software, e.g. 2007 for Blender.
    :param os_name: "windows" or "linux".
    :return: an object with cgPlugin and cgVersion.
    """
    return Call(
        "query_software_detail",
        ("/api/render/plugin/querySoftwareDetail",),
        {
            "cgId": validation.positive_int("cg_id", cg_id),
            "osName": validation.one_of("os_name", os_name, ("windows", "linux")),
        },
        read=raw_json,
    )


def add_render_env(
    cg_id: int,
    cg_name: str,
    cg_version: str,
    edit_name: str,
    render_system: int,
    plugin_ids: Iterable[int],
    render_layer_type: int | None = None,
    project_path: str | None = None,
) -> Call[Any]:
    """Add a render environment: a software in one version with its plug-ins, under a name.

    :param cg_id: id of the software, e.g. 2007 for Blender.
    :param cg_name: name of the software.
    :param cg_version: version of the software.
    :param edit_name: name of the environment.
    :param render_system: 0 Linux, 1 Windows.
    :param plugin_ids: ids of plug-ins, from `query_software_detail`.
    :param render_layer_type: 0 render layer, 1 render setup (Maya).
    :param project_path: folder of the project.
    :return: an object.
    """
    return Call(
        "add_render_env",
        ("/api/render/plugin/addUserPluginConfig",),
        drop_none(
            cgId=validation.positive_int("cg_id", cg_id),
            cgName=validation.non_empty_str("cg_name", cg_name),
            cgVersion=validation.non_empty_str("cg_version", cg_version),
            editName=validation.non_empty_str("edit_name", edit_name),
            renderSystem=validation.one_of("render_system", render_system, (0, 1)),
            pluginIds=validation.require_ints("plugin_ids", plugin_ids),
            renderLayerType=validation.optional(
                validation.one_of, "render_layer_type", render_layer_type, (0, 1)
            ),
            projectPath=validation.optional(validation.require_str, "project_path", project_path),
        ),
        read=raw_json,
    )


def edit_render_env(
    cg_id: int,
    cg_name: str,
    cg_version: str,
    edit_name: str,
    render_system: int,
    plugin_ids: Iterable[int],
    render_layer_type: int | None = None,
    project_path: str | None = None,
) -> Call[None]:
    """Change the render environment with a name.

    :param cg_id: id of the software, e.g. 2007 for Blender.
    :param cg_name: name of the software.
    :param cg_version: version of the software.
    :param edit_name: name of the environment.
    :param render_system: 0 Linux, 1 Windows.
    :param plugin_ids: ids of plug-ins, from `query_software_detail`.
    :param render_layer_type: 0 render layer, 1 render setup (Maya).
    :param project_path: folder of the project.
    """
    added = add_render_env(
        cg_id, cg_name, cg_version, edit_name, render_system, plugin_ids, render_layer_type, project_path
    )
    return Call("edit_render_env", ("/api/render/plugin/editUserPluginConfig",), added.body, read=ignore)


def delete_render_env(edit_name: str) -> Call[None]:
    """Delete a render environment.

    :param edit_name: name of the environment.
    """
    return Call(
        "delete_render_env",
        ("/api/render/plugin/deleteUserPluginConfig",),
        {"editName": validation.non_empty_str("edit_name", edit_name)},
        read=ignore,
    )


def set_default_render_env(edit_name: str) -> Call[None]:
    """Make a render environment the account's default.

    :param edit_name: name of the environment.
    """
    return Call(
        "set_default_render_env",
        ("/api/render/plugin/setDefaultUserPluginConfig",),
        {"editName": validation.non_empty_str("edit_name", edit_name)},
        read=ignore,
    )


def get_render_env(
    cg_id: int | None = None, cg_ids: Iterable[str] | None = None, os_name: int | None = None
) -> Call[Any]:
    """List the account's render environments for one or more software.

    :param cg_id: id of the software.
    :param cg_ids: ids of several software, as text.
    :param os_name: 0 Linux, 1 Windows; 1 if omitted.
    :return: a list of objects.
    :raises ValueError: neither `cg_id` nor `cg_ids` is given, or an argument is invalid.
    """
    if cg_id is None and cg_ids is None:
        raise ValueError("cg_id: must be given, or cg_ids")
    return Call(
        "get_render_env",
        ("/api/render/plugin/getUserPluginConfig",),
        drop_none(
            cgId=validation.optional(validation.positive_int, "cg_id", cg_id),
            cgIds=validation.optional(validation.non_empty_strs, "cg_ids", cg_ids),
            osName=validation.optional(validation.one_of, "os_name", os_name, (0, 1)),
        ),
        read=raw_json,
    )
