"""The scenario file: every key is read, and what is wrong in it is told."""

from __future__ import annotations

import json

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.pictures.task_json import parse_task_json
from airflow_provider_renderbus.farm.simulation.chunks import main_chunks
from airflow_provider_renderbus.farm.simulation.scenario import Scenario, open_scenario, read_scenario
from tests.farm.raw_client import job, maya_job


def test_an_empty_scenario_is_the_usual_one():
    assert read_scenario({}) == Scenario()


def test_the_first_render_that_fits_counts():
    scenario = read_scenario(
        {
            "renders": [
                {"scene": "shot.ma", "layer": "sha*", "crashes": 1},
                {"scene": "shot", "crashes": 2},
                {"crashes": 3},
            ]
        }
    )
    beauty, shadow = parse_task_json(maya_job())
    (other,) = parse_task_json(job())
    assert [scenario.behavior_for(one).crashes for one in (shadow, beauty, other)] == [1, 2, 3]


def test_seeds_change_times_and_failures():
    (one,) = parse_task_json(job(frames="1-200[1]"))
    lives = []
    for seed in (0, 0, 5):
        scenario = read_scenario({"seed": seed, "renders": [{"failure_rate": 0.25}]})
        pieces = main_chunks(one)
        lives.append([(scenario.seconds(one, piece), scenario.fails(one, piece, 0)) for piece in pieces])
    assert lives[0] == lives[1] != lives[2]
    assert 25 < sum(fails for _, fails in lives[0]) < 75


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        ([], r"scenario: must be a JSON object, got \[\]"),
        ({"sed": 1}, "scenario: keys must be among account, faults, .*, got 'sed'"),
        ({"seed": -1}, r"scenario\.seed: must be an integer from 0 to \d+, got -1"),
        ({"queue_seconds": 10**14}, "queue_seconds: must be an integer from 0 to 1000000000, got"),
        ({"frame_seconds": [9, 10**14]}, "frame_seconds: must be two integers"),
        ({"frame_seconds": [9, 1]}, "frame_seconds: must be two integers"),
        ({"pictures": 1}, "pictures: must be true or false, got 1"),
        (
            {"account": {"price": 0.67}},
            "account.price: must be an amount from 0 as a string .*, got 0.67",
        ),
        ({"account": {"price": "1e20"}}, "account.price"),
        ({"renders": {}}, "renders: must be a list, got {}"),
        ({"renders": [{}, {"cost": "x"}]}, r"renders\[1\]\.cost: must be an amount .*, got 'x'"),
        (
            {"renders": [{"fail_frames": "a-b"}]},
            r"renders\[0\].fail_frames: must be frames such as .*, got 'a-b'",
        ),
        ({"renders": [{"passes": ["x"]}]}, "passes: must be a list of preprocess, photon, got"),
        *(
            ({"renders": [{"reported_as": shown}]}, "reported_as: must be an object of state codes")
            for shown in ({"0": "x"}, {"0": True}, {"x": 0}, {"": 0}, [0])
        ),
        ({"faults": [{}]}, r"faults\[0\].fault: must be one of status, .*, got nothing"),
        ({"findings": {"1": {"type": 2}}}, r"findings\.1\.type: must be an integer from 0 to 1, got 2"),
    ],
)
def test_what_is_wrong_in_a_scenario_is_told(scenario, message):
    with pytest.raises(ValueError, match=message):
        read_scenario(scenario)


def test_only_the_program_can_be_killed_by_a_scenario(tmp_path):
    with pytest.raises(ValueError, match="only the farm as a program"):
        Farm(tmp_path / "farm", ManualClock(), scenario={"faults": [{"fault": "restart"}]})


def test_a_scenario_file_is_told_by_its_path(tmp_path):
    path = tmp_path / "night.json"
    path.write_text(json.dumps({"seed": 3, "machines": 9}))
    assert open_scenario(path) == Scenario(seed=3, machines=9)
    for text in ("{", '{"seed": "x"}', "[" * 100_000):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"night\.json: "):
            Farm(tmp_path / "farm", ManualClock(), scenario=path)
    with pytest.raises(OSError, match=r"none\.json"):
        Farm(tmp_path / "farm", ManualClock(), scenario=tmp_path / "none.json")
