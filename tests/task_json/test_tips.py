import pytest

from airflow_provider_renderbus.api.models.tasks import ErrorDetail
from airflow_provider_renderbus.task_json.files import check_findings

WARNING = ErrorDetail("35001", kind=0, is_open=True, description="a texture is missing")
ERROR = ErrorDetail(
    "15000", kind=1, is_open=True, description="it  hangs", solution="1. close it;\n2. try again"
)
NOT_ENFORCED = ErrorDetail("50001", kind=1, is_open=False, description="a file is missing")


def test_findings_enforced_error_raises_with_solution():
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared below
        check_findings({"35001": "d:/a.jpg", "15000": ["max.exe", "b"]}, [WARNING, ERROR])
    assert (
        str(caught.value)
        == "tips.json: 15000: it hangs; found: max.exe, b; solution: 1. close it; 2. try again"
    )


def test_findings_enforced_errors_are_all_reported():
    other = ErrorDetail("15001", kind=1)
    with pytest.raises(ValueError, match=r"(?s)15000: .*\ntips.json: 15001: no description; found: y$"):
        check_findings({"15000": "x", "15001": "y"}, [ERROR, other])


def test_findings_not_enforced_are_returned_as_warnings():
    tips = {"35001": "d:/a.jpg", "50001": [], "1": ["x"]}
    assert check_findings(tips, [WARNING, NOT_ENFORCED]) == (
        "tips.json: 35001: a texture is missing; found: d:/a.jpg",
        "tips.json: 50001: a file is missing",
        "tips.json: 1: no description; found: x",
    )


def test_findings_with_many_files_name_three():
    (line,) = check_findings({"35001": [f"{number}.jpg" for number in range(1000)]}, [WARNING])
    assert line == "tips.json: 35001: a texture is missing; found: 0.jpg, 1.jpg, 2.jpg and 997 more"


@pytest.mark.parametrize("order", [1, -1])
def test_findings_with_two_details_per_code_use_the_blocking_one(order):
    details = [ERROR, ErrorDetail("15000", kind=0, description="harmless")][::order]
    with pytest.raises(ValueError, match="it hangs"):
        check_findings({"15000": "x"}, details)


def test_findings_empty_pass():
    assert check_findings({}, [ERROR]) == ()
