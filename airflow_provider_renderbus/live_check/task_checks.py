"""Checks with a number that is created, never submitted, and deleted at the end. They cost nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import ApiError
from airflow_provider_renderbus.live_check.account_checks import require_served
from airflow_provider_renderbus.live_check.assumption import (
    CLIENT,
    DESKTOP,
    DOCUMENT,
    INFERENCE,
    NotCheckable,
    Table,
    require,
)

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.tasks import CreatedTasks
    from airflow_provider_renderbus.live_check.session import Session

TASK = Table()

_ARTIST = "renderbus-check"
_NOBODYS = 10**9
_DELETED = 0


@TASK.add(
    "A number is created without a submit; its alias ends in it.",
    DOCUMENT,
    CLIENT,
    settled_by="creates a number with a label and an artist's name",
)
def check_create(session: Session) -> str:
    """Create a number."""
    created = session.send(calls.create_task(labels=[session.label], artist=_ARTIST))
    session.note_created(created)
    require(len(created.ids) == 1, f"{len(created.ids)} numbers")
    number = str(created.ids[0])
    require(all(alias.endswith(number) for alias in created.aliases), "the alias does not end in the number")
    prefixes = [alias.removesuffix(number) for alias in created.aliases]
    return f"one number, prefix of its alias: {', '.join(prefixes) or 'it has no alias'}"


@TASK.add(
    "A number that was not submitted can be queried: it is waiting (0) and has no submit time.",
    INFERENCE,
    settled_by="queries the number",
)
def check_unsubmitted(session: Session) -> str:
    """Query the number before its submit."""
    data = session.task_data()
    seen = f"taskStatus {data.get('taskStatus')}, submitDate {data.get('submitDate') or 'not set'}"
    require(data.get("taskStatus") == 0 and not data.get("submitDate"), seen)
    return seen


@TASK.add(
    "A label that was given at the creation comes back in the text labels.",
    DOCUMENT,
    INFERENCE,
    settled_by="queries the number",
)
def check_labels(session: Session) -> str:
    """Look for the label."""
    labels = session.task_data().get("labels")
    seen = f"labels is {json.dumps(labels, ensure_ascii=False)}"
    # JSON in a text may have its letters escaped.
    escaped = json.dumps(session.label)[1:-1]
    require(isinstance(labels, str) and (session.label in labels or escaped in labels), seen)
    return seen


@TASK.add(
    "The field producer has the artist's name of the creation as text, or is empty until the submit.",
    DOCUMENT,
    INFERENCE,
    settled_by="queries the number",
)
def check_artist(session: Session) -> str:
    """Look for the artist's name."""
    data = session.task_data()
    producer = data.get("producer")
    seen = f"producer is {json.dumps(producer, ensure_ascii=False)}"
    require("producer" in data and producer in {None, "", _ARTIST}, seen)
    return seen


@TASK.add(
    "A task.json with text in other scripts can be uploaded for the number.",
    DOCUMENT,
    CLIENT,
    settled_by="uploads a task.json for a scene that does not exist",
)
def check_upload(session: Session) -> str:
    """Upload a task.json."""
    content = {
        "software_config": {"cg_name": "Blender", "cg_version": "4.2", "plugins": {}},
        "task_info": {
            "cg_id": "2007",
            "task_id": str(session.task_id),
            "input_cg_file": "D:/检查/a.blend",
        },
        "scene_info_render": {"common": {"frames": "1"}},
    }
    session.send(calls.upload_task_json(session.task_id, json.dumps(content, ensure_ascii=False)))
    return f"code {session.envelope.get('code')}"


@TASK.add(
    "A number that was not submitted is not in the list of tasks.",
    INFERENCE,
    settled_by="lists the tasks with the number as the search word, and all of them",
)
def check_list(session: Session) -> str:
    """Look for the number in the list of tasks."""
    listed = [
        task.id
        for word in (str(session.task_id), None)
        for task in session.send(calls.get_task_list(search_keyword=word)).items
    ]
    session.private |= set(map(str, listed))
    require(session.task_id not in listed, "it is listed")
    return "it is not listed"


@TASK.add(
    "A number that nobody has is no item of the answer, or is refused as unknown.",
    INFERENCE,
    settled_by="queries a number that is far above the created one",
)
def check_unknown_number(session: Session) -> str:
    """Query a number that nobody has."""
    number = session.task_id + _NOBODYS
    try:
        tasks = session.send(calls.query_task_info([number]))
    except ApiError as error:
        require(error.code in {404, 700, 937}, f"code {error.code}")
        return f"code {error.code}"
    require(number not in tasks, "it is answered with a task")
    return "no item"


@TASK.add(
    "The farm serves both spellings of the paths of orders.",
    DOCUMENT,
    CLIENT,
    settled_by="creates more numbers, stops the first and removes a label, at all paths; submit, start and "
    "recommit cost money and are not tried",
)
def check_order_paths(session: Session) -> str:
    """Send orders that cost nothing to all their paths."""
    create = calls.create_task()
    task_id = session.task_id

    def read(data: Any) -> CreatedTasks:
        created = create.read(data)
        session.note_created(created)
        return created

    orders = (calls.stop_task([task_id]), calls.delete_task_label([task_id], ["renderbus-check none"]))
    return require_served(session, (replace(create, read=read), *orders))


@TASK.add(
    "A stop of a number that was not submitted succeeds, or is refused as nothing to do (700).",
    DESKTOP,
    settled_by="stops the number",
)
def check_stop(session: Session) -> str:
    """Stop the number."""
    try:
        session.send(calls.stop_task([session.task_id]))
    except ApiError as error:
        require(error.code == 700, f"code {error.code}")  # noqa: PLR2004 - nothing to do
        return "code 700"
    return "code 200"


@TASK.add(
    "A number can be deleted; then isDelete is 0, or it is not answered any more.",
    DOCUMENT,
    INFERENCE,
    settled_by="deletes the number and queries it",
)
def check_delete(session: Session) -> str:
    """Delete the number."""
    session.send(calls.delete_task([session.task_id]))
    try:
        data = session.task_data()
    except (ApiError, NotCheckable):
        seen = "it is not answered any more"
    else:
        seen = f"isDelete is {data.get('isDelete')}"
        require(data.get("isDelete") == _DELETED, seen)
    del session.created[0]
    require(not session.clean_up(), "another number could not be deleted")
    return seen


@TASK.add(
    "Nothing of this costs anything.",
    DOCUMENT,
    settled_by="compares the funds with those at the beginning; another render of the account spoils it",
)
def check_funds_unchanged(session: Session) -> str:
    """Compare the funds."""
    before = session.profile.available_funds
    after = session.send(calls.query_user_profile()).available_funds
    require(after >= before, "the funds are less than before")
    return "the funds are as before"
