"""Writes docs/assumptions.md from the table of the command ``renderbus-check``, and its example report.

`python -m dev.assumptions` writes the page, and with ``--report`` the report of a run on the embedded farm. A
test checks that the page is as this module would write it.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.farm import ManualClock
from airflow_provider_renderbus.live_check.assumption import SOURCES, Assumption
from airflow_provider_renderbus.live_check.command import FREE, KEY_VARIABLE, PAID, main
from dev.harness.embedded_farm import StockedFarm

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "assumptions.md"
REPORT = DOCS / "assumptions-report.json"
_INTRODUCTION = """# Assumptions about the live farm

This page lists what the project assumes about the live farm, which nobody of the project could reach yet:
where each assumption is from, and how the command `renderbus-check` checks it. The embedded farm is built
on the same assumptions. The page is made from the table of that command (`python -m dev.assumptions`).

## Check them in two minutes

With an account, before the first render, and without paying:

```
renderbus-check --conn-id renderbus_default --report report.json
```

or, without Airflow, with the key from the environment variable RENDERBUS_ACCESS_KEY or from a prompt:

```
renderbus-check --host task.foxrenderfarm.com --access-id ACCESS_ID --report report.json
```

It prints a table of assumption, source, what was seen, and verdict, and exits with 0 only if all hold.
`--transfer-command` names the vendor's command if the connection does not. `renderbus-check` creates a few
renders, never submits them, and deletes them at its end, also if it is interrupted. Below, a *number* is the
id of such a render.

```
renderbus-check --conn-id renderbus_default --report report.json --render shot.blend --max-cost 1
```

also renders frame 1 of a scene, after a question, and stops it at that cost: its states, its frame list,
its log, its thumbnail, its download, and its cost beside the funds. For software whose scenes need more
than a frame to be described, give it a task.json, whose `input_cg_file` is a scene on this machine.

**Please attach the report to an
[issue](https://github.com/airflow-provider-renderbus/airflow-provider-renderbus/issues/new/choose)**, above
all if something fails. It has no key, number, name, mail address or phone number: [the report of a run on
the embedded farm](assumptions-report.json) shows what is in it.

## Sources

"""
_FREE = """
## Without cost

"""
_PAID = """
## With one frame, `--render`

"""


def render_page() -> str:
    """Return the page."""
    parts = [_INTRODUCTION, "| source | what it is |\n| --- | --- |\n"]
    parts += [f"| {name} | {meaning} |\n" for name, meaning in SOURCES.items()]
    parts += [_FREE, *_table(FREE), _PAID, *_table(PAID)]
    return "".join(parts)


def _table(assumptions: tuple[Assumption, ...]) -> Iterator[str]:
    yield "| key | assumption | sources | live | settled by |\n| --- | --- | --- | --- | --- |\n"
    for each in assumptions:
        sources = ", ".join(each.sources)
        yield f"| `{each.key}` | {each.claim} | {sources} | never | it {each.settled_by} |\n"


def write_report(file: Path) -> int:
    """Write the report of a run on the embedded farm, and return the exit code of the command.

    :param file: where it is written.
    """
    with tempfile.TemporaryDirectory() as folder, StockedFarm(Path(folder, "farm"), ManualClock()) as farm:
        connection = farm.connection()
        command = Path(sys.executable).with_name("renderbus-farm-transmitter")
        scene = Path(folder, "shot.blend")
        scene.write_text("a scene")
        arguments = ["--host", f"{connection['host']}:{connection['port']}", "--protocol", "http"]
        arguments += ["--access-id", connection["login"], "--transfer-command", str(command)]
        arguments += ["--render", str(scene), "--max-cost", "20", "--report", str(file)]
        os.environ[KEY_VARIABLE] = connection["password"]
        with contextlib.redirect_stdout(io.StringIO()):
            return main(arguments, clock=Clock(sleep=farm.advance), ask=lambda _: "yes")


if __name__ == "__main__":
    PAGE.write_text(render_page(), "utf-8")
    if "--report" in sys.argv:
        sys.exit(write_report(REPORT))
