import pickle

import pytest

from airflow_provider_renderbus.clients.settings import Settings

VALID = {"domain": "task.renderbus.com", "access_id": "id", "access_key": "the-key"}


def test_settings_accept_platform_id_and_short_name():
    assert [Settings(**VALID, platform=name).platform for name in (2, "2", "W2", "w3", "GPU")] == [
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
def test_settings_with_invalid_field_name_it(field, value):
    with pytest.raises(ValueError, match=f"^{field}: must be ") as raised:
        Settings(**{**VALID, field: value})
    if field == "access_key":
        assert value not in repr(raised.value)


def test_settings_with_several_invalid_fields_name_all():
    with pytest.raises(ValueError, match=r"access_id.*; access_key.*; protocol"):
        Settings(domain="d", access_id="", access_key="", protocol="x")


def test_settings_show_key_in_no_repr_and_no_pickle():
    settings = Settings(**VALID)
    assert "the-key" not in repr(settings)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(settings)


def test_settings_with_missing_ca_bundle_raise_value_error(tmp_path):
    with pytest.raises(ValueError, match=r"^ca_bundle: must be the path of a file, got"):
        Settings(**VALID, ca_bundle=str(tmp_path / "missing.pem"))


def test_ssl_context_is_loaded_once_per_ca_bundle():
    assert Settings(**VALID).ssl_context() is Settings(**VALID).ssl_context()
    assert Settings(**VALID, verify=False).ssl_context() is False
    assert Settings(**VALID, protocol="http").ssl_context() is False


@pytest.mark.parametrize("domain", ["localhost", "127.0.0.1:8899", "a-b.example.com", "[::1]:80", "xn--a.cn"])
def test_settings_accept_domain(domain):
    assert Settings(**{**VALID, "domain": domain}).domain == domain


def test_ssl_context_of_file_without_authorities_raises_value_error(tmp_path):
    (tmp_path / "ca.pem").write_text("no PEM")
    settings = Settings(**VALID, ca_bundle=str(tmp_path / "ca.pem"))
    with pytest.raises(
        ValueError, match=r"^ca_bundle: must be a file of certificate authorities in PEM format, got"
    ):
        settings.ssl_context()
