"""Forecasts from frames and from counters, without a farm."""

from decimal import Decimal

import pytest
from hypothesis import given, settings, strategies as st

from airflow_provider_renderbus.api.models.frames import Frame
from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.api.states import FrameStatus
from airflow_provider_renderbus.renders.forecast import (
    Forecast,
    forecast as forecast_render,
    format_amount,
    format_range,
)

DONE, WAITING, FAILED, STOPPED = (
    FrameStatus.DONE,
    FrameStatus.WAITING,
    FrameStatus.ERROR,
    FrameStatus.ABORTED,
)
MAIN, PRIORITY, MERGED, PRIORITY_MERGED = 5, 4, 7, 6


def leaf(leaf_id=35, status=5, done=0, total=0, cost=None, **fields):
    counters = {"doneFrames": done, "totalFrames": total, "renderConsume": cost}
    return {"id": leaf_id, "taskStatus": status, "sceneName": "/sh010.ma", **counters, **fields}


def layered(*leaves):
    return {"id": 34, "taskStatus": 0, "respRenderingTaskList": list(leaves)}


def frames(*groups):
    """Return frames from groups of number, status and cost, and perhaps more fields."""
    result = []
    for count, status, cost, *fields in groups:
        for _ in range(count):
            number = len(result) + 1
            values = {"name": str(number), "fee_amount": None if cost is None else Decimal(cost)}
            values |= fields[0] if fields else {}
            result.append(Frame(number, values.pop("name"), status, **values))
    return tuple(result)


def forecast(data, *groups):
    return forecast_render(read_task(data), {data["id"]: frames(*groups)} if groups else None)


def figures(forecast):
    return format_amount(forecast.spent), forecast.cost and format_amount(forecast.cost), forecast.frames_left


def test_forecast_adds_the_mean_of_finished_frames_for_each_other():
    expected = forecast(leaf(), (2, DONE, 1), (1, DONE, 4), (7, WAITING, None))
    assert figures(expected) == ("6", "20", 7)
    assert (expected.samples, expected.layers[0].name) == (3, "sh010")
    assert expected.low < expected.cost < expected.high


def test_forecast_from_counters_has_no_range():
    expected = forecast(leaf(done=3, total=10, cost=6))
    assert figures(expected) == ("6", "20", 7)
    assert (expected.low, expected.high) == (6, None)
    assert str(expected) == "20 (from 3 frames)"


@pytest.mark.parametrize(
    "data",
    [
        leaf(),
        leaf(total=10),
        leaf(done=3, total=10),
        leaf(done=10, total=10),
        layered(leaf(36, done=5, total=10, cost=5), leaf(37)),
        layered(leaf(36, done=5, total=10, cost=5), leaf(37, total=10)),
        layered(leaf(36, 25, done=1, total=1, cost=1, taskType="RenderPhoton")),
    ],
    ids=[
        "no frames",
        "none done",
        "none charged",
        "all done, none charged",
        "layer without frames",
        "layer not begun",
        "photon pass",
    ],
)
def test_forecast_without_samples_says_only_what_is_spent(data):
    expected = forecast(data)
    assert (expected.cost, expected.high) == (None, None)
    assert expected.low >= expected.spent
    assert str(expected).startswith(f"at least {format_amount(expected.low)}, from ")


def test_forecast_extrapolates_each_layer_by_itself():
    task = read_task(
        layered(
            leaf(36, 25, done=1, total=1, cost="0.5", taskType="PreRender", layerName="beauty"),
            leaf(37, layerName="beauty", cost=4),
            leaf(38, layerName="ao", cost=1),
        )
    )
    listed = {37: frames((2, DONE, 2), (8, WAITING, None)), 38: frames((2, DONE, "0.5"), (2, WAITING, None))}
    expected = forecast_render(task, listed)
    assert [format_amount(layer.cost) for layer in expected.layers] == ["0.5", "20", "2"]
    assert figures(expected) == ("5.5", "22.5", 10)
    assert expected.to_dict()["layers"][1]["render_task_id"] == 37


@pytest.mark.parametrize("status", [FAILED, FrameStatus.TIMEOUT, STOPPED, FrameStatus.STARTED])
def test_forecast_counts_failed_and_stopped_frames_as_left(status):
    assert figures(forecast(leaf(), (2, DONE, 2), (2, status, None))) == ("4", "8", 2)


