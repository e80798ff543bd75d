import asyncio
import json
import threading

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.models.account import read_user_profile
from airflow_provider_renderbus.api.secret import find_secrets
from airflow_provider_renderbus.clients.settings import Settings
from airflow_provider_renderbus.get_provider_info import get_provider_info
from airflow_provider_renderbus.hooks.connection import TIMEOUTS
from airflow_provider_renderbus.hooks.connection_fields import EXTRA_FIELDS, HOOK_ONLY_FIELDS
from airflow_provider_renderbus.hooks.renderbus import RenderbusHook
from airflow_provider_renderbus.polling.worker import DEFAULT_POLL_INTERVAL
from tests.clients.scripted_server import ScriptedServer, envelope


def set_connection(monkeypatch, connection, **changes):
    extra = {**connection["extra"], **changes.pop("extra", {})}
    monkeypatch.setenv(
        "AIRFLOW_CONN_RENDERBUS_DEFAULT", json.dumps({**connection, **changes, "extra": extra})
    )


def test_hook_send_uses_the_connection(connection):
    assert RenderbusHook().send(calls.query_user_profile()).user_id == 100001


def test_hook_close_closes_connections_and_a_later_call_opens_new_ones(connection):
    with RenderbusHook() as hook:
        hook.send(calls.query_user_profile())
        pool = hook.client._transport._transport._pool
        assert pool.connections
    assert not pool.connections
    assert hook.send(calls.query_user_profile()).user_id == 100001
    hook.close()
    with RenderbusHook("no_such_connection"):
        pass


def test_hook_async_client_uses_the_connection(connection):
    async def query():
        async with await RenderbusHook().async_client() as client:
            return await client.send(calls.query_user_profile())

    assert asyncio.run(query()).user_id == 100001


def test_hook_test_connection_returns_account_and_funds(connection):
    success, message = RenderbusHook().test_connection()
    assert success
    assert "user 100001, zone 1" in message
    assert "available funds 510.0 RMB" in message


def test_hook_test_connection_with_wrong_key_fails(connection, monkeypatch):
    set_connection(monkeypatch, connection, password="wrong")
    success, message = RenderbusHook().test_connection()
    assert not success
    assert "the key is wrong" in message


def test_hook_test_connection_names_all_invalid_fields(connection, monkeypatch):
    set_connection(
        monkeypatch, connection, login="", host="farm/", extra={"platfrom": "W2", "read_timeout": "long"}
    )
    success, message = RenderbusHook().test_connection()
    assert not success
    assert "login (access id): " in message
    assert "host (domain): " in message
    assert "platfrom: must be one of the extra fields " in message
    assert "read_timeout" in message


def test_hook_settings_accept_empty_and_text_extra_fields(connection, monkeypatch):
    set_connection(
        monkeypatch,
        connection,
        extra={
            "platform": None,
            "ca_bundle": "",
            "read_timeout": "5",
            "connect_timeout": 2,
            "verify": "False",
        },
    )
    settings = RenderbusHook().settings
    assert (settings.read_timeout, settings.connect_timeout, settings.verify) == (5.0, 2, False)
    assert (settings.platform, settings.ca_bundle) == (2, None)


def test_hook_settings_without_host_use_renderbus(monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_RENDERBUS_DEFAULT",
        json.dumps({"conn_type": "renderbus", "login": "id", "password": "key"}),
    )
    hook = RenderbusHook()
    assert hook.settings.domain == "task.renderbus.com"
    assert hook.console_url(7) == "https://task.renderbus.com/"


def test_hook_console_url_without_template_is_entry_page_of_the_host(connection, monkeypatch):
    set_connection(monkeypatch, connection, host="127.0.0.1", port=8899, extra={"console_url": ""})
    assert RenderbusHook().console_url(7) == "http://127.0.0.1:8899/"


def test_hook_console_url_with_template_holds_render_task_id(connection):
    assert RenderbusHook().console_url(7) == connection["extra"]["console_url"].format(render_task_id=7)


def test_extra_fields_are_settings_of_the_client_or_of_the_hook():
    assert EXTRA_FIELDS.keys() - HOOK_ONLY_FIELDS <= set(Settings.__dataclass_fields__)
    assert EXTRA_FIELDS.keys() >= HOOK_ONLY_FIELDS


@pytest.mark.parametrize(("configured", "result"), [("main-account", True), ("own-account", False)])
def test_hook_uses_main_account_storage_as_connection_says_without_query(
    farm, connection, monkeypatch, configured, result
):
    set_connection(monkeypatch, connection, extra={"storage": configured})
    assert RenderbusHook().uses_main_account_storage() is result
    assert not farm.request_counts["query_user_profile"]


@pytest.mark.parametrize("shared", [0, 1])
def test_hook_uses_main_account_storage_as_profile_says_if_connection_does_not(
    connection, monkeypatch, shared
):
    profile = read_user_profile({"userId": 1, "shareMainCapital": shared})
    assert RenderbusHook().uses_main_account_storage(profile) is bool(shared)
    assert RenderbusHook().uses_main_account_storage() is False
    set_connection(monkeypatch, connection, extra={"storage": "own-account" if shared else "main-account"})
    assert RenderbusHook().uses_main_account_storage(profile) is not bool(shared)


