"""Writes docs/software.md from the tables of `airflow_provider_renderbus.task_json`.

`python -m dev.software_reference` writes it; a test checks that it is as this module would write it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.task_json.fields import SOFTWARE_CONFIG, TASK_INFO
from airflow_provider_renderbus.task_json.software import BUILDABLE, RENDERER_PLUGINS, SOFTWARE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_renderbus.task_json.fields import Field, Group, Software

PAGE = Path(__file__).parents[1] / "docs" / "software.md"
_INTRODUCTION = """# Software: names, arguments and fields

This page lists for each software the arguments of [`build_task_json`](task-json.md), the fields of task.json
that they set, and the accepted names. It is made from the tables of the builder and of the checks of a
task.json: `python -m dev.software_reference`.

Sources are the vendor's documentation, the files that its analysis packages write, and what the render
scripts of the farm's machines read. "Linux" says whether the farm has Linux machines for it. Names are
compared by their letters and digits, in upper or lower case.
"""
_FIELDS = """
Below, *read* marks a field that the farm's render script reads: if it is missing, the check of the file
warns. *Derived* marks a field that is computed from its argument instead of copied. A default is what the
builder writes if the argument is omitted; a field without a default is written only if its argument is given.
`*` stands for a name, `[]` for each item of a list.
"""
_LINUX = {True: "yes", False: "no", None: "not documented"}


def render_page() -> str:
    """Return the page."""
    return "\n".join((_INTRODUCTION, *_names(), _FIELDS, *_common(), *map(_software, BUILDABLE.values())))


def _names() -> Iterator[str]:
    yield "| software | also called | `cg_id` | `cg_name` | scene files | Linux | analysis |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for each in SOFTWARE.values():
        yield _row(
            each.name,
            ", ".join(each.aliases),
            str(each.cg_id),
            each.cg_name or each.name,
            ", ".join(f"`.{extension}`" for extension in each.extensions),
            _LINUX[each.has_linux] if each.analysis else "",
            each.analysis or "nothing is documented",
        )


def _common() -> Iterator[str]:
    yield "## All software"
    yield ""
    sections = (("software_config", SOFTWARE_CONFIG), ("task_info", TASK_INFO))
    yield from _table((f"{section}.", field) for section, fields in sections for field in fields)


def _software(software: Software) -> str:
    lines = ["", f"## {software.name}", ""]
    required = ", ".join(
        f"`{each}`" if isinstance(each, str) else " or ".join(f"`{name}`" for name in each)
        for each in ("version", "scene", *software.required)
    )
    lines += [f"Required without `base`: {required}.", ""]
    if software.name == "Maya":
        plugins = ", ".join(f"{renderer}: `{plugin}`" for renderer, plugin in RENDERER_PLUGINS.items())
        lines += [f"Plug-ins of renderers: {plugins}.", ""]
    lines += [f"No `{argument}`: {reason}.\n" for argument, reason in software.forbidden.items()]
    if software.formats:
        names = dict.fromkeys(software.formats.values())
        lines += [f"Image formats: {', '.join(f'`{name}`' for name in names)}.", ""]
    if software.renderers:
        names = dict.fromkeys(software.renderers.values())
        lines += [f"Renderers: {', '.join(f'`{name}`' for name in names)}.", ""]
    fields = [*(("", field) for field in software.scene_fields)]
    for group in software.groups:
        fields += _group_fields(group, "")
    if not fields:
        return "\n".join([*lines, "The scene has no fields."])
    return "\n".join([*lines, *_table(fields)])


def _group_fields(group: Group, outer: str) -> Iterator[tuple[str, Field]]:
    place = outer
    if group.argument:
        place += f"{group.place}[]." if group.name_field else f"{group.place}.*.".lstrip(".")
    yield from ((place, field) for field in group.all_fields())
    if group.inner is not None:
        yield from _group_fields(group.inner, place)


def _table(fields: Iterable[tuple[str, Field]]) -> Iterator[str]:
    yield "| field | argument | default | |"
    yield "| --- | --- | --- | --- |"
    others = []
    for place, field in fields:
        name = f"`{place}{field.name}`"
        notes = ["read"] * field.is_read + ["derived"] * field.is_derived
        if field.argument or notes or field.default is not None:
            argument = f"`{field.argument}`" if field.argument else ""
            yield _row(name, argument, _default(field.default), ", ".join(notes))
        else:
            others.append(name)
    if others:
        yield f"\nReal files also have {', '.join(others)}."


def _default(value: Any) -> str:
    return "" if value is None else f"`{json.dumps(value)}`"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


if __name__ == "__main__":
    PAGE.write_text(render_page() + "\n", "utf-8")
