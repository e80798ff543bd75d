import pickle

import pytest

from airflow_provider_renderbus.api.models import EngineAccount, TransferConfig, TransferEngine
from airflow_provider_renderbus.api.secret import Secret, secrets_in


def test_a_secret_is_shown_only_when_asked_to():
    secret = Secret("the-password")
    assert secret.reveal() == "the-password"
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
    assert list(secrets_in([config, 5, None])) == [Secret("p")]
