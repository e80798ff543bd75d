"""Figures are compared with their goals; the measurement itself is no test."""

import pytest

from dev.benchmarks.figure import Figure, Pairs, measure_pairs


def test_measure_pairs_alternates_the_order_and_drops_the_first_pair():
    order = []

    def side(name, seconds):
        def run():
            order.append(name)
            return next(seconds)

        return run

    pairs = measure_pairs(side("ours", iter([9, 1, 2])), side("baseline", iter([9, 4, 6])), rounds=2)
    assert order == ["ours", "baseline", "baseline", "ours", "ours", "baseline"]
    assert pairs == Pairs(ours=(1, 2), baseline=(4, 6))


def test_pairs_ratios_are_medians_of_the_pairs():
    pairs = Pairs(ours=(1, 1, 1), baseline=(4, 2, 40))
    assert pairs.speedup() == 4
    assert pairs.time_ratio() == 0.25


@pytest.mark.parametrize(
    ("goal", "bound", "value", "is_met"),
    [
        (4, "at least", 4, True),
        (5, "at least", 4, False),
        (0.25, "at most", 0.25, True),
        (0.2, "at most", 0.25, False),
        (5, "below", 5, False),
        (5, "above", 5, False),
        (None, "at most", 9, True),
    ],
)
def test_figure_goal_is_met_on_the_good_side_of_its_bound(goal, bound, value, is_met):
    assert Figure("ms", value, goal, bound).is_met is is_met


def test_figure_goal_missed_is_said_beside_it():
    assert str(Figure("MB", 5.0, 5.0, "below", "once")).split() == [
        "MB",
        "5.00",
        "below",
        "5",
        "MISSED",
        "once",
    ]
    assert str(Figure("calls a second", 9.0)).split() == ["calls", "a", "second", "9.00"]
