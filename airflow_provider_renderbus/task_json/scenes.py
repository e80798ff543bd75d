"""Applies arguments of the builder to a scene: the object scene_info_render, which says what is rendered.

The tables in `software` say where a field stands and what can be named. `derived_fields` has the rest.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_renderbus.task_json.derived_fields import DERIVATIONS
from airflow_provider_renderbus.task_json.fields import TEXTS
from airflow_provider_renderbus.task_json.names import did_you_mean
from airflow_provider_renderbus.task_json.software import CLARISSE, HOUDINI, MAYA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_renderbus.task_json.fields import Field, Group, Software

_DEFAULT_LAYER = "defaultRenderLayer"
_ON, _OFF = "1", "0"
# Clarisse joins the path of a layer to that of its image by a dot, Clarisse BUiLDER by this.
_CLARISSE_BUILDER_SEPARATOR = "==="


class Thing(NamedTuple):
    """A layer, node, image or job of a scene, or the scene itself; `outer` is what it is in."""

    group: Group
    name: str
    content: dict[str, Any]
    outer: Thing | None = None

    @property
    def is_on(self) -> bool:
        """Whether its switch is on."""
        return str(self.content.get(self.group.switch, _ON)) != _OFF

    def is_named(self, names: Mapping[str, Sequence[str]]) -> bool:
        """Whether it is named. A job of Unreal has two names."""
        given = names.get(self.group.argument, ())
        return self.name in given or self.content.get("job_name") in given


def change_scene(
    software: Software, base: Mapping[str, Any], arguments: Mapping[str, Any], scene_file: str
) -> tuple[dict[str, Any], list[str]]:
    """Return a scene with arguments applied, and a line for each named thing or camera that the base lacks.

    If things are named, these get frames and size and are switched on, and the others are switched off. If
    none is named, those that render get frames and size.

    :param software: the software.
    :param base: the scene to start from; empty for a new one.
    :param arguments: arguments about the scene as JSON values.
    :param scene_file: path of the scene file, after which output files are named.
    :raises ValueError: there is nothing to render.
    """
    scene: dict[str, Any] = copy.deepcopy(dict(base))
    names = {
        group.argument: [given] if isinstance(given, str) else list(given)
        for group in software.all_groups()
        if group.argument and (given := arguments.get(group.argument))
    }
    if software.cg_id == MAYA and not base and not names:
        names = {"layers": [_DEFAULT_LAYER]}
    unknown = list(_unknown_names(software, scene, names)) if base else []
    new, changed = _select(software, scene, names)
    unknown += _unknown_cameras(changed, arguments.get("camera", ()))
    for thing in new:
        _apply(software, thing, arguments, scene_file)
    for thing in changed:
        _apply(software, thing, arguments, "")
    for field in () if base else software.scene_fields:
        _set(scene, field, arguments.get(field.argument, field.default))
    if software.cg_id == HOUDINI:
        scene = {"rop_node": [], "geo_node": [], **scene}
    return scene, unknown


def _select(
    software: Software, scene: dict[str, Any], names: Mapping[str, Sequence[str]]
) -> tuple[list[Thing], list[Thing]]:
    """Return the new and the old things that get frames and size. If any is named, switch off the others."""
    group = software.groups[0]
    if not group.argument:
        return ([], [Thing(group, "", scene)]) if scene else ([_new_thing(group, "", scene)], [])
    if not names:
        rendering = _rendering(software, scene)
        if not rendering:
            choices = " or ".join(each.argument for each in software.groups)
            raise ValueError(f"{group.argument}: {choices} must be given, since base renders none")
        return [], rendering
    new = _add_missing(software, scene, names)
    _switch(software, scene, names)
    is_new = {id(thing.content) for thing in new}
    existing = (thing for thing in things(software, scene) if id(thing.content) not in is_new)
    return new, [thing for thing in existing if thing.is_named(names)]


def _apply(software: Software, thing: Thing, arguments: Mapping[str, Any], new_scene: str) -> None:
    for field in thing.group.fields:
        if field.argument in arguments and not field.is_derived:
            _set(thing.content, field, arguments[field.argument])
    derive = DERIVATIONS.get(software.cg_id)
    if derive is not None:
        derive(thing.content, arguments, new_scene)


def things(software: Software, scene: Mapping[str, Any]) -> Iterator[Thing]:
    """Yield everything in a scene that can be rendered: each group's things, each before those inside it."""
    for group in software.groups:
        if not group.argument:
            continue
        for thing in _children(group, scene, None):
            yield thing
            if group.inner is not None:
                yield from _children(group.inner, thing.content, thing)


def _children(group: Group, holder: Mapping[str, Any], outer: Thing | None) -> Iterator[Thing]:
    container = holder.get(group.place) if group.place else holder
    named = (
        list(container.items())
        if isinstance(container, dict)
        else [(each.get(group.name_field), each) for each in container or () if isinstance(each, dict)]
    )
    yield from (Thing(group, str(name), each, outer) for name, each in named if isinstance(each, dict))


