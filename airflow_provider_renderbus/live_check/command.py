"""The command ``renderbus-check``: arguments, questions, output and exit code."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_renderbus.api.errors import AuthError, InvalidResponse, RenderbusError, TransportError
from airflow_provider_renderbus.api.validation import parse_decimal
from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.clients.settings import Settings
from airflow_provider_renderbus.live_check import report
from airflow_provider_renderbus.live_check.account_checks import ACCOUNT
from airflow_provider_renderbus.live_check.assumption import (
    FAILS,
    HOLDS,
    NOT_CHECKED,
    Assumption,
    NotCheckable,
    Refuted,
    Result,
)
from airflow_provider_renderbus.live_check.render_checks import RENDER
from airflow_provider_renderbus.live_check.sample_render import SampleRender
from airflow_provider_renderbus.live_check.session import Session
from airflow_provider_renderbus.live_check.task_checks import TASK
from airflow_provider_renderbus.transfer.errors import TransferError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from decimal import Decimal

KEY_VARIABLE = "RENDERBUS_ACCESS_KEY"
DEFAULT_HOST = "task.renderbus.com"
FREE: tuple[Assumption, ...] = (*ACCOUNT.assumptions, *TASK.assumptions)
"""The assumptions that are checked without cost, in their order."""
PAID: tuple[Assumption, ...] = tuple(RENDER.assumptions)
"""The assumptions that are checked with ``--render``, after the others."""
EXIT_HOLDS, EXIT_FAILS, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def run_checks(session: Session, assumptions: Sequence[Assumption]) -> Iterator[Result]:
    """Check assumptions in their order. If the farm does not accept the first request, no other is sent.

    :param session: what the checks share.
    """
    is_blocked = False
    for assumption in assumptions:
        if is_blocked:
            yield Result(assumption, "the first request was not accepted", NOT_CHECKED)
            continue
        try:
            seen, verdict = assumption.check(session), HOLDS
        except Refuted as error:
            seen, verdict = str(error), FAILS
        except NotCheckable as error:
            seen, verdict = str(error), NOT_CHECKED
        except (AuthError, TransportError, InvalidResponse) as error:
            # More requests with a wrong key could lock the account, and another server is not the farm.
            is_blocked = assumption is assumptions[0]
            seen, verdict = str(error), FAILS
        except (RenderbusError, TransferError, ValueError, OSError) as error:
            seen, verdict = str(error), FAILS
        except Exception as error:  # noqa: BLE001 - the other checks continue, above all after a paid render
            # What the farm sent has another form than the check reads.
            seen, verdict = f"an answer of another form ({type(error).__name__})", FAILS
        yield Result(assumption, report.hide_private(seen, session.private), verdict)


def main(
    arguments: Sequence[str] | None = None,
    *,
    clock: Clock | None = None,
    ask: Callable[[str], str] = input,
    ask_secretly: Callable[[str], str] = getpass.getpass,
) -> int:
    """Run the command, and return its exit code.

    :param arguments: of the command line.
    :param clock: gives the time, and waits.
    :param ask: asks a question on the terminal.
    :param ask_secretly: asks for a secret.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.render is None) != (options.max_cost is None):
        parser.error("--render and --max-cost: must be given together")
    if options.report is not None and not options.report.absolute().parent.is_dir():
        parser.error(f"--report: must be a file in a folder that exists, got {str(options.report)!r}")
    if options.report is not None and options.report.is_dir():
        parser.error(f"--report: must be a file, got the folder {str(options.report)!r}")
    # The numbers are deleted also if the command is terminated, or its terminal is closed.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit_on_signal)
    try:
        try:
            session = _session(options, clock or Clock(), ask_secretly)
            checks = [*FREE, *(PAID if session.sample and _confirm(session, ask) else ())]
        except EOFError:
            raise ValueError(
                "nothing was sent: a question needs a terminal; the key is read from "
                f"{KEY_VARIABLE} if it is set"
            ) from None
    except ValueError as error:
        print(f"renderbus-check: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print("\nInterrupted: nothing was sent", file=sys.stderr)
        return EXIT_INTERRUPTED
    try:
        return _run(session, checks, options.report)
    except KeyboardInterrupt:
        print("\nInterrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _run(session: Session, checks: Sequence[Assumption], file: Path | None) -> int:
    results: list[Result] = []
    print(report.table_head())
    try:
        for result in run_checks(session, checks):
            results.append(result)
            print(report.table_row(result), flush=True)
    finally:
        try:
            session.clean_up()
        finally:  # a second interrupt ends it early
            left = session.created
            if left:
                print(f"\nCould not delete {', '.join(map(str, left))}: delete it in the web console")
    content = report.report(session, results, is_complete=not left and len(results) == len(checks))
    print(f"\n{report.summary(results)}")
    if file is not None:
        try:
            file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")
        except OSError as error:
            print(f"renderbus-check: --report: cannot be written: {error}", file=sys.stderr)
            return EXIT_FAILS
        print(f"{file} has no key and no personal data; look at it, and attach it to an issue")
    return EXIT_HOLDS if content["holds"] else EXIT_FAILS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="renderbus-check",
        description="Compare what the provider assumes about the live farm with the farm. Without --render "
        "nothing is rendered and nothing is paid. The exit code is 0 if all assumptions hold.",
        epilog=f"Without --conn-id, the key is read from {KEY_VARIABLE}, or asked for.",
    )
    farm = parser.add_mutually_exclusive_group()
    farm.add_argument("--conn-id", help="id of an Airflow connection, e.g. renderbus_default")
    farm.add_argument("--host", default=DEFAULT_HOST, help="the farm's host, with its port (%(default)s)")
    parser.add_argument("--access-id", help="access id of the account, if there is no connection")
    parser.add_argument("--platform", default="2", help="platform, e.g. 2 or GPU (%(default)s)")
    parser.add_argument("--protocol", default="https", choices=("https", "http"), help="(%(default)s)")
    parser.add_argument("--transfer-command", help="path of the vendor's transfer command")
    parser.add_argument("--report", type=Path, help="file for the report, as JSON, for an issue")
    parser.add_argument(
        "--render", type=Path, metavar="FILE", help="a scene or task.json to render a frame of"
    )
    parser.add_argument("--max-cost", metavar="AMOUNT", help="cost at which the frame is stopped")
    return parser


def _session(options: argparse.Namespace, clock: Clock, ask_secretly: Callable[[str], str]) -> Session:
    """Return the session of an Airflow connection, or of an account that is named by arguments.

    :raises ValueError: an argument, the connection or the scene is wrong.
    """
    sample = None
    if options.render is not None:
        max_cost: Decimal = parse_decimal("--max-cost", options.max_cost, above_zero=True)
        sample = SampleRender.load(options.render, max_cost)
    if options.conn_id:
        return replace(
            _session_of_connection(options.conn_id, options.transfer_command, clock), sample=sample
        )
    if not options.access_id:
        raise ValueError("--access-id: must be given, or --conn-id")
    key = os.environ.get(KEY_VARIABLE) or ask_secretly("Access key: ")
    settings = Settings(
        domain=options.host,
        access_id=options.access_id,
        access_key=key.strip(),
        platform=options.platform,
        protocol=options.protocol,
        display_names={"domain": "--host", "access_id": "--access-id", "access_key": "the key"},
    )
    return Session(settings, options.transfer_command, sample, clock=clock)


def _session_of_connection(conn_id: str, transfer_command: str | None, clock: Clock) -> Session:
    """Return the session of an Airflow connection.

    :raises ValueError: there is no such connection, or it cannot be used.
    """
    # Airflow 3 looks up connections in its database for its own servers only, unless a task asks.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    from airflow_provider_renderbus.hooks.connection import parse_extra, uses_main_account_storage
    from airflow_provider_renderbus.hooks.renderbus import RenderbusHook

    hook = RenderbusHook(conn_id)
    try:
        connection = hook.get_connection(conn_id)
        return Session(
            hook.settings,
            transfer_command or hook.transfer_command,
            main_account_storage=uses_main_account_storage(parse_extra(connection)),
            clock=clock,
        )
    except ValueError:
        raise
    except Exception as error:  # noqa: BLE001 - each line of Airflow has its own
        raise ValueError(f"--conn-id: {conn_id!r} cannot be loaded: {error}") from None


def _confirm(session: Session, ask: Callable[[str], str]) -> bool:
    """Ask whether a frame may be rendered.

    :raises ValueError: it may not.
    """
    sample = session.sample
    answer = ask(
        f"This uploads {sample}, renders frame 1 of it on platform {session.settings.platform} of "
        f"{session.settings.domain}, and stops it at a cost of {sample.max_cost if sample else 0}. "
        "The frame is paid. Type yes to render it: "
    )
    if answer.strip().lower() != "yes":
        raise ValueError("nothing was sent: without yes, leave --render out")
    return True


def _exit_on_signal(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
