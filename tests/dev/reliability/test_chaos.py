"""A little chaos in each run of the tests; `make reliability` lets a thousand renders go through it."""

import pytest

from tests.airflow_version import LINE

if LINE < (3, 3):
    pytest.skip("chaos plays Airflow 3.3", allow_module_level=True)

from dev.reliability.chaos import chaos


@pytest.fixture(scope="module")
def found(set_up_once):
    return [chaos.run(renders=40, seed=seed) for seed in (1, 2, 3)]


def test_nothing_is_paid_twice_runs_unseen_or_is_reported_wrong(found):
    assert [wrong for each in found for wrong in each.wrong] == []


def test_there_is_chaos(found):
    for each in found:
        assert each.renders == 40
        assert each.tries > 1.5 * each.renders
        assert len(each.blows) == 6


def test_a_seed_repeats_a_run(found):
    assert chaos.run(renders=40, seed=1).digest == found[0].digest != found[1].digest
