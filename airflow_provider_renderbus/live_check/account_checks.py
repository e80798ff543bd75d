"""Checks of signature, paths, account and lists. They change nothing on the farm."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.call import Call
from airflow_provider_renderbus.api.errors import ApiError, EndpointNotFound, RenderbusError
from airflow_provider_renderbus.api.parsing import raw_json
from airflow_provider_renderbus.api.platforms import PLATFORMS
from airflow_provider_renderbus.live_check.assumption import (
    CLIENT,
    DOCUMENT,
    INFERENCE,
    NotCheckable,
    Refuted,
    Table,
    require,
)
from airflow_provider_renderbus.task_json.names import normalize
from airflow_provider_renderbus.task_json.software import SOFTWARE
from airflow_provider_renderbus.transfer.command import Command
from airflow_provider_renderbus.transfer.endpoints import select_line
from airflow_provider_renderbus.transfer.errors import TransferError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_renderbus.live_check.session import Session

ACCOUNT = Table()

_EXPIRED, _WRONG_KEYS = 610, (602, 611)
_MAX_SKEW = 300.0
_ZONES = (1, 2)
_COMMAND_TIMEOUT = 30.0
_MAX_SHOWN = 5
_RAM, _GPUS = re.compile(r"\d+ ?GB", re.IGNORECASE), re.compile(r"\d+\*GPU", re.IGNORECASE)
_EXTENSIONS = re.compile(r"[a-z0-9.]+(;[a-z0-9.]+)*;?", re.IGNORECASE)
_VERSION = re.compile(rb"\d+\.\d+(?:\.\d+)*")


@ACCOUNT.add(
    "A request that is signed as the documents say is accepted.",
    DOCUMENT,
    CLIENT,
    settled_by="queries the profile",
)
def check_signature(session: Session) -> str:
    """Query the profile."""
    data = session.raw(calls.query_user_profile())
    session.keep_private(data)
    return f"code {session.envelope.get('code')}"


@ACCOUNT.add(
    "An answer is an object with code, message and data, and code 200 is success.",
    DOCUMENT,
    CLIENT,
    settled_by="looks at the answer to the query of the profile",
)
def check_envelope(session: Session) -> str:
    """Compare the fields of an answer with those of the documents."""
    session.raw(calls.query_user_profile())
    names = sorted(session.envelope)
    require({"code", "message", "data"} <= set(names), f"fields {', '.join(names)}")
    return f"fields {', '.join(names)}"


@ACCOUNT.add(
    "Every answer has serverTime, in milliseconds since 1970; requests are good for some minutes.",
    DOCUMENT,
    INFERENCE,
    settled_by="compares serverTime with the clock of this machine",
)
def check_clock(session: Session) -> str:
    """Compare the farm's clock with this machine's."""
    session.raw(calls.query_user_profile())
    server_time = session.envelope.get("serverTime")
    require(type(server_time) in {int, float}, f"serverTime is {_kind(server_time)}")
    skew = float(str(server_time)) / 1000 - session.clock.now()
    require(abs(skew) < _MAX_SKEW, f"the clocks differ by {skew:.1f} s")
    return f"the clocks differ by {abs(skew):.1f} s"


@ACCOUNT.add(
    "A list and text in other scripts are signed as the documents say.",
    DOCUMENT,
    CLIENT,
    settled_by="lists tasks by statuses and by a word in Chinese",
)
def check_signed_body(session: Session) -> str:
    """Send a body with a list and other scripts."""
    session.raw(calls.get_task_list(status_list=[25, 30], search_keyword="灯光 é"))
    return f"code {session.envelope.get('code')}"


@ACCOUNT.add(
    "A wrong key is refused with code 602 or 611.",
    DOCUMENT,
    settled_by="queries the profile with a wrong key, once",
)
def check_wrong_key(session: Session) -> str:
    """Sign with a wrong key."""
    with session.new_client(access_key="wrong") as client:
        code = _code_of(client, calls.query_user_profile())
    require(code in _WRONG_KEYS, f"code {code}")
    return f"code {code}"


@ACCOUNT.add(
    "An old timestamp is refused with code 610, and its serverTime corrects the clock.",
    DOCUMENT,
    INFERENCE,
    settled_by="queries the profile with a clock that is a day slow, which the client then corrects",
)
def check_expired_signature(session: Session) -> str:
    """Sign with an old timestamp."""
    with session.new_client(clock=lambda: session.clock.now() - 86_400) as client:
        client.send(replace(calls.query_user_profile(), read=raw_json))
        codes = [each.envelope.get("code") if each.envelope else None for each in client.exchanges]
    require(codes == [_EXPIRED, 200], f"codes {', '.join(map(str, codes))}")
    return "codes 610, 200"


@ACCOUNT.add(
    "A path that the farm does not serve is HTTP 404 without the farm's envelope.",
    INFERENCE,
    settled_by="sends a query to a path that does not exist",
)
def check_unknown_path(session: Session) -> str:
    """Send a query to a path that does not exist."""
    try:
        session.raw(Call("unknown_path", ("/api/render/renderbusCheck/none",), {}, read=raw_json))
    except EndpointNotFound:
        return "HTTP 404 without an envelope"
    except RenderbusError as error:
        raise Refuted(str(error)) from None
    raise Refuted("the farm answers with success")


@ACCOUNT.add(
    "The farm serves both spellings of the paths of queries.",
    DOCUMENT,
    CLIENT,
    settled_by="sends each query that has several paths to all of them",
)
def check_paths(session: Session) -> str:
    """Send each query to all its paths."""
    return require_served(session, queries_with_several_paths())


def require_served(session: Session, several: Iterable[Call[Any]]) -> str:
    """Send calls to all their paths.

    :raises Refuted: one is not served.
    """
    missing, count = [], 0
    for call in several:
        for path in call.paths:
            count += 1
            # A client stays with a path that works, so each path has its own.
            with session.new_client() as client, suppress(ApiError):  # an answer of the farm: it is served
                try:
                    client.send(replace(call, paths=(path,)))
                except EndpointNotFound:
                    missing.append(path)
    require(not missing, f"not served: {', '.join(missing)}")
    return f"{count} paths are served"


def queries_with_several_paths() -> Iterator[Call[Any]]:
    """Yield the queries that have several paths."""
    nobodys_task = 1
    yield calls.query_user_setting()
    yield calls.get_transfer_bid()
    yield calls.get_raysync_user_key()
    yield calls.get_task_list(page_size=1)
    yield calls.query_task_info([nobodys_task])


@ACCOUNT.add(
    "The profile has the user's number and the account's zone: 1 in China, else 2.",
    DOCUMENT,
    settled_by="reads the profile",
)
def check_profile(session: Session) -> str:
    """Read the profile."""
    profile = session.send(calls.query_user_profile())
    session.private |= {str(profile.user_id), str(profile.main_user_id)} - {"0", "None"}
    require(profile.zone in _ZONES, f"zone {profile.zone}")
    session.profile = profile
    return f"a user number, zone {profile.zone}"


@ACCOUNT.add(
    "The funds are the balance in the currency of the zone (1: RMB, else USD), coupons and credit.",
    INFERENCE,
    settled_by="reads the profile; the amounts are not in the report",
)
def check_funds(session: Session) -> str:
    """Look at the fields of the funds."""
    _ = session.profile
    data = session.raw(calls.query_user_profile())
    field = "rmbbalance" if session.profile.currency == "RMB" else "usdbalance"
    kinds = {name: _kind(data.get(name)) for name in (field, "coupon", "credit")}
    text = ", ".join(f"{name}: {kind}" for name, kind in kinds.items())
    require(kinds[field] in {"number", "text"}, text)
    hidden = "" if session.profile.funds_visible else "; the account hides its funds"
    return f"{text}{hidden}"


@ACCOUNT.add(
    "The list of platforms has the connection's, and the documents' numbers: W2 2, GPU 21, W3 62.",
    DOCUMENT,
    INFERENCE,
    settled_by="lists the platforms of the account's zone",
)
def check_platforms(session: Session) -> str:
    """List the platforms."""
    data = session.raw(calls.query_platforms(session.profile.zone or 1))
    entries = _objects(data, "the list of platforms")
    names = {entry.get("platform"): str(entry.get("name")) for entry in entries}
    seen = ", ".join(f"{name} {number}" for number, name in names.items())
    require(session.settings.platform in names, f"{session.settings.platform} is not listed: {seen}")
    other = [name for name, number in PLATFORMS.items() if names.get(number, name) != name]
    require(not other, seen)
    return seen


@ACCOUNT.add(
    "The list of software has the documents' numbers and names, and whether there are Linux machines.",
    DOCUMENT,
    settled_by="lists the software",
)
def check_software(session: Session) -> str:
    """List the software."""
    data = session.raw(calls.query_software_list())
    entries = _objects(data.get("renderInfoList") if isinstance(data, dict) else None, "renderInfoList")
    session.software = entries
    wrong = [
        f"{entry.get('cgId')} {entry.get('cgName')}"
        for entry in entries
        if not _is_documented(entry) or entry.get("isSupportLinux") not in {0, 1}
    ]
    require(not wrong, f"other than documented: {', '.join(wrong)}")
    return ", ".join(f"{entry['cgId']} {entry['cgName']}" for entry in entries)


@ACCOUNT.add(
    "cgType has the extensions of scene files, divided by semicolons, with those of the documents.",
    DOCUMENT,
    settled_by="looks at the list of software",
)
def check_extensions(session: Session) -> str:
    """Compare the extensions with those of the documents."""
    wrong = []
    for entry in _software(session):
        text, documented = str(entry.get("cgType")), SOFTWARE.get(entry["cgId"])
        listed = {each.strip().lower() for each in text.split(";")}
        if not _EXTENSIONS.fullmatch(text) or (
            documented and not listed & set(documented.extensions or listed)
        ):
            wrong.append(f"{entry['cgName']}: {text}")
    require(not wrong, ", ".join(wrong))
    return ", ".join(f"{entry['cgName']}: {entry['cgType']}" for entry in session.software)


@ACCOUNT.add(
    "A software's detail has its versions, and plug-ins that are listed for the id of a version.",
    DOCUMENT,
    CLIENT,
    settled_by="queries the detail of each software of the list, for Windows",
)
def check_versions(session: Session) -> str:
    """Query versions and plug-ins."""
    seen = []
    for entry in _software(session):
        name, data = str(entry["cgName"]), session.raw(calls.query_software_detail(entry["cgId"]))
        versions = _objects(data.get("cgVersion"), f"cgVersion of {name}")
        ids = {version.get("id") for version in versions}
        plugins = data.get("cgPlugin")
        require(isinstance(plugins, list), f"cgPlugin of {name} is {_kind(plugins)}")
        require(all(isinstance(each.get("cgVersion"), str) for each in versions), f"versions of {name}")
        require(
            all(isinstance(each, dict) and each.get("cvId") in ids for each in plugins),
            f"plug-ins of {name} are listed for no version",
        )
        seen.append(f"{name}: {len(versions)} versions, {len(plugins)} plug-ins")
    return ", ".join(seen)


@ACCOUNT.add(
    'The version of a plug-in is listed with the plug-in\'s name before it, "mtoa 5.3.4".',
    DOCUMENT,
    settled_by="looks at the plug-ins of the first software that has some",
)
def check_plugin_versions(session: Session) -> str:
    """Look at the versions of plug-ins."""
    for entry in _software(session):
        data = session.raw(calls.query_software_detail(entry["cgId"]))
        listed = [
            each for plugin in data.get("cgPlugin") or [] for each in plugin.get("pluginVersions") or []
        ]
        if listed:
            texts = [(str(each.get("pluginName")), str(each.get("pluginVersion"))) for each in listed]
            wrong = [f"{name}: {version}" for name, version in texts if not version.startswith(f"{name} ")]
            require(not wrong, ", ".join(wrong[:_MAX_SHOWN]))
            return f"{entry['cgName']}: {texts[0][1]}"
    raise NotCheckable("no software has plug-ins")


@ACCOUNT.add(
    'Machines have platform, status and memory ("64GB"); graphics cards are null or "2*GPU".',
    DOCUMENT,
    settled_by="lists the machines of all platforms",
)
def check_hardware(session: Session) -> str:
    """List the machines."""
    entries = _objects(session.raw(calls.list_hardware_configs()), "the list of machines")
    wrong = [
        f"ram {entry.get('ram')}, gpuNum {entry.get('gpuNum')}"
        for entry in entries
        if not _RAM.fullmatch(str(entry.get("ram")))
        or not (entry.get("gpuNum") is None or _GPUS.fullmatch(str(entry["gpuNum"])))
        or type(entry.get("status")) is not int
        or type(entry.get("platform")) is not int
    ]
    require(not wrong, "; ".join(wrong[:_MAX_SHOWN]))
    own = [
        entry for entry in entries if entry["platform"] == session.settings.platform and entry["status"] == 1
    ]
    require(own, f"{len(entries)} machines, none of the connection's platform is switched on")
    return f"{len(entries)} machines, {len(own)} of the connection's platform are switched on"


@ACCOUNT.add(
    "Projects are listed with number and name.",
    CLIENT,
    settled_by="lists the projects of the account and of its main account; the names are not in the report",
)
def check_projects(session: Session) -> str:
    """List the projects."""
    counts: list[int] = []
    for flag in (0, 2):
        data = session.raw(calls.list_projects(flag))
        session.keep_private(data)
        projects = data.get("projectNameList") if isinstance(data, dict) else None
        if not isinstance(projects, list):
            raise Refuted(f"projectNameList is {_kind(projects)}")
        require(all({"projectId", "projectName"} <= each.keys() for each in projects), "other fields")
        counts.append(len(projects))
    return f"{counts[0]} own projects, {counts[1]} with the main account's"


@ACCOUNT.add(
    "The engine Aspera has a default line with server and port, and the storages have ids.",
    DOCUMENT,
    CLIENT,
    settled_by="queries storages and transfer lines; server and ids are not in the report",
)
def check_transfer_line(session: Session) -> str:
    """Query storages and lines."""
    config = session.send(calls.get_transfer_config())
    bids = session.send(calls.get_transfer_bid())
    engines = (
        ", ".join(f"{engine.name} with {len(engine.lines)} lines" for engine in config.engines) or "none"
    )
    try:
        line = select_line(config)
    except TransferError:
        raise Refuted(f"no default line; engines: {engines}") from None
    session.private |= {line.server, *filter(None, (bids.input_bid, bids.output_bid, bids.config_bid))}
    require(bids.input_bid and bids.output_bid and bids.config_bid, "a storage has no id")
    return f"engines: {engines}"


@ACCOUNT.add(
    "The transfer command can be run; without arguments it prints a line and ends with an error at once.",
    CLIENT,
    settled_by="runs it without arguments",
)
def check_transfer_command(session: Session) -> str:
    """Run the transfer command without arguments."""
    try:
        command = Command.find(session.transfer_command)
        process = subprocess.run(  # noqa: S603 - a path that the user has configured
            [str(command.path)],
            capture_output=True,
            timeout=_COMMAND_TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (TransferError, OSError) as error:
        raise Refuted(str(error).partition(". ")[0]) from None
    except subprocess.TimeoutExpired:
        raise Refuted(f"it did not end within {_COMMAND_TIMEOUT:.0f} s") from None
    output = process.stdout + process.stderr
    version = _VERSION.search(output)
    seen = f"exit code {process.returncode}, {len(output)} bytes of output, version "
    seen += version[0].decode() if version else "not shown"
    require(process.returncode != 0 and output.strip(), seen)
    return f"{command.path.name}: {seen} (on {sys.platform})"


def _code_of(client: Any, call: Call[Any]) -> int:
    try:
        client.send(replace(call, read=raw_json))
    except ApiError as error:
        return error.code
    return 200


def _software(session: Session) -> list[dict[str, Any]]:
    if not session.software:
        raise NotCheckable("the list of software could not be had")
    return session.software


def _is_documented(entry: dict[str, Any]) -> bool:
    """Return whether number and name are a pair of the documents, or a software that they do not have."""
    documented = SOFTWARE.get(entry.get("cgId") or 0)
    if type(entry.get("cgId")) is not int or not isinstance(entry.get("cgName"), str):
        return False
    names = (documented.name, documented.cg_name, *documented.aliases) if documented else ()
    return documented is None or normalize(entry["cgName"]) in {normalize(name) for name in names if name}


def _objects(value: Any, name: str) -> list[dict[str, Any]]:
    """Return the objects of a list that must not be empty.

    :raises Refuted: it is empty, or no list of objects.
    """
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        raise Refuted(f"{name} is {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    kinds = {
        bool: "a boolean",
        int: "number",
        float: "number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    if isinstance(value, list) and not value:
        return "empty"
    return "null or missing" if value is None else kinds.get(type(value), type(value).__name__)
