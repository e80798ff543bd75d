"""Checks with one frame that is rendered and paid: only with ``--render``, and after a question."""

from __future__ import annotations

import json
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.states import FrameStatus, TaskStatus
from airflow_provider_renderbus.clients import flows
from airflow_provider_renderbus.live_check.assumption import (
    CLIENT,
    DESKTOP,
    DOCUMENT,
    INFERENCE,
    NotCheckable,
    Refuted,
    Table,
    require,
)
from airflow_provider_renderbus.task_json.files import complete_task_json
from airflow_provider_renderbus.task_json.names import extension_software
from airflow_provider_renderbus.transfer import downloads, uploads
from airflow_provider_renderbus.transfer.command import Command
from airflow_provider_renderbus.transfer.endpoints import input_endpoint, output_endpoint, select_line
from airflow_provider_renderbus.transfer.errors import TransferError
from airflow_provider_renderbus.transfer.process import TransferRunner

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.api.models.tasks import TaskInfo
    from airflow_provider_renderbus.live_check.sample_render import SampleRender
    from airflow_provider_renderbus.live_check.session import Session

RENDER = Table()

PRODUCER = "renderbus-check [marker]"
_POLL_INTERVAL, _MAX_WAIT = 5.0, 3600.0
_STALL_TIMEOUT, _THUMBNAIL_TIMEOUT = 300.0, 15.0
_CENT = Decimal("0.01")
_JPEG = b"\xff\xd8\xff"


@RENDER.add(
    "The transfer command uploads a file to the input storage.",
    CLIENT,
    settled_by="uploads the scene, with a new number for it and its task.json",
)
def check_scene_upload(session: Session) -> str:
    """Create a number, upload the scene and its task.json."""
    sample = _sample(session)
    content = sample.task_json(_newest_version(session, sample))
    profile = session.profile
    created = session.send(calls.create_task(labels=[session.label]))
    session.note_created(created)
    text = complete_task_json(
        content, task_id=session.task_id, user_id=profile.user_id, platform=session.settings.platform
    )
    session.send(calls.upload_task_json(session.task_id, text))
    is_main = session.main_account_storage
    endpoint = input_endpoint(
        select_line(session.send(calls.get_transfer_config())),
        profile,
        session.send(calls.get_transfer_bid()),
        main_account=bool(profile.share_main_capital) if is_main is None else is_main,
    )
    with tempfile.TemporaryDirectory() as logs:
        result = uploads.upload(_runner(session, logs), endpoint, sample.assets(content), None)
    return f"{result.files} file of {result.size} bytes"


@RENDER.add(
    "A submitted render passes through documented states, and ends as finished (25).",
    DOCUMENT,
    CLIENT,
    settled_by="submits the number and polls it every 5 s; stops it at the cost of --max-cost",
)
def check_states(session: Session) -> str:
    """Submit, and wait for the end."""
    sample, task_id = _sample(session), session.task_id
    session.funds_before = session.send(calls.query_user_profile()).available_funds
    # A submit whose response is lost may have started the render, which must then be stopped.
    session.submitted = True
    session.send(calls.submit_task(task_id, PRODUCER))
    deadline = session.clock.monotonic() + _MAX_WAIT
    codes: list[int] = []
    while True:
        task = session.client.run(flows.get_task(task_id))
        codes += [] if codes[-1:] == [task.status_code] else [task.status_code]
        seen = f"states {', '.join(map(str, codes))}"
        if task.is_terminal:
            break
        if task.cost > sample.max_cost or session.clock.monotonic() > deadline:
            session.send(calls.stop_task([task_id]))
            reason = "--max-cost is exceeded" if task.cost > sample.max_cost else "it does not end"
            raise Refuted(f"stopped, since {reason}; {seen}")
        session.clock.sleep(_POLL_INTERVAL)
    session.rendered = task
    require(all(code in set(TaskStatus) for code in codes) and task.status is TaskStatus.FINISHED, seen)
    return seen


@RENDER.add(
    "A submitted render is in the list of tasks, with its submit time in milliseconds.",
    DOCUMENT,
    INFERENCE,
    settled_by="lists the tasks",
)
def check_listed(session: Session) -> str:
    """Look for the render in the list."""
    task = _rendered(session)
    pages = session.send(calls.get_task_list(search_keyword=str(task.id)))
    session.private |= {str(each.id) for each in pages.items}
    require(task.id in {each.id for each in pages.items}, "it is not listed")
    age = session.clock.now() - task.submitted_at.timestamp() if task.submitted_at else None
    require(age is not None, "it has no submit time")
    return "it is listed, with a submit time"


@RENDER.add(
    "The producer of the submit comes back as it was sent.",
    DOCUMENT,
    INFERENCE,
    settled_by="queries the render",
)
def check_producer(session: Session) -> str:
    """Compare the producer."""
    _rendered(session)
    producer = session.task_data().get("producer")
    seen = f"producer is {json.dumps(producer, ensure_ascii=False)}"
    require(producer == PRODUCER, seen)
    return seen


