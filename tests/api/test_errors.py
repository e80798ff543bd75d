"""Classes of the farm's codes: what a client may do after each."""

import pytest

from airflow_provider_renderbus.api.errors import (
    ApiError,
    InsufficientFunds,
    InvalidResponse,
    NoResponse,
    NothingToDo,
    SubmitUnderWay,
    api_error,
    is_permanent,
    may_send_again,
)
from airflow_provider_renderbus.farm.server.envelope import CLIENT_CODES

# How the farm's desktop client treats the codes that no document explains.
CLASSES = {
    "permanently refused": (
        *(504, 508, 510, 511, 520, 530, 595, 609, 627, 628, 718, 728, 740, 741, 750, 753, 756, 760, 773),
        *range(816, 825),
        *range(921, 934),
        *(935, 936, 937, 999, 1022, 1206),
    ),
    "lack of money": (507,),
    "transient": (710, 748, 934),
    "under way": (749,),
    "nothing to do": (700,),
    "failed": (300, 405, 406),
}
ERRORS = {"lack of money": InsufficientFunds, "under way": SubmitUnderWay, "nothing to do": NothingToDo}


@pytest.mark.parametrize(
    ("kind", "code"), [(kind, code) for kind, codes in CLASSES.items() for code in codes]
)
def test_code_of_the_desktop_client_has_its_class(kind, code):
    error = api_error("submit_task", code, "")
    assert is_permanent(error) is (kind in {"permanently refused", "lack of money"})
    assert error.retryable is (kind == "transient")
    assert may_send_again(error) is (kind == "transient")
    assert isinstance(error, ERRORS.get(kind, ApiError))


def test_codes_of_the_desktop_client_are_all_known():
    assert {code for codes in CLASSES.values() for code in codes} | {513} == CLIENT_CODES.keys()


def test_code_513_at_the_creation_of_a_task_is_permanent():
    assert is_permanent(api_error("create_task", 513, ""))
    assert "the user is unknown" in str(api_error("create_task", 513, ""))
    assert not is_permanent(api_error("query_user_profile", 513, ""))


def test_may_send_again_only_if_the_answer_can_become_another_one():
    errors = [NoResponse("submit_task", ""), InvalidResponse("submit_task", "")]
    assert all(map(may_send_again, [*errors, api_error("submit_task", 500, "")]))
    assert not any(may_send_again(api_error("submit_task", code, "")) for code in (610, 603, 100, 4711))