def _rendering(software: Software, scene: Mapping[str, Any]) -> list[Thing]:
    """Return what renders: of the first group, or if it has none, of the others."""

    def renders(thing: Thing) -> bool:
        is_off_with_outer = thing.group.needs_outer and thing.outer is not None and not thing.outer.is_on
        return thing.group.changes_all or (thing.is_on and not is_off_with_outer)

    rendering = [thing for thing in things(software, scene) if renders(thing)]
    first = [thing for thing in rendering if thing.group is software.groups[0] or thing.outer is not None]
    return first or rendering


def _unknown_names(
    software: Software, scene: Mapping[str, Any], names: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    existing = list(things(software, scene))
    for group in software.all_groups():
        known = [thing.name for thing in existing if thing.group is group]
        found = {*known, *(thing.content.get("job_name") for thing in existing)}
        for name in names.get(group.argument, ()):
            if name not in found:
                listed = ", ".join(map(repr, known)) or "none"
                near = did_you_mean(name, known)
                yield f"{group.argument}: {name!r} is not in base, which has {listed}{near}"


def _unknown_cameras(changed: Sequence[Thing], camera: str | Sequence[str]) -> Iterator[str]:
    """Yield a line for each camera that is not among those that an analysis has listed."""
    listed = [thing.content.get("common", {}).get("all_camera") or () for thing in changed]
    known = list(dict.fromkeys(name for cameras in listed for name in cameras))
    for name in [camera] if isinstance(camera, str) else camera:
        if known and name not in known:
            choices = ", ".join(map(repr, known))
            yield f"camera: {name!r} is not in base, which has {choices}{did_you_mean(name, known)}"


def _add_missing(
    software: Software, scene: dict[str, Any], names: Mapping[str, Sequence[str]]
) -> list[Thing]:
    """Add what is named and is not in the scene, and return it."""
    new: list[Thing] = []
    for group in software.all_groups():
        for name in names.get(group.argument, ()):
            named = {group.argument: [name]}
            if any(thing.group is group and thing.is_named(named) for thing in things(software, scene)):
                continue
            holder = scene
            if not any(group is each for each in software.groups):
                outer = _outer_of(software, scene, name, names, new)
                holder = outer.content
            new.append(_new_thing(group, name, holder))
    return new


def _outer_of(
    software: Software,
    scene: dict[str, Any],
    name: str,
    names: Mapping[str, Sequence[str]],
    new: list[Thing],
) -> Thing:
    """Return what a new thing is put into: the image of a layer, the queue of a job."""
    (group,) = software.groups
    outers = {thing.name: thing for thing in _children(group, scene, None)}
    if software.cg_id == CLARISSE:
        separator = _CLARISSE_BUILDER_SEPARATOR if _CLARISSE_BUILDER_SEPARATOR in name else "."
        outer_name = name.rpartition(separator)[0]
        if not outer_name:
            raise ValueError(
                f"layers: must be names with their image like 'project://scene/image.layer', got {name!r}"
            )
        if outer_name not in outers:
            new.append(_new_thing(group, outer_name, scene))
            outers[outer_name] = new[-1]
        return outers[outer_name]
    queue = names.get(group.argument, list(outers))[:1]
    if not queue:
        raise ValueError(f"{group.argument}: must be given, since base has none")
    return outers[queue[0]]


def _new_thing(group: Group, name: str, holder: dict[str, Any]) -> Thing:
    """Add a thing with the defaults of its fields to what holds it."""
    content: dict[str, Any] = {} if group.argument else holder
    for field in group.all_fields():
        if field.default is not None:
            _set(content, field, copy.deepcopy(field.default))
    if group.name_field:
        content[group.name_field] = name
        holder.setdefault(group.place, []).append(content)
    elif group.argument:
        (holder.setdefault(group.place, {}) if group.place else holder)[name] = content
    if group.inner is not None:
        content[group.inner.place] = []
    return Thing(group, name, content)


def _switch(software: Software, scene: dict[str, Any], names: Mapping[str, Sequence[str]]) -> None:
    """Switch on what is named, and the rest off."""
    existing = list(things(software, scene))
    for thing in existing:
        if (thing.group.is_selected_alone or thing.group.needs_outer) and thing.group.argument not in names:
            continue
        is_on = thing.is_named(names)
        inner = [each for each in existing if each.outer is not None and each.outer.content is thing.content]
        if inner and inner[0].group.needs_outer and inner[0].group.argument in names:
            is_allowed = thing.group.argument not in names or is_on
            is_on = is_allowed and any(each.is_named(names) for each in inner)
        thing.content[thing.group.switch] = _ON if is_on else _OFF


def _set(content: dict[str, Any], field: Field, value: Any) -> None:
    *parents, last = field.name.split(".")
    for parent in parents:
        content = content.setdefault(parent, {})
    content[last] = [value] if field.schema is TEXTS and isinstance(value, str) else value
