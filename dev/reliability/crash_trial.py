"""Renders in a real Airflow, each of which may be struck at a step of its own, and what comes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dev.reliability.process_killer import Life, Reaper, kill_process
from dev.reliability.testbed import COST, FRAMES, NOT_RENDERED, PROJECT, Stage, task_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from dev.reliability.process_killer import Point
    from dev.reliability.testbed import Render

MODES = {"waiting": False, "deferrable": True}
"""How a render's operator waits, and whether it is deferrable then."""
RIGHT = "1 submit, 1 charge, right result"
"""What is told of a render of which nothing was lost or doubled."""
RIGHT_AGAIN = f"{RIGHT}; stopped and started again"
"""What is told of such a render that one try has stopped and another has started again."""
_DAG, _TASK = "crash", "render"
POLL_INTERVAL = 2.0
"""Seconds between two looks at a render."""
# A render lasts for 60 + 90 to 150 farm seconds: several polls.
_SPEED = 20.0
_LONGEST_RUN = 600.0


class Trial:
    """An Airflow and a farm for renders that are struck. They run while its ``with`` block lasts.

    :param folder: a new folder for all that is made.
    :param settings: environment variables for Airflow.
    :param strike: what to do where a render's point is; it returns whether the client is dead then.
    :param speed: farm seconds that pass in a second; None for a farm whose time passes only when it is told.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        strike: Callable[[Life], bool] = kill_process,
        speed: float | None = _SPEED,
    ) -> None:
        self._reaper = Reaper(self._life_of, strike)
        dags = PROJECT / "dev" / "reliability" / "dags" / _DAG
        self.stage = Stage(folder, dags, speed, settings, self._reaper.workers)
        self._run_id = ""
        self._indexes: dict[str, int] = {}
        self.lives: list[Life] = []
        """What is known of the renders of the last run, in the order of their points."""

    def __enter__(self) -> Self:
        self.stage.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stage.__exit__(kind, error, trace)

    def render(
        self,
        run_id: str,
        points: Sequence[tuple[str, Point] | tuple[str, None]],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> list[str]:
        """Render once for each point, and return what came of each.

        :param run_id: names the DAG run and its renders.
        :param points: modes, and where to strike, or None to strike never.
        :param meanwhile: called when the run has begun.
        """
        self._run_id = run_id
        self.lives = [Life(point) for _, point in points]
        renders = []
        for index, (life, (mode, _)) in enumerate(zip(self.lives, points, strict=True)):
            name = self._name(index)
            self.stage.connect(name, self._reaper.rule_of(life))
            renders.append(
                {
                    "renderbus_conn_id": name,
                    "task_json": task_json(name),
                    "deferrable": MODES[mode],
                    "poll_interval": POLL_INTERVAL,
                }
            )
        airflow = self.stage.airflow
        airflow.unpause(_DAG)
        airflow.trigger(_DAG, run_id, {"renders": renders})
        meanwhile()
        airflow.wait_for_run(_DAG, run_id, _LONGEST_RUN)
        instances = {each["map_index"]: each for each in self.instances()}
        books = self.stage.renders()
        return [
            "; ".join(self._told(life, instances[index], books.get(self._name(index), NOT_RENDERED)))
            for index, life in enumerate(self.lives)
        ]

    def _told(self, life: Life, instance: Mapping[str, Any], render: Render) -> Iterator[str]:
        """Yield what came of a render, be it right or wrong."""
        if not life.steps or (life.point and not life.strikes):
            yield "the step was not reached"
        submits = render.orders["submit"]
        told = [f"{submits} submit{'s' * (submits != 1)}"]
        told.append("1 charge" if render.cost == COST else f"{render.cost} charged instead of {COST}")
        result = self.stage.airflow.return_value(instance) if instance["state"] == "success" else None
        right = {
            "number": render.numbers[-1] if render.numbers else None,
            "state": "FINISHED",
            "frames": {"total": FRAMES, "done": FRAMES, "failed": 0, "running": 0, "aborted": 0},
            "cost": str(COST),
        }
        if result is not None and {name: result.get(name) for name in right} == right:
            told.append("right result")
        else:
            told.append(f"result {result}, the Airflow task's state {instance['state']}")
        yield ", ".join(told)
        orders = {order: count for order, count in render.orders.items() if order not in {"create", "submit"}}
        if orders and orders == {"stop": orders.get("start"), "start": orders.get("stop")}:
            yield "stopped and started again"
        elif orders:
            yield f"orders: {orders}"

    def _name(self, index: int) -> str:
        return f"{self._run_id}-{index:03}"

    def instances(self) -> list[dict[str, Any]]:
        """Return the task instances of the last run's renders."""
        path = f"/dags/{_DAG}/dagRuns/{self._run_id}/taskInstances"
        return [
            each for each in self.stage.airflow.get_all(path, "task_instances") if each["task_id"] == _TASK
        ]

    def _life_of(self, instance_id: str) -> Life | None:
        """Return what is known of a task instance; each try has an id of its own."""
        if instance_id not in self._indexes:
            # One that is not expanded yet keeps its id when it gets its index.
            listed = {each["id"]: each["map_index"] for each in self.instances() if each["map_index"] >= 0}
            self._indexes |= listed
        index = self._indexes.get(instance_id)
        return None if index is None else self.lives[index]
