"""What can be written into an Airflow connection: accepted as meant, or refused with the field's name."""

import json
import logging

import pytest

from airflow_provider_renderbus.compat import Connection
from airflow_provider_renderbus.hooks.connection import load_settings, parse_extra
from airflow_provider_renderbus.hooks.connection_fields import TRANSFER_COMMANDS
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.transfer.command import VENDORS_NAME
from tests.airflow_version import LINE

reads_broken_extra = pytest.mark.skipif(
    (3, 0) <= LINE < (3, 2), reason="Airflow 3.0 and 3.1 take a connection with such an extra for undefined"
)


def load(extra=None, **fields):
    connection = Connection(
        **{
            "conn_id": "farm",
            "conn_type": "renderbus",
            "host": "task.renderbus.com",
            "login": "id",
            "password": "the-secret-key",
            "extra": extra,
            **fields,
        }
    )
    return load_settings(connection, parse_extra(connection))


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ('{"platform": "W3"', "extra: must be a JSON object, got invalid JSON: "),
        ("platform=W3", "extra: must be a JSON object, got invalid JSON: "),
        ("[" * 100_000, "extra: must be a JSON object, got invalid JSON: "),
        ('{"platform": "W2", "platform": "W3"}', "extra: .* a field is given twice"),
        ("[1, 2]", "extra: must be a JSON object, got list"),
        ('"text"', "extra: must be a JSON object, got str"),
        ("5", "extra: must be a JSON object, got int"),
        ("true", "extra: must be a JSON object, got bool"),
        ('{"platfrom": "W2"}', "platfrom: must be one of the extra fields platform, "),
        ('{"a\\nb": 1}', r"'a\\nb': must be one of the extra fields"),
        ('{"platform": "W9"}', "platform: must be "),
        ('{"platform": 2.0}', "platform: must be "),
        ('{"platform": [2]}', "platform: must be "),
        ('{"protocol": "ftp"}', r"schema \(protocol\): must be 'https' or 'http', got 'ftp'"),
        ('{"protocol": ["http"]}', r"schema \(protocol\): must be "),
        ('{"protocol": {}}', r"schema \(protocol\): must be "),
        ('{"protocol": 0}', r"schema \(protocol\): must be "),
        ('{"ca_bundle": 5}', "ca_bundle: must be the path of a file, got 5"),
        ('{"ca_bundle": true}', "ca_bundle: must be "),
        ('{"ca_bundle": {"a": 1}}', "ca_bundle: must be "),
        ('{"ca_bundle": "/no/such/file"}', "ca_bundle: must be the path of a file, got "),
        ('{"ca_bundle": "/etc/passwd"}', "ca_bundle: must be a file of certificate authorities in PEM"),
        ('{"read_timeout": NaN}', "read_timeout: must be a number of seconds "),
        ('{"read_timeout": Infinity}', "read_timeout: must be "),
        ('{"read_timeout": "nan"}', "read_timeout: must be "),
        ('{"read_timeout": "1_0"}', "read_timeout: must be "),
        ('{"read_timeout": "٣"}', "read_timeout: must be "),
        ('{"read_timeout": true}', "read_timeout: must be "),
        ('{"read_timeout": 0}', "read_timeout: must be "),
        ('{"connect_timeout": 1e-320}', "connect_timeout: must be "),
        ('{"connect_timeout": [1]}', "connect_timeout: must be "),
        ('{"verify": 0}', "verify: must be true or false, got 0"),
        ('{"verify": "no"}', "verify: must be "),
        ('{"verify": []}', "verify: must be "),
        ('{"console_url": "javascript:alert(1)"}', "console_url: must be a URL"),
        ('{"console_url": "http://x\\njavascript:1"}', "console_url: must be "),
        ('{"console_url": " https://x"}', "console_url: must be "),
        ('{"console_url": "https://x/{number}"}', "console_url: must be "),
        ('{"console_url": "https://"}', "console_url: must be "),
        ('{"console_url": ["https://x"]}', "console_url: must be "),
        ('{"storage": true}', "storage: must be main-account or own-account, got True"),
        ('{"storage": "Main-Account"}', "storage: must be "),
        ('{"storage": ["main-account"]}', "storage: must be "),
        ('{"transfer_command": ["a"]}', "transfer_command: must be "),
        ('{"transfer_command": "/bin/sh"}', r"transfer_command: .*\[renderbus\] transfer_command"),
        ('{"transfer_command": "perl"}', "transfer_command: must be "),
        (r'{"transfer_command": "/a\u0000/rayvision_transmitter"}', "transfer_command: must be "),
        ('{"transfer_command": "/opt/rayvision_transmitter/"}', None),
        ('{"transfer_command": "/opt/rayvision_transmitter/../sh"}', "transfer_command: must be "),
        ('{"transfer_command": "/opt/rayvision_transmitter.sh"}', "transfer_command: must be "),
    ],
)
def test_load_settings_of_nonsense_in_extra_names_connection_and_field(extra, problem):
    if LINE < (3, 0) and extra.startswith("[["):
        pytest.skip("Airflow 2 itself reads the extra, and fails")
    if problem is None:
        load(extra)
        return
    with pytest.raises(ValueError, match=rf"^connection 'farm' cannot be used: {problem}") as raised:
        load(extra)
    assert "the-secret-key" not in str(raised.value)
    assert len(str(raised.value)) < 500
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"host": "http://task.renderbus.com"}, r"host \(domain\): must be a domain"),
        ({"host": "a@b"}, r"host \(domain\): "),
        ({"host": " task.renderbus.com"}, r"host \(domain\): "),
        ({"host": "x" * 10_000}, r"host \(domain\): "),
        ({"port": -1}, r"host \(domain\): .*:-1"),
        ({"port": 0}, r"host \(domain\): .*:0"),
        ({"port": 65536}, r"host \(domain\): .*:65536"),
        ({"host": "farm:1", "port": 2}, r"host \(domain\): .*farm:1:2"),
        ({"login": None}, r"login \(access id\): "),
        ({"password": ""}, r"password \(access key\): "),
        ({"password": "a\nb"}, r"password \(access key\): "),
        ({"schema": "ftp"}, r"schema \(protocol\): "),
        ({"schema": "http", "extra": '{"protocol": "https"}'}, "protocol: must be given once"),
    ],
)
def test_load_settings_of_nonsense_in_fields_names_connection_and_field(fields, problem):
    with pytest.raises(ValueError, match=rf"^connection 'farm' cannot be used: {problem}"):
        load(**fields)


