from __future__ import annotations

import pytest

from dev.harness.event_log import Journal, table


def test_a_table_is_aligned():
    rows = [("shot", "frames", "cost"), ("sh010", "24/24", "0.54"), ("sh0200", "8/24", "12.10")]
    assert table(rows).splitlines() == [
        "shot     frames    cost",
        "------   ------   -----",
        "sh010     24/24    0.54",
        "sh0200     8/24   12.10",
    ]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="zip"):
        table([("shot", "frames"), ("sh010",)])


def test_a_line_begins_with_the_time(capsys):
    Journal().event("farm", "http://127.0.0.1:8899")
    assert capsys.readouterr().out == "   0.0 s  farm            http://127.0.0.1:8899\n"
