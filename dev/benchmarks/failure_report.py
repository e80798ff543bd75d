"""Measures the report of a render whose frames have all failed. See docs/benchmarks.md.

The pages of frames come from memory, as JSON in the form of the farm's responses; making them is not counted.
The report is made in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dev.benchmarks.figure import Figure

_ROOT = Path(__file__).parents[2]
_FRAMES = 100_000
_REPORT = """
import json, resource, sys, time
from pathlib import Path
from airflow_provider_renderbus.renders.failure_report import add_failure_report
from airflow_provider_renderbus.renders.results import Outcome, WaitResult
from dev.harness.flows import run_flow

frames, folder = int(sys.argv[1]), Path(sys.argv[2])
FRAME = (
    '{"id": %d, "userId": null, "framePrice": null, "feeType": null, "platform": null, "frameIndex": "%d", '
    '"frameStatus": 5, "feeAmount": 0.44, "startTime": 1535957049000, "endTime": 1535957084000, '
    '"frameExecuteTime": 35, "frameStatusText": "task_frame_status_5", "arrearsFee": null, '
    '"munuJobId": "%d", '
    '"taskId": 18280, "munuTaskId": "18280", "frameType": 5, "couponFee": 0.0, "recommitFlag": 0, '
    '"isCopy": null, "frameBlock": "", "taskOverTime": 86400000, "gopName": null, "frameRam": null}'
)

class Farm:
    seconds = 0.0

    def run(self, flow):
        return run_flow(flow, self.answer)

    def answer(self, call):
        begin = time.process_time()
        if call.name == "show_log":
            text = json.dumps({"items": ["Error: out of memory"] * 300, "pageCount": 1})
        else:
            start = (call.body["pageNum"] - 1) * 100
            items = ", ".join(FRAME % (at + 1, at, at) for at in range(start, start + 100))
            head = '{"pageCount": %d, "pageNum": 1, "total": %d' % (frames // 100, frames)
            text = head + ', "items": [' + items + ']}'
        Farm.seconds += time.process_time() - begin
        return call.read(json.loads(text))

    def console_url(self, task_id):
        return f"https://farm/task/{task_id}"

layer = {"name": "beauty", "render_task_id": 18280, "output_folder": "18280_shot", "failed_frames": ""}
summary = {"render_task_id": 18280, "state": "FAILED", "frames": {"failed": frames}, "layers": [layer]}
failure = WaitResult(Outcome.FAILED_PERMANENTLY, "Render 18280: FAILED", summary)
begin = time.process_time()
result = add_failure_report(Farm(), failure, folder)
seconds = time.process_time() - begin - Farm.seconds
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
assert f"beauty 0-{frames - 1}: Error: out of memory (3 logs read)" in result.message, result.message
print(json.dumps([seconds, memory, len(result.message.encode()), len(json.dumps(result.result))]))
"""


def measure() -> Iterator[Figure]:
    """Measure time, memory and sizes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _REPORT, str(_FRAMES), folder]
        output = subprocess.check_output(command, text=True, cwd=_ROOT)
    seconds, memory, message, result = json.loads(output)
    yield Figure(f"seconds of CPU to report {_FRAMES:,} failed frames", seconds, 2, "below")
    yield Figure("MB of memory for it", memory, 100, "below")
    yield Figure("bytes of its message", message, 4_000, "below")
    yield Figure("bytes of its result", result, 16_000, "below")
