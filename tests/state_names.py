"""States as documents write them: code and name, such as "25 FINISHED", or "an active state"."""

import re

from airflow_provider_renderbus.api.states import TASK_STATUS_INFO, Phase, TaskStatus

OTHER = "any other code"


def code_of(status):
    return OTHER if status is TaskStatus.UNKNOWN else str(status.value)


GROUPS = {
    "an active state": [
        code_of(status) for status, info in TASK_STATUS_INFO.items() if info.phase is Phase.ACTIVE
    ],
    "any state": [*map(code_of, TASK_STATUS_INFO)],
}


def codes_in(cell):
    """Return the codes of the states that a cell of a table names, and its other items as they are.

    "any state but 25 FINISHED, 35 ABANDON" has the codes of all other states.
    """
    group, but, exceptions = cell.partition(" but ")
    if but:
        return [code for code in GROUPS[group] if code not in codes_in(exceptions)]
    return [code for item in cell.split(", ") for code in GROUPS.get(item, [_code(item)])]


def _code(item):
    named = re.fullmatch(r"(\d+) ([A-Z_]+)", item)
    if not named:
        return item
    assert TaskStatus(int(named[1])).name == named[2], item
    return named[1]