@RENDER.add(
    "The list of frames has the frame, done (4), under its number as text.",
    DOCUMENT,
    settled_by="lists the frames",
)
def check_frames(session: Session) -> str:
    """List the frames."""
    frames = _frames(session)
    seen = ", ".join(f"{frame.name!r}: {frame.status_code}" for frame in frames) or "no frame"
    require(len(frames) == 1 and frames[0].status is FrameStatus.DONE and frames[0].name == "1", seen)
    return seen


@RENDER.add(
    "The log of a frame is listed in lines; its parts are counted from 0.",
    DOCUMENT,
    settled_by="queries the first part of the frame's log",
)
def check_log(session: Session) -> str:
    """Query the log."""
    page = session.send(calls.show_log(_frames(session)[0].id, page_num=0))
    require(page.lines, "no line")
    return f"{len(page.lines)} lines, {page.total} bytes in all"


@RENDER.add(
    "A thumbnail is answered as a path, and a plain GET of it returns a JPEG.",
    DESKTOP,
    settled_by="queries the path of the frame's thumbnail, and gets it without a signature",
)
def check_thumbnail(session: Session) -> str:
    """Get the thumbnail."""
    paths = session.raw(calls.load_frame_thumbnail(_frames(session)[0].id))
    require(isinstance(paths, list) and paths and isinstance(paths[0], str), "no path")
    url = paths[0] if paths[0].startswith("http") else session.settings.url(f"/{paths[0].lstrip('/')}")
    try:
        response = httpx.get(
            url,
            follow_redirects=True,
            timeout=_THUMBNAIL_TIMEOUT,
            verify=session.settings.ssl_context(),
        )
    except httpx.HTTPError as error:
        raise Refuted(f"a path; GET: {type(error).__name__}") from None
    kind = response.headers.get("content-type", "no type")
    seen = f"a path of {paths[0].count('/')} parts; HTTP {response.status_code}, {kind}"
    require(response.content.startswith(_JPEG), seen)
    return f"{seen}, {len(response.content)} bytes"


@RENDER.add(
    "The files of the render are listed, and the transfer command downloads them.",
    DOCUMENT,
    CLIENT,
    settled_by="lists the output files, and downloads them to a folder that is removed",
)
def check_download(session: Session) -> str:
    """Download the frame."""
    task = _rendered(session)
    listing = session.client.run(flows.list_output_files(task.id))
    session.private |= {each.path for each in listing}
    require(listing, "no file is listed")
    line = select_line(session.send(calls.get_transfer_config()))
    endpoint = output_endpoint(
        line, session.profile, session.send(calls.get_transfer_bid()), next(task.leaves())
    )
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as logs:
        selected = downloads.select_files(listing, "*").files
        result = downloads.download(_runner(session, logs), endpoint, selected, Path(folder))
    require(result.size > 0, "the files are empty")
    return f"{result.files} files of {result.size} bytes"


@RENDER.add(
    "The cost of the render is its consumption in all currencies, and is what the funds lose.",
    DOCUMENT,
    INFERENCE,
    settled_by="compares the cost of render and frame with the funds before and after",
)
def check_cost(session: Session) -> str:
    """Compare cost and funds."""
    task = session.client.run(flows.get_task(_rendered(session).id))
    spent = session.funds_before - session.send(calls.query_user_profile()).available_funds
    frames = sum((frame.cost for frame in _frames(session)), Decimal(0))
    seen = f"render {task.cost}, frames {frames}, funds {spent} less"
    require(abs(task.cost - frames) <= _CENT, seen)
    require(abs(task.cost - spent) <= _CENT or not session.profile.funds_visible, seen)
    return seen


def _sample(session: Session) -> SampleRender:
    if session.sample is None:
        raise NotCheckable("no scene was given with --render")
    return session.sample


def _rendered(session: Session) -> TaskInfo:
    if session.rendered is None:
        raise NotCheckable("nothing was rendered")
    return session.rendered


def _frames(session: Session) -> tuple[Frame, ...]:
    frames = session.client.run(flows.list_frames(next(_rendered(session).leaves()).id))
    if not frames:
        raise NotCheckable("no frame is listed")
    return frames


def _newest_version(session: Session, sample: SampleRender) -> str:
    """Return the last version that the farm lists of the scene's software."""
    if sample.base is not None:
        return ""
    software = extension_software(sample.scene.name)
    data: Any = session.raw(calls.query_software_detail(software.cg_id if software else 0))
    versions = [each.get("cgVersion") for each in data.get("cgVersion") or [] if isinstance(each, dict)]
    if not versions:
        raise NotCheckable("the farm lists no version of the scene's software")
    return str(versions[-1])


def _runner(session: Session, logs: str) -> TransferRunner:
    try:
        return TransferRunner(Command.find(session.transfer_command), Path(logs), _STALL_TIMEOUT)
    except TransferError as error:
        raise NotCheckable(str(error).partition(". ")[0]) from None
