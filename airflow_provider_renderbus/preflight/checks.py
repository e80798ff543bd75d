"""Compares a task.json with the farm's lists: what a complete list does not have is an error."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.api.validation import excerpt
from airflow_provider_renderbus.preflight.listings import ListedSoftware
from airflow_provider_renderbus.preflight.software_names import (
    closest,
    has_name,
    software_name,
    software_names,
)
from airflow_provider_renderbus.preflight.versions import match_version, nearest_versions
from airflow_provider_renderbus.task_json.frame_ranges import is_template
from airflow_provider_renderbus.task_json.names import extension_software, has_extension, nearest, normalize
from airflow_provider_renderbus.task_json.software import MAYA, RENDERER_PLUGINS, SOFTWARE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_renderbus.preflight.listings import (
        ListedHardware,
        ListedPlatform,
        ListedPlugin,
        Listing,
        SoftwareDetail,
    )

_SYSTEMS = {"0": "linux", "1": "windows"}
_SYSTEM_NAMES = {"linux": "Linux", "windows": "Windows"}
_WINDOWS = "1"
_OFF = 0
_ID = re.compile("[1-9][0-9]{0,17}")


class FarmLists(Protocol):
    """The farm's lists, each queried when it is needed."""

    def software(self) -> Listing[ListedSoftware]:
        """Return the software that the farm renders with."""

    def software_detail(self, cg_id: int, system: str) -> SoftwareDetail:
        """Return the versions and plug-ins of a software on "windows" or "linux"."""

    def platforms(self) -> Listing[ListedPlatform]:
        """Return the platforms of the account's zone."""

    def all_platforms(self) -> Listing[ListedPlatform]:
        """Return the platforms of all zones."""

    def hardware(self) -> Listing[ListedHardware]:
        """Return the kinds of machines of all platforms."""

    def projects(self) -> Listing[str]:
        """Return the names of the account's projects."""

    def all_projects(self) -> Listing[str]:
        """Return the names of the projects of the account and of its main account."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, and what could not be checked or is doubtful; a line for each."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def refute(self, gap: str, problem: str, hint: str = "") -> None:
        """Add an error, or a warning if the farm's list has a gap.

        :param gap: of the list.
        :param problem: what must be and what is.
        :param hint: what may have been meant.
        """
        if gap:
            self.warnings.append(f"{problem}{hint}; not certain, since {gap}")
        else:
            self.errors.append(f"{problem}{hint}")


def check_render(task_json: Mapping[str, Any], lists: FarmLists, platform: int) -> Findings:
    """Compare a task.json with the farm's lists.

    :param task_json: its content, valid by the schema.
    :param lists: the farm's lists.
    :param platform: id of the connection's platform.
    """
    findings = Findings()
    info, config = _object(task_json, "task_info"), _object(task_json, "software_config")
    _check_platform(findings, lists, platform)
    software = _check_software(findings, lists.software(), info, config)
    if software is not None:
        _check_scene_file(findings, software, info)
        _check_version(findings, lists, software, config, _check_system(findings, software, info))
    _check_hardware_ids(findings, lists, info, platform)
    check_project(findings, lists, "task.json: $.task_info.project_name", info.get("project_name"))
    return findings


def check_project(findings: Findings, lists: FarmLists, name: str, value: Any) -> None:
    """Compare the name of a project with the account's projects, then with those of its main account.

    :param findings: where an error or a warning is added.
    :param name: what holds the name, for the message.
    """
    if not isinstance(value, str) or not value.strip() or value in lists.projects().values:
        return
    projects = lists.all_projects()
    if value not in projects.values:
        _refute_name(findings, name, "a project of the account", projects, projects.values, value)


def _check_platform(findings: Findings, lists: FarmLists, platform: int) -> None:
    name = "platform of the connection"
    listed = next((each for each in lists.platforms().values if each.id == platform), None)
    if listed is not None:
        if listed.status == _OFF:
            findings.warnings.append(f"{name}: the farm lists {platform} ({listed.name}) as switched off")
        return
    platforms = lists.all_platforms()
    if any(each.id == platform for each in platforms.values):
        findings.warnings.append(f"{name}: the farm lists {platform} in another zone than the account's")
        return
    choices = join_limited([f"{each.id} ({each.name})" for each in platforms.values], ", ") or "none"
    near = closest(str(platform), [str(each.id) for each in platforms.values])
    hint = f"; did you mean {near}?" if near else ""
    findings.refute(
        platforms.gap, f"{name}: must be a platform of the farm ({choices}), got {platform}", hint
    )


def _check_software(
    findings: Findings, software: Listing[ListedSoftware], info: Mapping[str, Any], config: Mapping[str, Any]
) -> ListedSoftware | None:
    """Compare id and name of the software, and return what the farm lists for the id, if anything."""
    if info.get("cg_id") is None:
        return None
    cg_id, cg_name = str(info["cg_id"]), config.get("cg_name")
    if not _ID.fullmatch(cg_id):
        named = next((each for each in software.values if has_name(each, cg_id)), None)
        meant = named.cg_id if named else closest(cg_id, [str(each.cg_id) for each in software.values])
        hint = f"; did you mean '{meant}'?" if meant else ""
        findings.errors.append(
            f"task.json: $.task_info.cg_id: must be the id of a software, got {excerpt(cg_id)}{hint}"
        )
        return None
    listed = next((each for each in software.values if each.cg_id == int(cg_id)), None)
    if listed is None:
        ids = [str(each.cg_id) for each in software.values]
        named = next((each for each in software.values if has_name(each, cg_name)), None)
        near = named or next(
            (each for each in software.values if str(each.cg_id) == closest(cg_id, ids)),
            None,
        )
        hint = f"; did you mean '{near.cg_id}' ({near.name})?" if near else ""
        choices = join_limited([f"{each.cg_id} ({each.name})" for each in software.values], ", ") or "none"
        problem = (
            f"task.json: $.task_info.cg_id: must be a software of the farm ({choices}), got {excerpt(cg_id)}"
        )
        documented = SOFTWARE.get(int(cg_id))
        if documented is None:
            findings.refute(software.gap, problem, hint)
            return None
        # The list of the documents lacks software that they describe.
        findings.refute(software.gap or f"the vendor's documents have {documented.name}", problem)
        listed = ListedSoftware(documented.cg_id, documented.name, (), None)
    if isinstance(cg_name, str) and not has_name(listed, cg_name):
        _refute_software_name(findings, software, listed, cg_name)
    return listed


def _refute_software_name(
    findings: Findings, software: Listing[ListedSoftware], listed: ListedSoftware, cg_name: str
) -> None:
    """Add an error if a name is that of other software or a typing error, else a warning."""
    path = "task.json: $.software_config.cg_name"
    own = next(iter(software_names(listed)), str(listed.cg_id))
    other = next((each for each in software.values if has_name(each, cg_name)), None)
    if other is not None:
        findings.errors.append(
            f"{path}: must be the software of $.task_info.cg_id, got {excerpt(cg_name)} ({other.cg_id}) for "
            f"the id {listed.cg_id}, which is {own!r}"
        )
        return
    key = normalize(cg_name)
    names = {normalize(name) for name in software_names(listed)}
    problem = f"{path}: must be {own!r}, the software of $.task_info.cg_id, got {excerpt(cg_name)}"
    is_longer = any(name and (name in key or (key and key in name)) for name in names)
    if not is_longer and nearest(key, names):
        findings.errors.append(f"{problem}; did you mean {own!r}?")
    else:
        findings.warnings.append(f"{problem}; not certain, since no list has all names of a software")


def _check_scene_file(findings: Findings, software: ListedSoftware, info: Mapping[str, Any]) -> None:
    scene = str(info.get("input_cg_file") or "")
    name = scene.replace("\\", "/").rpartition("/")[2]
    documented = SOFTWARE.get(software.cg_id)
    extensions = dict.fromkeys([*software.extensions, *(documented.extensions if documented else ())])
    if "input_cg_file" not in info or is_template(scene):
        return
    if (documented and has_extension(documented, scene)) or scene.lower().endswith(
        tuple(f".{each}" for each in software.extensions)
    ):
        return
    stem, _, extension = name.rpartition(".") if "." in name else (name, "", "")
    gap = "" if software.extensions else f"the farm lists no extensions of {software_name(software)}"
    path = "task.json: $.task_info.input_cg_file"
    choices = " or ".join(f".{each}" for each in extensions) or "an extension of the software"
    if "." not in name:
        gap = "it has no extension"
    near, other = closest(extension.lower(), extensions), extension_software(name)
    hint = f"; did you mean {f'{stem}.{near}'!r}?" if near else ""
    if other is not None:
        gap = "" if extensions else gap
        hint = f"; it is a scene of {other.name} ({other.cg_id})"
    findings.refute(
        gap, f"{path}: must end in {choices} for {software_name(software)}, got {excerpt(scene)}", hint
    )


def _check_system(findings: Findings, software: ListedSoftware, info: Mapping[str, Any]) -> str:
    """Check the operating system, and return the one that the software is rendered on."""
    code, path = str(info.get("os_name") or _WINDOWS), "task.json: $.task_info.os_name"
    system = _SYSTEMS.get(code, "windows")
    if code not in _SYSTEMS:
        findings.errors.append(f"{path}: must be '0' (Linux) or '1' (Windows), got {excerpt(code)}")
    elif system == "linux" and software.has_linux is False:
        findings.errors.append(
            f"{path}: must be '1' (Windows), got '0': the farm has no Linux machines for "
            f"{software_name(software)}"
        )
        return "windows"
    return system


def _check_version(
    findings: Findings, lists: FarmLists, software: ListedSoftware, config: Mapping[str, Any], system: str
) -> None:
    given = config.get("cg_version")
    if not isinstance(given, str):
        return
    path, name, names = (
        "task.json: $.software_config.cg_version",
        software_name(software),
        software_names(software),
    )
    detail = lists.software_detail(software.cg_id, system)
    listed = [each.text for each in detail.versions.values]
    match = match_version(given, listed, names)
    if len(match.versions) == 1:
        if not match.exact:
            findings.warnings.append(
                f"{path}: the farm's list has {match.versions[0]!r}, got {excerpt(given)}"
            )
        _check_plugins(findings, detail, match.versions[0], software, config)
        return
    other_system = "windows" if system == "linux" else "linux"
    if not match.versions and not (other_system == "linux" and software.has_linux is False):
        others = lists.software_detail(software.cg_id, other_system).versions
        if match_version(given, [each.text for each in others.values], names).exact:
            code = next(code for code, each in _SYSTEMS.items() if each == other_system)
            findings.refute(
                detail.versions.gap,
                f"task.json: $.task_info.os_name: must be {code!r} for {name} {excerpt(given)}, which the "
                f"farm has for {_SYSTEM_NAMES[other_system]} only",
            )
            return
    nearest_first = nearest_versions(given, match.versions or listed, names)
    hint = f"; did you mean {nearest_first[0]!r}?" if nearest_first else ""
    choices = join_limited([*map(repr, listed)], ", ") or "none"
    problem = f"{path}: must be a version of {name} on the farm ({choices}), got {excerpt(given)}"
    findings.refute(detail.versions.gap, problem, hint)


def _check_plugins(
    findings: Findings,
    detail: SoftwareDetail,
    version: str,
    software: ListedSoftware,
    config: Mapping[str, Any],
) -> None:
    """Compare the plug-ins with those of the version, if the list says which these are."""
    plugins = _object(config, "plugins")
    if not plugins:
        return
    ids = {each.id for each in detail.versions.values if each.text == version} - {None}
    others = {each.id for each in detail.versions.values} - {None} - ids
    # One that is listed for no version may be for all.
    own = [each for each in detail.plugins.values if each.version_id not in others]
    gap = detail.plugins.gap
    if not any(each.version_id in ids for each in own):
        own = list(detail.plugins.values)
        gap = gap or f"the farm lists no plug-ins for {software_name(software)} {version} alone"
    for name, value in plugins.items():
        if software.cg_id == MAYA and normalize(name) in map(normalize, RENDERER_PLUGINS.values()):
            missing = f"the vendor's documents have {name!r}"
        else:
            missing = ""
        _check_plugin(
            findings, own, (gap, gap or missing), str(name), value, f"{software_name(software)} {version}"
        )


def _check_plugin(
    findings: Findings,
    listed: list[ListedPlugin],
    gaps: tuple[str, str],
    name: str,
    value: Any,
    software: str,
) -> None:
    """Compare a plug-in with those of the list.

    :param gaps: why one in another version, and why another one, may be right although it is not listed.
    """
    path = "task.json: $.software_config.plugins"
    same = [each for each in listed if normalize(each.name) == normalize(name)]
    if not same:
        names = list(dict.fromkeys(each.name for each in listed))
        meant = _nearest_plugin(name, names)
        choices = join_limited([*map(repr, names)], ", ") or "none"
        findings.refute(
            gaps[1],
            f"{path}: must be plug-ins of {software} on the farm ({choices}), got {excerpt(name)}",
            f"; did you mean {meant!r}?" if meant else "",
        )
        return
    if all(each.name != name for each in same):
        findings.warnings.append(f"{path}: the farm's list has {same[0].name!r}, got {excerpt(name)}")
    if value in [each.version for each in same if each.version]:
        return
    versions = [_without_name(each.version, each.name) for each in same if each.version]
    if not isinstance(value, str) or not value.strip() or not versions:
        findings.warnings.append(f"{path}: the version of {excerpt(name)} for {software} was not checked")
        return
    match = match_version(value, versions, (name, same[0].name))
    if len(match.versions) == 1:
        if not match.exact:
            findings.warnings.append(
                f"{path}: the farm's list has {excerpt(name)} {match.versions[0]!r} for {software}, "
                f"got {excerpt(value)}"
            )
        return
    near_version = nearest_versions(value, match.versions or versions, (name,))[0]
    gap = gaps[0] or ("some versions of it cannot be read" if len(versions) < len(same) else "")
    findings.refute(
        gap,
        f"{path}: must have a version of {excerpt(name)} for {software} on the farm "
        f"({join_limited([*map(repr, dict.fromkeys(versions))], ', ')}), got {excerpt(value)}",
        f"; did you mean {near_version!r}?",
    )


def _nearest_plugin(name: str, names: list[str]) -> str | None:
    """Return the plug-in that a name may stand for: of a renderer, nearly its name, or a part of it."""
    keys = {normalize(each): each for each in names}
    key = normalize(RENDERER_PLUGINS.get(name, name))
    part = next((each for each in keys if key and key in each), "")
    return keys.get(key) or keys.get(nearest(key, keys) or part)


def _check_hardware_ids(findings: Findings, lists: FarmLists, info: Mapping[str, Any], platform: int) -> None:
    ids = info.get("hardwareConfigIds") or info.get("hardwareConfigId")
    given = [str(each) for each in (ids if isinstance(ids, list) else [ids]) if each]
    if not given:
        return
    hardware = lists.hardware()
    path = "task.json: $.task_info.hardwareConfigIds"
    cg_id = str(info.get("cg_id"))
    own = [
        each
        for each in hardware.values
        if each.platform in {platform, None}
        and each.status != _OFF
        and cg_id not in map(str, each.unsupported)
    ] or list(hardware.values)
    choices = join_limited([f"{each.id}: {each.description}" for each in own]) or "none"
    for each in given:
        listed = [config for config in hardware.values if str(config.id) == each]
        if not listed:
            near = closest(each, [str(config.id) for config in own])
            findings.refute(
                hardware.gap,
                f"{path}: must be machines of the farm ({choices}), got {excerpt(each)}",
                f"; did you mean {near!r}?" if near else "",
            )
        elif all(config.platform not in {platform, None} for config in listed):
            findings.warnings.append(
                f"{path}: the farm lists {excerpt(each)} for platform {listed[0].platform}, not for the "
                f"connection's, {platform}, which has {choices}"
            )
        elif all(config.status == _OFF for config in listed):
            findings.refute(
                hardware.gap,
                f"{path}: must be machines that are switched on, got {excerpt(each)}; others: {choices}",
            )
        elif all(cg_id in map(str, config.unsupported) for config in listed):
            findings.refute(
                hardware.gap,
                f"{path}: must be machines that can render software {cg_id}, got {excerpt(each)}; "
                f"others: {choices}",
            )


def _refute_name(
    findings: Findings, name: str, what: str, listing: Listing[Any], names: Iterable[str], value: str
) -> None:
    listed = list(names)
    choices = join_limited([*map(repr, listed)], ", ") or "none"
    folded = {each.casefold(): each for each in listed}
    near = folded.get(nearest(value.casefold(), folded) or "")
    findings.refute(
        listing.gap,
        f"{name}: must be {what} ({choices}), got {excerpt(value)}",
        f"; did you mean {near!r}?" if near else "",
    )


def _without_name(version: str, plugin: str) -> str:
    """Return "5.3.4" of "mtoa 5.3.4", as the farm lists it."""
    rest = version[len(plugin) :].strip(" _-")
    return rest if rest and version.casefold().startswith(plugin.casefold()) else version


def _object(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}
