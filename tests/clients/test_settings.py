import pickle

import pytest

from airflow_provider_renderbus.clients.settings import Settings

GOOD = {"domain": "task.renderbus.com", "access_id": "id", "access_key": "the-key"}


def test_a_platform_may_be_named():
    assert [Settings(**GOOD, platform=name).platform for name in (2, "2", "W2", "w3", "GPU")] == [
        2,
        2,
        2,
        62,
        21,
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("domain", "https://task.renderbus.com/"),
        ("domain", ""),
        ("access_id", ""),
        ("access_key", "with blank"),
        ("platform", "W9"),
        ("platform", 0),
        ("platform", True),
        ("protocol", "ftp"),
        ("connect_timeout", 0),
        ("read_timeout", "long"),
        ("read_timeout", float("inf")),
        ("verify", "perhaps"),
    ],
)
def test_a_wrong_field_is_named(field, value):
    with pytest.raises(ValueError, match=f"^{field}: "):
        Settings(**{**GOOD, field: value})


def test_all_wrong_fields_are_named_at_once():
    with pytest.raises(ValueError, match=r"access_id.*; access_key.*; protocol"):
        Settings(domain="d", access_id="", access_key="", protocol="x")


def test_the_key_is_neither_shown_nor_pickled():
    settings = Settings(**GOOD)
    assert "the-key" not in repr(settings)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(settings)


def test_an_own_authority_is_loaded(tmp_path):
    settings = Settings(**GOOD, ca_bundle=str(tmp_path / "missing.pem"))
    with pytest.raises(FileNotFoundError):
        settings.tls()
    assert Settings(**GOOD, verify=False, ca_bundle="x").tls() is False
