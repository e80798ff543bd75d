"""Calls about software, plug-ins and the account's render environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import validation as arguments
from airflow_provider_renderbus.api.call import Call, without_none
from airflow_provider_renderbus.api.parsing import anything, nothing

if TYPE_CHECKING:
    from collections.abc import Iterable


def query_software_list() -> Call[Any]:
    """List the software that the farm renders with.

    :return: an object.
    """
    return Call("query_software_list", ("/api/render/plugin/querySoftwareList",), {}, read=anything)


def query_software_detail(cg_id: int, os_name: str = "windows") -> Call[Any]:
    """List the versions and plug-ins of a software.

    :param cg_id: the software's number, e.g. 2007 for Blender.
    :param os_name: "windows" or "linux".
    :return: an object with cgPlugin and cgVersion.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "query_software_detail",
        ("/api/render/plugin/querySoftwareDetail",),
        {
            "cgId": arguments.count("cg_id", cg_id),
            "osName": arguments.one_of("os_name", os_name, ("windows", "linux")),
        },
        read=anything,
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

    :param cg_id: the software's number, e.g. 2007 for Blender.
    :param cg_name: its name.
    :param cg_version: its version.
    :param edit_name: the environment's name.
    :param render_system: 0 Linux, 1 Windows.
    :param plugin_ids: ids of plug-ins, from `query_software_detail`.
    :param render_layer_type: 0 render layer, 1 render setup (Maya).
    :param project_path: the project's folder.
    :return: an object.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "add_render_env",
        ("/api/render/plugin/addUserPluginConfig",),
        _environment(
            cg_id, cg_name, cg_version, edit_name, render_system, plugin_ids, render_layer_type, project_path
        ),
        read=anything,
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
    """Change the render environment of a name.

    :param cg_id: the software's number, e.g. 2007 for Blender.
    :param cg_name: its name.
    :param cg_version: its version.
    :param edit_name: the environment's name.
    :param render_system: 0 Linux, 1 Windows.
    :param plugin_ids: ids of plug-ins, from `query_software_detail`.
    :param render_layer_type: 0 render layer, 1 render setup (Maya).
    :param project_path: the project's folder.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "edit_render_env",
        ("/api/render/plugin/editUserPluginConfig",),
        _environment(
            cg_id, cg_name, cg_version, edit_name, render_system, plugin_ids, render_layer_type, project_path
        ),
        read=nothing,
    )


def delete_render_env(edit_name: str) -> Call[None]:
    """Delete a render environment.

    :param edit_name: its name.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "delete_render_env",
        ("/api/render/plugin/deleteUserPluginConfig",),
        {"editName": arguments.text("edit_name", edit_name)},
        read=nothing,
    )


def set_default_render_env(edit_name: str) -> Call[None]:
    """Make a render environment the account's default.

    :param edit_name: its name.
    :raises ValueError: an argument is not what the farm takes.
    """
    return Call(
        "set_default_render_env",
        ("/api/render/plugin/setDefaultUserPluginConfig",),
        {"editName": arguments.text("edit_name", edit_name)},
        read=nothing,
    )


def get_render_env(
    cg_id: int | None = None, cg_ids: Iterable[str] | None = None, os_name: int | None = None
) -> Call[Any]:
    """List the account's render environments for one or more software.

    :param cg_id: the software's number.
    :param cg_ids: several software's numbers, as text.
    :param os_name: 0 Linux, 1 Windows; the farm takes 1 where it is left out.
    :return: a list of objects.
    :raises ValueError: neither `cg_id` nor `cg_ids` is given, or an argument is not what the farm takes.
    """
    if cg_id is None and cg_ids is None:
        raise ValueError("cg_id: a software's number is wanted here, or several in cg_ids")
    return Call(
        "get_render_env",
        ("/api/render/plugin/getUserPluginConfig",),
        without_none(
            cgId=None if cg_id is None else arguments.count("cg_id", cg_id),
            cgIds=None if cg_ids is None else arguments.texts("cg_ids", cg_ids),
            osName=None if os_name is None else arguments.one_of("os_name", os_name, (0, 1)),
        ),
        read=anything,
    )


def _environment(
    cg_id: int,
    cg_name: str,
    cg_version: str,
    edit_name: str,
    render_system: int,
    plugin_ids: Iterable[int],
    render_layer_type: int | None,
    project_path: str | None,
) -> dict[str, Any]:
    return without_none(
        cgId=arguments.count("cg_id", cg_id),
        cgName=arguments.text("cg_name", cg_name),
        cgVersion=arguments.text("cg_version", cg_version),
        editName=arguments.text("edit_name", edit_name),
        renderSystem=arguments.one_of("render_system", render_system, (0, 1)),
        pluginIds=arguments.integers("plugin_ids", plugin_ids),
        renderLayerType=None
        if render_layer_type is None
        else arguments.one_of("render_layer_type", render_layer_type, (0, 1)),
        projectPath=arguments.optional_text("project_path", project_path),
    )
