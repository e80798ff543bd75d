from concurrent.futures import ThreadPoolExecutor

from dev.reliability.process_killer import Life
from dev.reliability.restarts import Gathering


def test_requests_are_held_until_all_are_released():
    gathering = Gathering()
    for dead in (True, False):
        gathering.expect(3)
        with ThreadPoolExecutor(3) as pool:
            held = [pool.submit(gathering.hold, Life()) for _ in range(3)]
            gathering.wait(lambda: None)
            assert not any(each.done() for each in held)
            gathering.release(dead=dead)
            assert [each.result(timeout=10) for each in held] == [dead] * 3
