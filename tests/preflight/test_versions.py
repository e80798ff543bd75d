"""Versions beside those of a list: which one they are, and which are the nearest."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from airflow_provider_renderbus.preflight.versions import match_version, nearest_versions


@pytest.mark.parametrize(
    ("version", "listed", "names", "expected"),
    [
        ("4.2", ["4.1", "4.2"], (), (True, ("4.2",))),
        ("r21", ["R21"], (), (False, ("R21",))),
        ("21", ["R20", "R21"], (), (False, ("R21",))),
        ("Maya 2024", ["2022", "2024"], ("Maya",), (False, ("2024",))),
        ("2024", ["Maya 2024"], ("Maya",), (False, ("Maya 2024",))),
        ("3ds Max 2020", ["2020"], ("3ds Max",), (False, ("2020",))),
        ("5.00.05", ["standalone_vray5.00.05"], (), (False, ("standalone_vray5.00.05",))),
        ("5.0.5", ["standalone_vray5.00.05"], (), (False, ("standalone_vray5.00.05",))),
        ("4.2.0", ["4.2"], (), (False, ("4.2",))),
        ("4.2", ["4.2.0", "4.2.3"], (), (False, ("4.2.0",))),
        ("4.2.3", ["4", "4.2"], (), (False, ("4.2",))),
        ("18.0", ["18.0.597", "18.5.499"], (), (False, ("18.0.597",))),
        ("20.0", ["20.0.547", "20.0.724"], (), (False, ("20.0.547", "20.0.724"))),
        ("3.6sp8", ["3.6 SP8", "3.6 SP9"], (), (False, ("3.6 SP8",))),
        ("12.1", ["12.1v5", "12.2v11"], (), (False, ("12.1v5",))),
        ("2024", ["2024(稳定版)", "2022(稳定版)"], (), (False, ("2024(稳定版)",))),
        ("202", ["2024(稳定版)", "1.202.3 [x]"], (), (False, ())),
        ("13.2v8", ["13.2v9"], (), (False, ())),
        ("4.20", ["4.2"], (), (False, ())),
        ("4.0", ["4.1", "4.2"], (), (False, ())),
        ("4.5", ["4.0"], (), (False, ())),
        ("2.8", ["2.80", "2.81"], (), (False, ())),
        ("2022.0.1", ["2021", "2022"], (), (False, ("2022",))),
        ("19.5.435-py3", ["19.5.435", "20.0.547"], (), (False, ("19.5.435",))),
        ("19.5.435", ["19.5.435-py3", "20.0.547-py3"], (), (False, ("19.5.435-py3",))),
        ("19.5.435 py3.9", ["19.5.435 - Py3.7", "19.5.435 - Py3.9"], (), (False, ("19.5.435 - Py3.9",))),
        ("19.5.435-py2", ["19.5.435-py3"], (), (False, ())),
        ("5.3.4.1+b77", ["5.3.4", "5.3.4.1"], ("mtoa",), (False, ("5.3.4.1",))),
        ("5.3.4.1 (rev 2)", ["5.3.4.1"], (), (False, ("5.3.4.1",))),
        ("6.20.00.adv", ["6.20.00"], (), (False, ("6.20.00",))),
        ("2024 Update 1", ["2024", "2025"], (), (False, ("2024",))),
        ("5.4.4-35576357+++UE5+Release-5.4", ["5.4", "5.4.4"], (), (False, ("5.4.4",))),
        ("UE5.4", ["5.3", "5.4"], ("UE", "UE5"), (False, ("5.4",))),
        ("mtoa2 5.3", ["5.3"], ("mtoa2",), (False, ("5.3",))),
        ("5.4.5 (rev 2)", ["mtoa 5.4.5 (rev 2)", "mtoa 5.4.5"], ("mtoa",), (False, ("mtoa 5.4.5 (rev 2)",))),
        ("Maya-latest", ["latest"], ("Maya",), (False, ("latest",))),
        ("3.5.O1", ["3.5.01"], (), (False, ())),
        ("4.2.", ["4.2"], (), (False, ())),
        ("2024\u200b", ["2024"], (), (False, ())),
        ("\uff12\uff10\uff12\uff14", ["2024"], (), (False, ())),
        ("20-0-547", ["20.0.547"], (), (False, ())),
        ("4,2", ["4.2"], (), (False, ())),
        ("latest", ["4.2"], (), (False, ())),
        ("", ["4.2"], (), (False, ())),
        ("4.2", [], (), (False, ())),
    ],
)
def test_match_version_finds_the_version_of_the_list(version, listed, names, expected):
    assert tuple(match_version(version, listed, names)) == expected


@pytest.mark.parametrize(
    ("version", "listed", "nearest"),
    [
        ("4.20", ["2.78", "4.1", "4.2", "4.5"], "4.2"),
        ("20.0.548", ["19.5.640", "20.0.547", "20.0.724"], "20.0.547"),
        ("2027", ["2016", "2025", "2026"], "2026"),
        ("202", ["2016", "2020", "2026"], "2020"),
        ("7", ["6", "10", "11"], "6"),
        ("\uff12\uff10\uff12\uff14", ["2016", "2024"], "2024"),
    ],
)
def test_nearest_versions_begins_with_the_nearest(version, listed, nearest):
    assert nearest_versions(version, listed)[0] == nearest


@given(st.text(), st.lists(st.text(), max_size=5))
def test_match_version_of_any_text_is_of_the_list(version, listed):
    assert set(match_version(version, listed, listed).versions) <= set(listed)
    assert set(nearest_versions(version, listed)) == set(listed)
