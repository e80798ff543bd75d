"""The experiment on forecasts, with few renders."""

from dev.benchmarks.forecast import KINDS, measure, render_night, rows


def test_render_night_forecasts_each_render_and_renders_it_to_its_end():
    shots = render_night(8)
    assert sorted({shot.kind for shot in shots}) == sorted(KINDS)
    assert len(shots) == 8
    for shot in shots:
        assert shot.cost > 0
        assert {0.0, 0.1, 0.5} <= shot.forecasts.keys() == shot.logged.keys()
    assert [share for name, _, share in rows(shots) if name.startswith("all")] == [
        0,
        0.1,
        0.25,
        0.5,
        0.75,
        0.9,
    ]


def test_measure_has_the_same_figures_each_time():
    first, second = ([str(figure) for figure in measure(8)] for _ in range(2))
    assert first == second
