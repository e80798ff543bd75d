"""How large and how fast the embedded farm is: ``python -m dev.benchmarks.farm_load [--check]``.

A farm with 20,000 tasks is filled, killed, and started again in a process of its own; the load comes from
this one, over loopback, with every request signed. Half of the tasks wait, a quarter is rendered, a quarter
has ended. Prints a table and writes JSON. See docs/benchmarks.md.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from airflow_provider_renderbus.api.signing import signature
from airflow_provider_renderbus.farm import Farm, ManualClock
from dev.benchmarks import report

QUERY = "/api/render/handle/queryTaskInfo/v2"
PROFILE = "/api/render/setUp/queryUserProfile"
CREATE = "/api/render/submit/createTask"
UPLOAD = "/api/render/submit/taskJsonFile"
SUBMIT = "/api/render/submit/task"
TASK_JSON = {
    "task_info": {"cg_id": "2007", "input_cg_file": "/mnt/shot.blend"},
    "scene_info": {"common": {"frames": "1-24[1]", "width": "320", "height": "180"}},
}
SCENARIO = {"pictures": False, "account": {"balance": "1000000"}}
GOALS: dict[str, tuple[str, float | None, str]] = {
    "start_seconds": ("seconds from start to serving", 2.0, "below"),
    "memory_mb": ("MB resident after all queries", 300.0, "below"),
    "query_median_ms": ("ms for a query of 100 tasks, median", 5.0, "below"),
    "query_p99_ms": ("ms for a query of 100 tasks, 99th percentile", None, ""),
    "first_query_median_ms": ("ms for a query of 100 tasks asked for the first time, median", None, ""),
    "requests_a_second": ("signed requests a second", 1000.0, "above"),
    "queries_a_second": ("signed queries of 100 tasks a second", None, ""),
    "cpu_ms_a_request": ("ms of the farm's CPU for a request", None, ""),
}


class Client:
    """A connection that is kept, and signs."""

    nonces = itertools.count(100_000)

    def __init__(self, connection: dict[str, Any]) -> None:
        self.key, self.login = connection["password"], connection["login"]
        self.domain = f"{connection['host']}:{connection['port']}"
        self.http = HTTPConnection(connection["host"], connection["port"], timeout=60)

    def headers(self, path: str, body: dict[str, Any]) -> dict[str, str]:
        headers = {
            "accessId": self.login,
            "channel": "4",
            "platform": "2",
            "UTCTimestamp": str(int(time.time())),
            "nonce": str(next(self.nonces)),
            "version": "2.0.0",
        }
        return headers | {"signature": signature(self.key, self.domain, path, headers, body)}

    def send(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> bytes:
        self.http.request("POST", path, json.dumps(body), headers or self.headers(path, body))
        answer = self.http.getresponse().read()
        assert b'"code": 200' in answer[:200], answer[:200]
        return answer


def fill(storage: Path, count: int) -> list[int]:
    """Make the tasks: a half that waits, a quarter that is rendered, a quarter that has ended."""
    with closing(Farm(storage, ManualClock(), scenario=SCENARIO)) as farm:
        numbers = submitted(farm, count // 4)
        farm.advance(10_000)
        numbers += submitted(farm, count // 4)
        farm.advance(100)
        return numbers + submitted(farm, count // 2)


def submitted(farm: Farm, count: int, task_json: dict[str, Any] = TASK_JSON) -> list[int]:
    """Submit hundreds of tasks over the farm's own function; returns their numbers."""
    client = Client(farm.connection() | {"port": 0})

    def call(path: str, **body: Any) -> Any:
        answer = json.loads(farm.handle(path, client.headers(path, body), json.dumps(body).encode())[2])
        assert answer["result"], answer
        return answer["data"]

    made: list[int] = []
    for _ in range(count // 100):
        made += call(CREATE, count=100)["taskIdList"]
    for number in made:
        call(UPLOAD, taskId=number, content=json.dumps(task_json))
        call(SUBMIT, taskId=number)
    return made


def memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(client: Client, batches: list[list[int]]) -> list[float]:
    seconds = []
    for numbers in batches:
        body = {"taskIds": numbers}
        headers = client.headers(QUERY, body)
        begin = time.perf_counter()
        client.send(QUERY, body, headers)
        seconds.append(time.perf_counter() - begin)
    return seconds


def rate(
    connection: dict[str, Any], path: str, bodies: list[dict[str, Any]], seconds: float, threads: int
) -> tuple[float, int]:
    """Requests a second of some threads, each with a connection of its own."""
    done = [0] * threads
    end = time.perf_counter() + seconds

    def work(place: int) -> None:
        client = Client(connection)
        while time.perf_counter() < end:
            client.send(path, random.choice(bodies))
            done[place] += 1

    workers = [threading.Thread(target=work, args=(place,)) for place in range(threads)]
    begin = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done) / (time.perf_counter() - begin), sum(done)


def measure(storage: Path, numbers: list[int], seconds: float) -> dict[str, float]:
    scenario = storage.parent / "scenario.json"
    scenario.write_text(json.dumps(SCENARIO))
    command = [sys.executable, "-m", "airflow_provider_renderbus.farm", "--port", "0", "--speed", "0.001"]
    command += ["--storage", str(storage), "--scenario", str(scenario)]
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            start = time.perf_counter() - begin
            connection = json.loads((storage / "connections.json").read_text())["renderbus_default"]
            client = Client(connection)
            random.Random(1).shuffle(numbers)
            batches = [numbers[at : at + 100] for at in range(0, len(numbers), 100)]
            first, again = timed(client, batches), timed(client, batches * 2)
            memory = memory_mb(process.pid)
            cpu = cpu_seconds(process.pid)
            requests, count = rate(connection, PROFILE, [{}], seconds, 2)
            cpu = cpu_seconds(process.pid) - cpu
            queries, _ = rate(connection, QUERY, [{"taskIds": batch} for batch in batches], seconds, 2)
        finally:
            process.kill()
    return {
        "start_seconds": start,
        "memory_mb": memory,
        "query_median_ms": statistics.median(again) * 1000,
        "query_p99_ms": statistics.quantiles(again, n=100)[98] * 1000,
        "first_query_median_ms": statistics.median(first) * 1000,
        "requests_a_second": requests,
        "queries_a_second": queries,
        "cpu_ms_a_request": cpu / count * 1000,
    }


def main() -> int:
    parser = report.parser("Measure the embedded farm.")
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        numbers = fill(Path(folder) / "farm", options.tasks)
        figures = measure(Path(folder) / "farm", numbers, options.seconds)
    met = report.goals_met((what, figures[name], goal, side) for name, (what, goal, side) in GOALS.items())
    kept = report.keep(options.results, "farm_load", {"tasks": options.tasks, "figures": figures})
    print(f"All figures: {kept}")
    return int(options.check and not met)


if __name__ == "__main__":
    sys.exit(main())
