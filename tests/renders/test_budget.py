"""A budget that is allotted to shots."""

from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given, settings, strategies as st

from airflow_provider_renderbus.renders import allot


def forecast(cost, spent=1, high=None):
    return {"cost": cost, "spent": spent, "high": high, "low": spent, "samples": 3}


FIVE = {"sh010": forecast(10), "sh020": forecast(40), "sh030": forecast(20), "sh040": forecast(5)}
FIVE["sh050"] = forecast(30)


@pytest.mark.parametrize(
    ("budget", "priorities", "granted"),
    [
        (105, {}, "sh040 sh010 sh030 sh050 sh020"),
        (104, {}, "sh040 sh010 sh030 sh050"),
        (37, {}, "sh040 sh010 sh030"),
        (36, {}, "sh040 sh010"),
        (8, {}, ""),
        (5, {}, ""),
        (0, {}, ""),
        (44, {"sh020": 2}, "sh020"),
        (48, {"sh020": 2}, "sh020 sh040"),
        (43, {"sh020": 2, "sh050": 1}, "sh050 sh040"),
        (44, {"sh040": -1}, "sh010 sh030 sh040"),
        (37, {"sh040": -0.5, "sh010": 0}, "sh010 sh030 sh040"),
    ],
)
def test_allot_grants_forecasts_by_priority_and_the_cheapest_first(budget, priorities, granted):
    limits = allot(FIVE, budget, priorities)
    assert [name for name, limit in limits.items() if limit] == granted.split()
    assert limits.keys() == FIVE.keys()


def test_allot_raises_limits_by_what_is_left_up_to_the_highest_cost():
    forecasts = {"sh010": forecast(10, 1, 15), "sh020": forecast(20, 2, 40), "sh030": forecast(9)}
    assert allot(forecasts, 39) == {"sh010": "10", "sh020": "20", "sh030": "9"}
    assert allot(forecasts, 41) == {"sh010": "12", "sh020": "20", "sh030": "9"}
    assert allot(forecasts, 41, {"sh020": 1}) == {"sh020": "22", "sh010": "10", "sh030": "9"}
    assert allot(forecasts, 1000) == {"sh010": "15", "sh020": "40", "sh030": "9"}


def test_allot_pays_the_test_frames_of_shots_that_do_not_fit():
    forecasts = {"sh010": forecast(10, 1, 99), "sh020": forecast(500, 4)}
    assert allot(forecasts, 20) == {"sh010": "16", "sh020": None}


@pytest.mark.parametrize("unknown", [None, forecast(None), {"spent": "0"}, forecast("0", "0", "0")])
def test_allot_unknown_forecast_gets_nothing(unknown):
    assert allot({"sh010": unknown, "sh020": forecast(5)}, 10) == {"sh010": None, "sh020": "5"}


