import pickle

import httpx
import pytest

from airflow_provider_renderbus.clients.settings import Settings, normalize_domain

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
        ("read_timeout", float("nan")),
        ("read_timeout", 1e-9),
        ("read_timeout", True),
        ("read_timeout", 10**400),
        ("domain", "a" * 64 + ".com"),
        ("domain", "a." * 200 + "com"),
        ("domain", "[zz]"),
        ("domain", "user@host"),
        ("domain", "host/path"),
        ("domain", "host?query"),
        ("domain", " host"),
        ("domain", "host\n"),
        ("domain", "host.."),
        ("domain", "ⅷ.example"),
        ("platform", 2.0),
        ("platform", 10**400),
        ("platform", "9" * 5000),
        ("protocol", ["http"]),
        ("verify", 0),
        ("verify", []),
        ("ca_bundle", 5),
        ("ca_bundle", ["a"]),
        ("ca_bundle", {"a": 1}),
        ("ca_bundle", True),
        ("ca_bundle", "\0"),
        ("ca_bundle", ""),
        ("ca_bundle", "A" * 10_000),
        ("ca_bundle", "\ud800"),
        ("ca_bundle", "/dev/zero"),
        ("ca_bundle", "/etc/passwd"),
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


@pytest.mark.parametrize(
    ("domain", "protocol", "normalized"),
    [
        ("localhost", "http", "localhost"),
        ("127.0.0.1:8899", "http", "127.0.0.1:8899"),
        ("a-b.example.com", "https", "a-b.example.com"),
        ("xn--fsq.com", "https", "xn--fsq.com"),
        ("xn--a.cn", "https", None),
        ("Task.Renderbus.COM", "https", "task.renderbus.com"),
        ("task.renderbus.com.", "https", "task.renderbus.com"),
        ("task.renderbus.com:443", "https", "task.renderbus.com"),
        ("task.renderbus.com:0443", "https", "task.renderbus.com"),
        ("task.renderbus.com:443", "http", "task.renderbus.com:443"),
        ("task.renderbus.com:80", "http", "task.renderbus.com"),
        ("task.renderbus.com:80", "https", "task.renderbus.com:80"),
        ("[::1]:80", "http", "[::1]"),
        ("[::1]:8899", "http", "[::1]:8899"),
        ("fe80::1", "http", None),
        ("例.com", "https", "xn--fsq.com"),
        ("Bücher.example", "https", "xn--bcher-kva.example"),
        ("host_name.local", "https", "host_name.local"),
    ],
)
def test_normalize_domain_returns_what_http_sends(domain, protocol, normalized):
    assert normalize_domain(domain, protocol) == normalized
    if normalized is not None:
        settings = Settings(**{**VALID, "domain": domain, "protocol": protocol})
        assert settings.domain == normalized
        assert httpx.Request("POST", settings.url("/")).headers["Host"] == normalized


def test_settings_with_ca_bundle_without_authorities_raises_value_error(tmp_path):
    (tmp_path / "ca.pem").write_text("no PEM")
    with pytest.raises(
        ValueError, match=r"^ca_bundle: must be a file of certificate authorities in PEM format, got"
    ):
        Settings(**VALID, ca_bundle=str(tmp_path / "ca.pem"))