@pytest.mark.parametrize("state", [25, 30, 70])
def test_forecast_of_a_finished_render_is_what_it_has_cost(state):
    expected = forecast(leaf(status=state, done=8, total=10, cost=16), (8, DONE, 2), (2, FAILED, None))
    assert figures(expected) == ("16", "16", 0)
    assert expected.low == expected.high == 16
    assert str(expected) == "16 (16 to 16, all frames done)"


def test_forecast_takes_frames_that_were_rendered_once_for_samples():
    """The cost of the other is that of three attempts."""
    rendered_again = (1, DONE, 9, {"recommits": 2})
    assert figures(forecast(leaf(), (2, DONE, 2), rendered_again, (3, WAITING, None))) == ("13", "19", 3)
    assert figures(forecast(leaf(), rendered_again, (3, WAITING, None))) == ("9", "18", 3)


def test_forecast_keeps_the_cost_of_frames_that_are_rendered_again():
    expected = forecast(leaf(), (2, DONE, 2), (1, WAITING, 2, {"recommits": 1}))
    assert figures(expected) == ("6", "8", 1)


def test_forecast_charges_finished_frames_without_cost_later():
    expected = forecast(leaf(cost=4), (2, DONE, 2), (2, DONE, None), (1, DONE, 0), (5, WAITING, None))
    assert figures(expected) == ("4", "20", 8)


def test_forecast_of_frames_without_any_cost_falls_back_to_the_counters():
    expected = forecast(leaf(done=2, total=10, cost=4), (2, DONE, None), (8, WAITING, None))
    assert figures(expected) == ("4", "20", 8)


@pytest.mark.parametrize("refunded", ["-1", "-0.0001"])
def test_forecast_of_negative_costs_is_never_below_what_is_spent(refunded):
    assert figures(forecast(leaf(), (1, DONE, refunded), (3, WAITING, None)))[:2] == ("0", None)
    assert figures(forecast(leaf(done=1, total=4, cost=refunded))) == ("0", None, 3)
    assert figures(forecast(leaf(), (1, DONE, refunded), (1, DONE, 5), (3, WAITING, None)))[2] == 4


def test_forecast_of_absurd_figures_raises_nothing():
    counters = forecast(leaf(done=1, total=10**15, cost="9" * 20))
    assert str(counters) == f"{'9' * 20}{'0' * 15} (from 1 frame)"
    jobs = (1, DONE, "9" * 20), (3, WAITING, None, {"name": f"1-{10**15}[1]"})
    assert forecast(leaf(), *jobs).exceeds(Decimal(10) ** 12)


def test_forecast_weighs_jobs_by_their_frames():
    """The farm renders test frames one by one, and the others three to a machine."""
    test_frames = (2, DONE, 2, {"frame_type": PRIORITY})
    others = [(1, WAITING, None, {"name": f"{n}-{n + 2}[1]", "frame_type": MAIN}) for n in (1, 4, 7)]
    assert figures(forecast(leaf(), test_frames, *others)) == ("4", "22", 3)


def test_forecast_extrapolates_tiles_and_merges_apart():
    groups = [
        (2, DONE, 5, {"name": "1-1", "frame_type": PRIORITY}),
        (1, DONE, 1, {"name": "1", "frame_type": PRIORITY_MERGED}),
        (6, WAITING, None, {"name": "2-1", "frame_type": MAIN}),
        (3, WAITING, None, {"name": "2", "frame_type": MERGED}),
    ]
    assert figures(forecast(leaf(), *groups)) == ("11", "44", 9)
    # Without a sample of their own, merges count as tiles.
    assert figures(forecast(leaf(), groups[0], *groups[2:])) == ("10", "55", 9)


def test_forecast_takes_the_larger_figure_for_what_is_spent():
    assert figures(forecast(leaf(cost=0), (2, DONE, 2))) == ("4", "4", 0)
    assert figures(forecast(leaf(cost=5), (2, DONE, 2))) == ("5", "5", 0)


def test_forecast_range_narrows_with_samples_and_is_never_zero_while_frames_are_left():
    widths = []
    for done in (1, 2, 3, 10, 50, 99):
        expected = forecast(leaf(), (done, DONE, 2), (100 - done, WAITING, None))
        assert expected.cost == 200
        assert expected.low >= expected.spent
        widths.append(expected.high - expected.low)
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 200
    assert 0 < widths[-1] < 3


