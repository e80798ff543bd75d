"""What the benchmarks' figures are made of; the measuring itself is no test."""

import json

import pytest

from dev.benchmarks import report
from dev.benchmarks.paired_timing import Pairs, in_pairs
from dev.benchmarks.report import AtLeast, AtMost, Figure


def test_the_sides_take_turns_at_going_first_and_the_first_pair_does_not_count():
    order = []

    def side(name, seconds):
        def run():
            order.append(name)
            return next(seconds)

        return run

    pairs = in_pairs(side("ours", iter([9, 1, 2])), side("beside", iter([9, 4, 6])), rounds=2)
    assert order == ["ours", "beside", "beside", "ours", "ours", "beside"]
    assert pairs == Pairs(ours=(1, 2), beside=(4, 6))


@pytest.mark.parametrize(
    ("goal", "ratio", "met"),
    [(AtLeast(4), 4, True), (AtLeast(5), 4, False), (AtMost(0.25), 0.25, True), (AtMost(0.2), 0.25, False)],
)
def test_the_median_of_the_pairs_is_held_against_the_goal(goal, ratio, met):
    figure = Figure("sign", "the other", goal, Pairs(ours=(1, 1, 1), beside=(4, 2, 40)))
    assert figure.ratio == ratio
    assert figure.met is met


def test_the_table_says_what_was_not_met_and_the_file_holds_every_sample(tmp_path):
    figures = [
        Figure("sign", "the other", AtLeast(4), Pairs(ours=(2e-5,), beside=(1e-4,))),
        Figure("list", "the other", AtMost(2), Pairs(ours=(3.0,), beside=(1.0,))),
    ]
    assert [line.split()[-1] for line in report.table(figures).splitlines()] == ["met", "yes", "NO"]
    path = report.write(tmp_path / "new", "protocol", figures, {"httpx": "0.28"})
    content = json.loads(path.read_text("utf-8"))
    assert content["figures"][1]["seconds_ours"] == [3.0]
    assert content["machine"]["cores"]
    assert content["versions"] == {"httpx": "0.28"}


def test_figures_stand_beside_their_goals(capsys):
    rows = [("ms", 5.0, 5.0, "at most"), ("calls a second", 9.0, None, "")]
    assert report.goals_met(rows)
    assert not report.goals_met([*rows, ("MB", 5.0, 5.0, "below")])
    *_, last = capsys.readouterr().out.splitlines()
    assert last.split() == ["MB", "5.00", "below", "5", "MISSED"]
