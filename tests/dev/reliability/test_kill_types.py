import pytest

from dev.reliability.kill_types import GOES_ON, KILLS, SLOTS, STOPPED, TAKEN_UP

KINDS = {kill.name: kill for kill in KILLS}
PLACES = {(slot.waiter, str(slot)): slot for slot in SLOTS}


@pytest.mark.parametrize(
    ("line", "kill", "waiter", "how", "becomes"),
    [
        ("3.3", "marked failed", "render", "deferred", STOPPED),
        ("3.3", "marked failed", "render", "deferred, mapped, one of two", STOPPED),
        ("3.3", "marked failed", "render", "deferred, mapped, its neighbour", TAKEN_UP),
        ("3.3", "marked failed", "sensor_default", "deferred", GOES_ON),
        ("3.3", "DAG run marked failed", "render", "waiting, mapped, its neighbour", STOPPED),
        ("3.3", "cleared", "sensor", "waiting", TAKEN_UP),
        ("3.3", "worker: SIGTERM", "sensor_default", "waiting", TAKEN_UP),
        ("3.3", "worker: SIGTERM", "render", "deferred", TAKEN_UP),
        ("3.3", "triggerer: SIGKILL, restart", "render", "deferred", TAKEN_UP),
        ("3.0", "cleared", "render", "waiting, mapped, its neighbour", STOPPED),
        ("2.11", "worker: SIGTERM", "sensor_default", "waiting", GOES_ON),
        ("2.11", "worker: SIGTERM", "render", "waiting, mapped, its neighbour", TAKEN_UP),
    ],
)
def test_what_must_become_of_a_render(line, kill, waiter, how, becomes):
    assert KINDS[kill].expected(PLACES[waiter, how], line) == becomes
