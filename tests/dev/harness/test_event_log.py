from __future__ import annotations

import pytest

from dev.harness.event_log import EventLog, format_table


def test_format_table_rows_are_aligned():
    rows = [("shot", "frames", "cost"), ("sh010", "24/24", "0.54"), ("sh0200", "8/24", "12.10")]
    assert format_table(rows).splitlines() == [
        "shot     frames    cost",
        "------   ------   -----",
        "sh010     24/24    0.54",
        "sh0200     8/24   12.10",
    ]


def test_format_table_row_of_another_length_raises():
    with pytest.raises(ValueError, match="zip"):
        format_table([("shot", "frames"), ("sh010",)])


def test_event_log_line_begins_with_the_seconds(capsys):
    EventLog().event("farm", "http://127.0.0.1:8899")
    assert capsys.readouterr().out == "   0.0 s  farm            http://127.0.0.1:8899\n"
