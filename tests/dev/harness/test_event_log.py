from __future__ import annotations

from dev.harness.event_log import EventLog


def test_event_log_line_begins_with_the_seconds(capsys):
    EventLog().event("farm", "http://127.0.0.1:8899")
    assert capsys.readouterr().out == "   0.0 s  farm            http://127.0.0.1:8899\n"