def test_forecast_range_widens_with_the_spread():
    even = forecast(leaf(), (6, DONE, 3), (24, WAITING, None))
    uneven = forecast(leaf(), (3, DONE, 1), (3, DONE, 5), (24, WAITING, None))
    assert even.cost == uneven.cost
    assert uneven.high - uneven.low > even.high - even.low


@pytest.mark.parametrize("is_dearer", [True, False])
def test_forecast_range_reaches_as_far_as_the_trend_of_finished_frames(is_dearer):
    """Frame n costs n, or 41 - n; the mean of the finished half is far from that of the others."""
    groups = [(1, DONE, number if is_dearer else 41 - number) for number in range(1, 21)]
    expected = forecast(leaf(), *groups, (20, WAITING, None))
    assert expected.cost == 2 * expected.spent
    actual = sum(range(1, 41))
    assert expected.low < actual < expected.high
    distances = expected.high - expected.cost, expected.cost - expected.low
    assert distances[0 if is_dearer else 1] > 2 * distances[1 if is_dearer else 0]


def test_forecast_range_of_test_frames_across_the_shot_takes_a_trend_into_account_once():
    test_frames = [(1, DONE, cost, {"name": name}) for name, cost in (("1", 1), ("10", 2), ("19", 3))]
    others = [(1, WAITING, None, {"name": str(number)}) for number in range(2, 19) if number != 10]
    expected = forecast(leaf(), *test_frames, *others)
    assert expected.cost == 38
    assert expected.high - expected.cost == expected.cost - expected.low


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        ("0", "0.00004", "0 to 0"),
        ("0.0123", "0.12349", "0.0123 to 0.123"),
        ("1", "9.996", "1 to 10"),
        ("12.34", "123456.7", "12.3 to 123457"),
    ],
)
def test_format_range_has_three_significant_digits(low, high, text):
    assert format_range(Decimal(low), Decimal(high)) == text


@pytest.mark.parametrize(("max_cost", "is_exceeded"), [("7.99", True), ("8", False)])
def test_exceeds_compares_the_forecast_or_what_is_spent(max_cost, is_exceeded):
    known = forecast(leaf(), (2, DONE, 2), (2, WAITING, None))
    unknown = forecast(leaf(done=0, total=10, cost=8))
    assert known.exceeds(Decimal(max_cost)) is unknown.exceeds(Decimal(max_cost)) is is_exceeded


def test_forecast_without_layers_is_unknown():
    assert Forecast().to_dict() == {
        "cost": None,
        "low": "0",
        "high": None,
        "spent": "0",
        "samples": 0,
        "frames_left": 0,
        "layers": [],
    }


def test_to_dict_has_amounts_as_text():
    result = forecast(leaf(), (2, DONE, "0.1"), (1, DONE, "0.15"), (7, WAITING, None)).to_dict()
    assert (result["cost"], result["spent"]) == ("1.1667", "0.35")
    assert Decimal(result["low"]) < Decimal("1.1667") < Decimal(result["high"])


costs = st.one_of(st.none(), st.decimals(-(10**6), 10**6, places=4))
any_frame = st.builds(
    Frame,
    st.integers(1, 9),
    st.sampled_from(["1", "7-9[1]", "0-1", "x", "1-999999999[1]", ""]),
    st.sampled_from([status.value for status in FrameStatus]),
    frame_type=st.one_of(st.none(), st.integers(-1, 12)),
    fee_amount=costs,
    coupon_fee=costs,
    recommits=st.integers(0, 10**9),
)


@given(
    st.lists(any_frame, max_size=20),
    st.sampled_from([0, 5, 10, 25, 30, 40, 45, 77]),
    st.integers(0, 30),
    st.integers(0, 30),
    costs,
)
@settings(deadline=None, max_examples=200)
def test_forecast_of_any_frames_is_in_order(listed, status, done, total, cost):
    data = leaf(status=status, done=done, total=total, cost=cost and str(cost))
    expected = forecast_render(read_task(data), {35: listed})
    assert 0 <= expected.spent <= expected.low
    assert expected.cost is None or expected.low <= expected.cost
    assert expected.high is None or expected.cost <= expected.high
    assert forecast_render(read_task(data), {35: listed[::-1]}).to_dict() == expected.to_dict()
    assert "E" not in str(expected)
