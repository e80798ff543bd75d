import dataclasses
import pickle
import re
import sys

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.models.transfer import EngineAccount, TransferConfig, TransferEngine
from airflow_provider_renderbus.api.secret import Secret, find_secrets
from tests.api.test_calls import EXAMPLES


def test_secret_is_in_no_repr_and_no_pickle():
    secret = Secret("the-password")
    assert secret.get_secret_value() == "the-password"
    assert "the-password" not in f"{secret} {secret!r}"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)


def test_secrets_with_equal_values_are_equal():
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"


def test_find_secrets_searches_nested_models():
    config = TransferConfig(
        engines=(TransferEngine("Aspera", accounts=(EngineAccount(password=Secret("p")),)),)
    )
    assert list(find_secrets([config, 5, None])) == [Secret("p")]


def models_in(annotation, module):
    """Yield the models in an annotation of a module, and the models of their fields."""
    pending, seen = [(annotation, module)], set()
    while pending:
        annotation, module = pending.pop()
        for word in re.findall(r"\w+", annotation):
            model = getattr(module, word, None)
            if dataclasses.is_dataclass(model) and model not in seen:
                seen.add(model)
                yield model
                pending += [
                    (field.type, sys.modules[model.__module__]) for field in dataclasses.fields(model)
                ]


def test_calls_with_secrets_in_their_result_have_returns_secrets():
    functions = [getattr(calls, name) for name in calls.__all__]
    with_secrets = {
        function.__name__
        for function in functions
        for model in models_in(function.__annotations__["return"], sys.modules[function.__module__])
        if any("Secret" in field.type for field in dataclasses.fields(model))
    }
    declared = {make().name for make in EXAMPLES.values() if make().returns_secrets}
    assert with_secrets == declared == {"get_raysync_user_key", "get_transfer_config"}
