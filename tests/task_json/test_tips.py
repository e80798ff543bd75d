import pytest

from airflow_provider_renderbus.api.models.analysis import ErrorDetail
from airflow_provider_renderbus.task_json.files import check_findings

WARNING = ErrorDetail("35001", kind=0, is_open=True, description="a texture is missing")
ERROR = ErrorDetail(
    "15000", kind=1, is_open=True, description="it  hangs", solution="1. close it;\n2. try again"
)
NOT_ENFORCED = ErrorDetail("50001", kind=1, is_open=False, description="a file is missing")


def test_an_enforced_error_stops_the_job_with_its_text():
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared below
        check_findings({"35001": "d:/a.jpg", "15000": ["max.exe", "b"]}, [WARNING, ERROR])
    assert (
        str(caught.value) == "tips.json: 15000: it hangs; found: max.exe, b; to do: 1. close it; 2. try again"
    )


def test_every_enforced_error_is_told():
    other = ErrorDetail("15001", kind=1)
    with pytest.raises(ValueError, match=r"(?s)15000: .*\ntips.json: 15001: not described; found: y$"):
        check_findings({"15000": "x", "15001": "y"}, [ERROR, other])


def test_warnings_and_errors_that_are_not_enforced_pass():
    tips = {"35001": "d:/a.jpg", "50001": [], "1": ["x"]}
    assert check_findings(tips, [WARNING, NOT_ENFORCED]) == (
        "tips.json: 35001: a texture is missing; found: d:/a.jpg",
        "tips.json: 50001: a file is missing",
        "tips.json: 1: not described; found: x",
    )


def test_of_thousands_of_files_three_are_told():
    (line,) = check_findings({"35001": [f"{number}.jpg" for number in range(1000)]}, [WARNING])
    assert line == "tips.json: 35001: a texture is missing; found: 0.jpg, 1.jpg, 2.jpg and 997 more"


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_answers_about_a_code_the_one_that_stops_counts(order):
    answers = [ERROR, ErrorDetail("15000", kind=0, description="harmless")][::order]
    with pytest.raises(ValueError, match="it hangs"):
        check_findings({"15000": "x"}, answers)


def test_an_error_that_was_not_found_stops_nothing():
    assert check_findings({}, [ERROR]) == ()
