"""A little chaos in each run of the tests; `make reliability` runs a thousand renders."""

import os

import pytest

from tests.airflow_version import LINE

if LINE < (3, 3):
    pytest.skip("chaos simulates Airflow 3.3", allow_module_level=True)

from dev.reliability.chaos import chaos

SEEDS = range(1, 9 if os.environ.get("CI") else 3)


@pytest.fixture(scope="module")
def reports(set_up_once):
    return [chaos.run(renders=40, seed=seed) for seed in SEEDS]


def test_chaos_invariants_hold(reports):
    assert [violation for report in reports for violation in report.violations] == []


def test_chaos_faults_of_all_kinds_happen(reports):
    for report in reports:
        assert report.renders == 40
        assert report.tries > 1.5 * report.renders
        assert len(report.fault_counts) >= 7
    assert len(set().union(*(report.fault_counts for report in reports))) == 9


def test_chaos_seed_repeats_a_run(reports):
    assert chaos.run(renders=40, seed=1).digest == reports[0].digest != reports[1].digest
