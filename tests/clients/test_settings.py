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
        ("domain", 5),
        ("domain", "a..b"),
        ("domain", "127.0.0.1:1:2"),
        ("domain", "host:0"),
        ("domain", "host:70000"),
        ("access_id", ""),
        ("access_key", "with blank"),
        ("access_key", "ключ"),
        ("access_key", "\ud800"),
        ("access_id", "é"),
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
    with pytest.raises(ValueError, match=f"^{field}: ") as raised:
        Settings(**{**GOOD, field: value})
    if field == "access_key":
        assert value not in repr(raised.value)


def test_all_wrong_fields_are_named_at_once():
    with pytest.raises(ValueError, match=r"access_id.*; access_key.*; protocol"):
        Settings(domain="d", access_id="", access_key="", protocol="x")


def test_the_key_is_neither_shown_nor_pickled():
    settings = Settings(**GOOD)
    assert "the-key" not in repr(settings)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(settings)


def test_an_own_authority_must_be_there(tmp_path):
    with pytest.raises(ValueError, match=r"^ca_bundle: there is no file"):
        Settings(**GOOD, ca_bundle=str(tmp_path / "missing.pem"))


def test_the_authorities_are_read_once():
    assert Settings(**GOOD).ssl_context() is Settings(**GOOD).ssl_context()
    assert Settings(**GOOD, verify=False).ssl_context() is False
    assert Settings(**GOOD, protocol="http").ssl_context() is False


@pytest.mark.parametrize("domain", ["localhost", "127.0.0.1:8899", "a-b.example.com", "[::1]:80", "xn--a.cn"])
def test_a_domain_may_be_a_name_or_a_number_with_a_port(domain):
    assert Settings(**{**GOOD, "domain": domain}).domain == domain


def test_a_ca_bundle_that_holds_no_authorities(tmp_path):
    (tmp_path / "ca.pem").write_text("no PEM")
    settings = Settings(**GOOD, ca_bundle=str(tmp_path / "ca.pem"))
    with pytest.raises(ValueError, match=r"^ca_bundle: .* holds no authorities in PEM form"):
        settings.ssl_context()