def test_allot_of_no_shots_is_empty():
    assert allot({}, 10) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([FIVE["sh010"]], 10), "forecasts: must be a mapping by the names of shots, got"),
        ((None, 10), "forecasts: must be a mapping by the names of shots, got None"),
        (({7: forecast(1)}, 10), "forecasts: must be a string, got 7"),
        (({"": forecast(1)}, 10), "forecasts: must have names of shots as keys, got ''"),
        (({"a": "12"}, 10), r"forecasts\['a'\]: must be the forecast in the result of a render, or None"),
        (({"a": {"cost": "1"}}, 10), r"forecasts\['a'\]: must be the forecast"),
        (({"a": forecast("NaN")}, 10), r"forecasts\['a'\].cost: must be a finite number, got 'NaN'"),
        (({"a": forecast(-1)}, 10), r"forecasts\['a'\].cost: must be at least 0, got -1"),
        (({"a": forecast(True)}, 10), r"forecasts\['a'\].cost: must be a finite number, got True"),
        (({"a": forecast(2, 3)}, 10), r"forecasts\['a'\].cost: must be at least spent \(3.0000\), got 2"),
        (({"a": forecast(2, 1, 1)}, 10), r"forecasts\['a'\].high: must be at least cost \(2.0000\), got 1"),
        (({"a": forecast(2, [])}, 10), r"forecasts\['a'\].spent: must be a finite number, got \[\]"),
        ((FIVE, "ten"), "budget: must be a finite number, got 'ten'"),
        ((FIVE, None), "budget: must be a finite number, got None"),
        ((FIVE, -1), "budget: must be at least 0, got -1"),
        ((FIVE, float("inf")), "budget: must be a finite number, got inf"),
        ((FIVE, 10, {"sh01": 1}), r"priorities: must be of shots in forecasts, got \['sh01'\]"),
        ((FIVE, 10, ["sh010"]), "priorities: must be a mapping"),
        ((FIVE, 10, {"sh010": "high"}), r"priorities\['sh010'\]: must be a number, got 'high'"),
        ((FIVE, 10, {"sh010": float("nan")}), r"priorities\['sh010'\]: must be a number, got nan"),
        ((FIVE, 10, {"sh010": 10**5000}), r"priorities\['sh010'\]: must be a number, got an integer of"),
        ((FIVE, 10, {"sh010": True}), r"priorities\['sh010'\]: must be a number, got True"),
        ((FIVE, 10, {"sh010": None}), r"priorities\['sh010'\]: must be a number, got None"),
    ],
)
def test_allot_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        allot(*arguments)


amounts = st.decimals(0, 10**9, places=7) | st.floats(0.001, 1e9).map(repr)
any_forecast = st.none() | st.tuples(amounts, amounts, amounts, st.booleans()).map(
    lambda values: (
        dict(zip(("spent", "cost", "high"), map(str, sorted(map(Decimal, values[:3]))), strict=True))
        | ({"high": None} if values[3] else {})
    )
)
nights = st.dictionaries(st.text(min_size=1, max_size=2), any_forecast, max_size=6)


@given(nights, amounts, st.data())
@settings(deadline=None, max_examples=300)
def test_allot_never_exceeds_budget_and_holds_priorities(forecasts, budget, data):
    values = st.integers(-2, 2)
    priorities = {name: data.draw(values) for name in forecasts if data.draw(st.booleans())}
    limits = allot(forecasts, budget, priorities)
    assert limits.keys() == forecasts.keys()

    def amount(name, key):
        return Decimal((forecasts[name] or {}).get(key) or 0)

    granted = {name: Decimal(limit) for name, limit in limits.items() if limit}
    refused = limits.keys() - granted.keys()
    if granted:
        assert sum(granted.values()) + sum(amount(name, "spent") for name in refused) <= Decimal(budget)
    for name, limit in granted.items():
        assert (
            amount(name, "cost")
            <= limit
            <= max(amount(name, "cost"), amount(name, "high")) + Decimal("0.0001")
        )
    # A shot that was refused would not have fitted beside those of its own and of higher priority.
    for name in refused:
        if not amount(name, "cost"):
            continue
        priority = priorities.get(name, 0)
        before = [each for each in granted if priorities.get(each, 0) >= priority]
        needed = amount(name, "cost") + sum(amount(each, "cost") for each in before)
        needed += sum(amount(each, "spent") for each in forecasts.keys() - {name, *before})
        assert needed + Decimal("0.0001") * 2 * len(forecasts) > Decimal(budget)


@given(nights, amounts)
@settings(deadline=None, max_examples=50)
def test_allot_order_of_shots_does_not_matter(forecasts, budget):
    limits = allot(forecasts, budget)
    for order in list(permutations(forecasts))[:24]:
        assert list(allot({name: forecasts[name] for name in order}, budget).items()) == list(limits.items())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spent", "cost", "high", "sh010", ""]) | st.integers(), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(anything, anything, anything)
@settings(deadline=None, max_examples=300)
def test_allot_of_anything_raises_no_other_error(forecasts, budget, priorities):
    try:
        limits = allot(forecasts, budget, priorities)
    except ValueError as error:
        assert ": must be " in str(error) or ": must have " in str(error)  # noqa: PT017 - or it succeeds
    else:
        assert isinstance(limits, dict)
