import dataclasses
import pickle
import re
import sys

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.models import EngineAccount, TransferConfig, TransferEngine
from airflow_provider_renderbus.api.secret import Secret, find_secrets
from tests.api.test_calls import EXAMPLES


def test_a_secret_is_shown_only_when_asked_to():
    secret = Secret("the-password")
    assert secret.get_secret_value() == "the-password"
    assert "the-password" not in f"{secret} {secret!r}"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)


def test_secrets_are_equal_when_their_texts_are():
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"


def test_the_secrets_of_an_answer_are_found_however_deep():
    config = TransferConfig(
        engines=(TransferEngine("Aspera", accounts=(EngineAccount(password=Secret("p")),)),)
    )
    assert list(find_secrets([config, 5, None])) == [Secret("p")]


def models_in(annotation, module):
    """Yield the models that a type, as it is written in a module, is made of, and theirs."""
    left, seen = [(annotation, module)], set()
    while left:
        written, home = left.pop()
        for word in re.findall(r"\w+", written):
            named = getattr(home, word, None)
            if dataclasses.is_dataclass(named) and named not in seen:
                seen.add(named)
                yield named
                left += [(field.type, sys.modules[named.__module__]) for field in dataclasses.fields(named)]


def test_the_calls_that_bring_secrets_say_so():
    functions = [getattr(calls, name) for name in calls.__all__]
    bring_secrets = {
        function.__name__
        for function in functions
        for model in models_in(function.__annotations__["return"], sys.modules[function.__module__])
        if any("Secret" in field.type for field in dataclasses.fields(model))
    }
    secret_calls = {make().name for make in EXAMPLES.values() if make().returns_secrets}
    assert bring_secrets == secret_calls == {"get_raysync_user_key", "get_transfer_config"}