@pytest.mark.parametrize("extra", [None, "", "{}", "null", '{"platform": null, "ca_bundle": ""}'])
def test_load_settings_of_empty_extra_has_defaults(extra):
    settings = load(extra)
    assert (settings.url("/"), settings.platform, settings.verify) == ("https://task.renderbus.com/", 2, True)


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"schema": "http", "host": "127.0.0.1", "port": 8899}, "http://127.0.0.1:8899/"),
        ({"schema": "HTTP ", "host": "127.0.0.1", "port": 80}, "http://127.0.0.1/"),
        ({"extra": '{"protocol": "http"}', "port": 443}, "http://task.renderbus.com:443/"),
        ({"schema": "https", "extra": '{"protocol": "https"}', "port": 443}, "https://task.renderbus.com/"),
        ({"host": "Task.FoxRenderfarm.com."}, "https://task.foxrenderfarm.com/"),
        ({"host": None}, "https://task.renderbus.com/"),
    ],
)
def test_load_settings_has_the_address_that_is_sent(fields, url):
    assert load(**fields).url("/") == url


def test_connection_can_choose_the_known_transfer_commands():
    assert VENDORS_NAME in TRANSFER_COMMANDS
    for name in TRANSFER_COMMANDS:
        load(json.dumps({"transfer_command": f"/anywhere at all/{name}"}))


@reads_broken_extra
def test_hook_with_broken_extra_is_refused_everywhere(monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_RENDERBUS_DEFAULT",
        json.dumps(
            {"conn_type": "renderbus", "login": "id", "password": "key", "extra": '{"platform": "W3"'}
        ),
    )
    hook = RenderbusHook()
    for use in (lambda: hook.settings, lambda: hook.transfer_command, lambda: hook.console_url(7)):
        with pytest.raises(ValueError, match="extra: must be a JSON object"):
            use()
    assert hook.test_connection()[0] is False


@reads_broken_extra
async def test_hook_async_settings_with_broken_extra_are_refused(monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_RENDERBUS_DEFAULT",
        json.dumps({"conn_type": "renderbus", "login": "id", "password": "key", "extra": "[1]"}),
    )
    with pytest.raises(ValueError, match="extra: must be a JSON object, got list"):
        await RenderbusHook().async_settings()


def test_farm_connection_has_no_text_that_is_too_short_to_mask(farm):
    connection = farm.connection()
    texts = [value for value in connection["extra"].values() if isinstance(value, str)]
    assert all(len(text) >= 5 for text in [*texts, connection["password"]])


def test_hook_of_farm_connection_logs_no_warning_of_short_secrets(connection, caplog):
    with caplog.at_level(logging.WARNING):
        RenderbusHook().test_connection()
    assert "too short" not in caplog.text
