"""Lines on the progress of a render."""

import logging
from decimal import Decimal

import pytest

from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.renders.progress_log import ProgressLog

log = logging.getLogger(__name__)


@pytest.fixture
def lines(caplog):
    """Writes polls of a render, given by state, finished frames and cost, and returns what was logged."""

    def lines(*polls, max_cost=None):
        caplog.set_level("INFO")
        caplog.clear()
        progress = ProgressLog(max_cost and Decimal(max_cost))
        for state, done, cost in polls:
            data = {"id": 35, "taskStatus": state, "doneFrames": done, "totalFrames": 20}
            progress.write(read_task({**data, "renderConsume": cost}), log)
        return [
            f"{record.levelname} {record.getMessage().rpartition(', cost ')[2]}" for record in caplog.records
        ]

    return lines


def test_write_logs_each_tenth_and_each_state_with_its_forecast(lines):
    assert lines((0, 0, None), (5, 0, 0), (5, 1, 1), (5, 2, 3), (5, 3, 4), (25, 20, 18)) == [
        "INFO 0",
        "INFO 0",
        "INFO 3, forecast 30",
        "INFO 18",
    ]


def test_write_warns_once_of_a_forecast_above_max_cost(lines):
    warning = "WARNING Render 35: likely to exceed max_cost 19: forecast 20 (from 2 frames)"
    assert lines((5, 2, 2), (5, 4, 4), (5, 6, 6), max_cost="19") == [
        "INFO 2, forecast 20",
        warning,
        "INFO 4, forecast 20",
        "INFO 6, forecast 20",
    ]
    assert warning not in lines((5, 2, 2), max_cost="20")


def test_write_warns_of_nothing_at_the_pause(lines):
    """The operator decides then, from the frames."""
    assert lines((40, 2, 2), max_cost="19") == ["INFO 2, forecast 20"]
