import os
from concurrent.futures import ThreadPoolExecutor

from dev.reliability.process_killer import ProcessTrace
from dev.reliability.restarts import RequestBarrier


def test_request_barrier_holds_requests_until_released():
    barrier = RequestBarrier()
    for dead in (True, False):
        barrier.reset(3)
        with ThreadPoolExecutor(3) as pool:
            held = [pool.submit(barrier.hold, ProcessTrace()) for _ in range(3)]
            barrier.wait(lambda: None)
            assert not any(each.done() for each in held)
            barrier.release(dead=dead)
            assert [each.result(timeout=10) for each in held] == [dead] * 3


def test_request_barrier_with_some_clients_dead_returns_which():
    barrier = RequestBarrier()
    barrier.reset(2)
    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(barrier.hold, ProcessTrace(pid=pid)) for pid in (os.getpid(), None)]
        barrier.wait(lambda: None)
        barrier.release(dead=None)
        assert [each.result(timeout=10) for each in held] == [False, True]
