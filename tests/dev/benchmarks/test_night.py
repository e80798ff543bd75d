"""The worker seconds of a night, from the logs of Airflow's supervisors."""

from types import SimpleNamespace

from dev.benchmarks.night import _worker_seconds

LINE = "2026-11-28T15:02:15Z [info     ] Workload finished          [supervisor] duration={} exit_code=0\n"


def test_worker_seconds_are_those_of_all_task_processes(tmp_path):
    airflow = SimpleNamespace(log=lambda name: tmp_path / f"{name}.log")
    assert _worker_seconds(airflow) == 0
    airflow.log("worker-1").write_text(LINE.format(1.5) + "other duration=9\n" + LINE.format(2))
    airflow.log("scheduler").write_text(LINE.format(0.25))
    assert _worker_seconds(airflow) == 3.75
