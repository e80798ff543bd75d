"""The scenario: its keys are read, and its errors name the key."""

from __future__ import annotations

import json

import pytest

from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.farm.pictures.task_json import parse_task_json
from airflow_provider_renderbus.farm.simulation.chunks import main_chunks
from airflow_provider_renderbus.farm.simulation.scenario import Scenario, open_scenario, read_scenario
from tests.farm.raw_client import job, maya_job


def test_read_scenario_empty_returns_defaults():
    assert read_scenario({}) == Scenario()


def test_read_scenario_software_adds_versions_and_plugins():
    given = {"Blender": {"versions": ["5.0"], "plugins": {"botaniq": ["7.0"], "new": ["1"]}}}
    blender = read_scenario({"software": given}).software[2007]
    assert {"4.2", "5.0"} <= set(blender.versions)
    assert (blender.plugins["botaniq"], blender.plugins["new"]) == (("6.8", "7.0"), ("1",))


def test_behavior_for_returns_first_match():
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
    assert [scenario.behavior_for(each).crashes for each in (shadow, beauty, other)] == [1, 2, 3]


def test_seed_changes_times_and_failures():
    (parsed,) = parse_task_json(job(frames="1-200[1]"))
    results = []
    for seed in (0, 0, 5):
        scenario = read_scenario({"seed": seed, "renders": [{"failure_rate": 0.25}]})
        chunks = main_chunks(parsed)
        results.append(
            [(scenario.seconds(parsed, chunk), scenario.fails(parsed, chunk, 0)) for chunk in chunks]
        )
    assert results[0] == results[1] != results[2]
    assert 25 < sum(fails for _, fails in results[0]) < 75


def test_growth_makes_the_last_frame_take_that_many_times_as_long():
    (parsed,) = parse_task_json(job(frames="11-15[1]"))
    scenario = read_scenario({"renders": [{"seconds": [100, 100], "growth": 3}]})
    assert [scenario.seconds(parsed, chunk) for chunk in main_chunks(parsed)] == [100, 150, 200, 250, 300]
    (single,) = parse_task_json(job(frames="7"))
    assert [scenario.seconds(single, chunk) for chunk in main_chunks(single)] == [100]


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
        ({"software": {"Blendr": {}}}, "software: keys must be among Maya, 3ds Max, .*, got 'Blendr'"),
        (
            {"software": {"Blender": {"versions": "5.0"}}},
            r"software\.Blender\.versions: must be a list of strings, got '5.0'",
        ),
        (
            {"software": {"Maya": {"plugins": {"mtoa": "5.6"}}}},
            r"software\.Maya\.plugins: must be an object of names to versions .*, got",
        ),
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
            ({"renders": [{"reported_as": states}]}, "reported_as: must be an object of state codes")
            for states in ({"0": "x"}, {"0": True}, {"x": 0}, {"": 0}, [0])
        ),
        ({"faults": [{}]}, r"faults\[0\].fault: must be one of status, .*, got nothing"),
        ({"findings": {"1": {"type": 2}}}, r"findings\.1\.type: must be an integer from 0 to 1, got 2"),
    ],
)
def test_read_scenario_invalid_value_raises(scenario, message):
    with pytest.raises(ValueError, match=message):
        read_scenario(scenario)


def test_fault_restart_without_program_raises(tmp_path):
    with pytest.raises(ValueError, match="only the farm as a program"):
        Farm(tmp_path / "farm", ManualClock(), scenario={"faults": [{"fault": "restart"}]})


def test_open_scenario_error_names_path(tmp_path):
    path = tmp_path / "night.json"
    path.write_text(json.dumps({"seed": 3, "machines": 9}))
    assert open_scenario(path) == Scenario(seed=3, machines=9)
    for text in ("{", '{"seed": "x"}', "[" * 100_000):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"night\.json: "):
            Farm(tmp_path / "farm", ManualClock(), scenario=path)
    with pytest.raises(OSError, match=r"none\.json"):
        Farm(tmp_path / "farm", ManualClock(), scenario=tmp_path / "none.json")
