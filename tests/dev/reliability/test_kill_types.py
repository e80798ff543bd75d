import pytest

from dev.reliability.kill_types import CONTINUES, KILL_TYPES, REATTACHED, SLOTS, STOPPED

TYPES = {kill.name: kill for kill in KILL_TYPES}
PLACES = {(slot.waiter, str(slot)): slot for slot in SLOTS}


@pytest.mark.parametrize(
    ("line", "kill", "waiter", "how", "outcome"),
    [
        ("3.3", "marked failed", "render", "deferred", STOPPED),
        ("3.3", "marked failed", "render", "deferred, mapped, one of two", STOPPED),
        ("3.3", "marked failed", "render", "deferred, mapped, its neighbour", REATTACHED),
        ("3.3", "marked failed", "sensor_default", "deferred", CONTINUES),
        ("3.3", "DAG run marked failed", "render", "waiting, mapped, its neighbour", STOPPED),
        ("3.3", "cleared", "sensor", "waiting", REATTACHED),
        ("3.3", "worker: SIGTERM", "sensor_default", "waiting", REATTACHED),
        ("3.3", "worker: SIGTERM", "render", "deferred", REATTACHED),
        ("3.3", "triggerer: SIGKILL, restart", "render", "deferred", REATTACHED),
        ("3.0", "cleared", "render", "waiting, mapped, its neighbour", STOPPED),
        ("2.11", "worker: SIGTERM", "sensor_default", "waiting", CONTINUES),
        ("2.11", "worker: SIGTERM", "render", "waiting, mapped, its neighbour", REATTACHED),
    ],
)
def test_kill_type_expected_outcome_of_a_render(line, kill, waiter, how, outcome):
    assert TYPES[kill].expected(PLACES[waiter, how], line) == outcome