def test_hook_transfer_command_is_from_connection_else_configuration(connection, monkeypatch):
    set_connection(monkeypatch, connection, extra={"transfer_command": ""})
    assert RenderbusHook().transfer_command is None
    monkeypatch.setenv("AIRFLOW__RENDERBUS__TRANSFER_COMMAND", "/usr/local/bin/rayvision_transmitter")
    assert RenderbusHook().transfer_command == "/usr/local/bin/rayvision_transmitter"
    set_connection(monkeypatch, connection, extra={"transfer_command": "/opt/rayvision_transmitter"})
    assert RenderbusHook().transfer_command == "/opt/rayvision_transmitter"


@pytest.mark.parametrize("extra", [{"transfer_command": 5}, {"storage": "perhaps"}, {"console_url": 5}])
def test_hook_settings_with_invalid_hook_field_name_it(connection, monkeypatch, extra):
    set_connection(monkeypatch, connection, extra=extra)
    with pytest.raises(ValueError, match=next(iter(extra))):
        _ = RenderbusHook().settings


def test_hook_timeouts_are_from_connection_else_configuration(connection, monkeypatch):
    assert (RenderbusHook().settings.connect_timeout, RenderbusHook().settings.read_timeout) == (10.0, 60.0)
    monkeypatch.setenv("AIRFLOW__RENDERBUS__READ_TIMEOUT", "7")
    assert RenderbusHook().settings.read_timeout == 7.0
    set_connection(monkeypatch, connection, extra={"read_timeout": 5})
    assert RenderbusHook().settings.read_timeout == 5
    monkeypatch.setenv("AIRFLOW__RENDERBUS__CONNECT_TIMEOUT", "soon")
    with pytest.raises(ValueError, match="connect_timeout"):
        _ = RenderbusHook().settings


SECRET_CALLS = [calls.get_raysync_user_key(), calls.get_transfer_config()]


@pytest.fixture
def masked(monkeypatch):
    """Masked secrets, each with the id of the thread that masked it."""
    masked = {}
    monkeypatch.setattr(
        "airflow_provider_renderbus.hooks.masking.mask_secret",
        lambda text: masked.update({text: threading.get_ident()}),
    )
    return masked


@pytest.mark.parametrize("call", SECRET_CALLS, ids=lambda call: call.name)
def test_hook_send_and_run_mask_secrets(connection, masked, call):
    hook = RenderbusHook()
    result = hook.send(call)
    assert masked.keys() == {secret.get_secret_value() for secret in find_secrets(result)} > set()
    masked.clear()
    hook.run(flow_of(call))
    assert masked


@pytest.mark.parametrize("call", SECRET_CALLS, ids=lambda call: call.name)
async def test_hook_async_client_masks_secrets_on_another_thread(connection, masked, call):
    async with await RenderbusHook().async_client() as client:
        result = await client.send(call)
        assert masked.keys() == {secret.get_secret_value() for secret in find_secrets(result)} > set()
        masked.clear()
        await client.run(flow_of(call))
        assert masked
    # Airflow before 3.3 raises if a secret is masked on the thread of an event loop.
    assert threading.get_ident() not in masked.values()


def flow_of(call):
    yield [call]


def test_hook_send_of_call_without_secrets_searches_none(connection, monkeypatch):
    def find_secrets(result):
        raise AssertionError(result)

    monkeypatch.setattr("airflow_provider_renderbus.hooks.masking.find_secrets", find_secrets)
    RenderbusHook().send(calls.get_task_list())


def test_config_defaults_equal_the_fallbacks_in_code():
    options = get_provider_info()["config"]["renderbus"]["options"]
    assert {name: options[name]["default"] for name in TIMEOUTS} == TIMEOUTS
    assert float(options["poll_interval"]["default"]) == DEFAULT_POLL_INTERVAL


HOSTILE_TEXT = "<img src=x onerror=alert(1)>\n[2026-11-28] INFO - Task succeeded\x1b[2J\u202e" + "x" * 100_000


@pytest.mark.parametrize(
    "response", [envelope(data={"userId": 1, "userName": HOSTILE_TEXT}), envelope(999, message=HOSTILE_TEXT)]
)
def test_hook_test_connection_message_is_one_printable_line_without_html(connection, monkeypatch, response):
    server = ScriptedServer()
    try:
        server.script = [response]
        host, port = server.address.split(":")
        set_connection(monkeypatch, connection, host=host, port=int(port))
        _, message = RenderbusHook().test_connection()
    finally:
        server.close()
    assert "img src" in message
    assert message.isprintable()
    assert not set("<>") & set(message)
    assert len(message) <= 2000


def test_hook_connection_to_wrong_port_names_field_connection_and_cure(connection, monkeypatch):
    set_connection(monkeypatch, connection, schema="https")
    success, message = RenderbusHook().test_connection()
    assert not success
    assert (
        "https is spoken to an http port; set schema (protocol) of connection 'renderbus_default' to http"
        in message
    )
