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


def use(monkeypatch, connection, **changes):
    extra = {**connection["extra"], **changes.pop("extra", {})}
    monkeypatch.setenv(
        "AIRFLOW_CONN_RENDERBUS_DEFAULT", json.dumps({**connection, **changes, "extra": extra})
    )


def test_calls_go_through_the_connection(connection):
    assert RenderbusHook().send(calls.query_user_profile()).user_id == 100001


def test_a_hook_can_be_closed(connection):
    with RenderbusHook() as hook:
        hook.send(calls.query_user_profile())
        pools = hook.client._session.get_adapter("http://").poolmanager.pools
        assert pools
    assert not pools
    assert hook.send(calls.query_user_profile()).user_id == 100001
    hook.close()
    with RenderbusHook("no_such_connection"):
        pass


def test_the_asynchronous_client_goes_through_the_same_connection(connection):
    async def ask():
        async with await RenderbusHook().async_client() as client:
            return await client.send(calls.query_user_profile())

    assert asyncio.run(ask()).user_id == 100001


def test_testing_the_connection_tells_whose_it_is_and_what_it_has_left(connection):
    worked, message = RenderbusHook().test_connection()
    assert worked
    assert "user 100001, zone 1" in message
    assert "510.0 RMB left" in message


def test_testing_a_connection_with_a_wrong_key_says_so(connection, monkeypatch):
    use(monkeypatch, connection, password="wrong")
    worked, message = RenderbusHook().test_connection()
    assert not worked
    assert "the key is wrong" in message


def test_all_that_is_wrong_with_a_connection_is_named_at_once(connection, monkeypatch):
    use(monkeypatch, connection, login="", host="farm/", extra={"platfrom": "W2", "read_timeout": "long"})
    worked, message = RenderbusHook().test_connection()
    assert not worked
    assert "login (access id): " in message
    assert "host (domain): " in message
    assert "platfrom: no such field" in message
    assert "read_timeout" in message


def test_extras_of_the_form_may_be_empty_or_text(connection, monkeypatch):
    use(
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


def test_without_a_host_the_farm_is_renderbus(monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_RENDERBUS_DEFAULT",
        json.dumps({"conn_type": "renderbus", "login": "id", "password": "key"}),
    )
    hook = RenderbusHook()
    assert hook.settings.domain == "task.renderbus.com"
    assert hook.console_url(7) == "https://task.renderbus.com/"


def test_the_entry_page_is_asked_for_as_the_farm_is(connection, monkeypatch):
    use(monkeypatch, connection, host="127.0.0.1", port=8899, extra={"console_url": ""})
    assert RenderbusHook().console_url(7) == "http://127.0.0.1:8899/"


def test_the_console_address_names_the_task(connection):
    assert RenderbusHook().console_url(7) == connection["extra"]["console_url"].format(number=7)


def test_every_extra_is_a_setting_of_the_client_or_the_hooks_own():
    assert EXTRA_FIELDS.keys() - HOOK_ONLY_FIELDS <= set(Settings.__dataclass_fields__)
    assert EXTRA_FIELDS.keys() >= HOOK_ONLY_FIELDS


@pytest.mark.parametrize(("chosen", "uses"), [(True, True), ("true", True), ("False", False)])
def test_the_connection_chooses_the_storage_without_asking_the_farm(
    farm, connection, monkeypatch, chosen, uses
):
    use(monkeypatch, connection, extra={"use_main_account": chosen})
    assert RenderbusHook().uses_main_account_storage() is uses
    assert not farm.request_counts["query_user_profile"]


@pytest.mark.parametrize("shared", [0, 1])
def test_else_the_profile_chooses_the_storage(connection, monkeypatch, shared):
    profile = read_user_profile({"userId": 1, "shareMainCapital": shared})
    assert RenderbusHook().uses_main_account_storage(profile) is bool(shared)
    assert RenderbusHook().uses_main_account_storage() is False
    use(monkeypatch, connection, extra={"use_main_account": not shared})
    assert RenderbusHook().uses_main_account_storage(profile) is not bool(shared)


def test_the_transfer_command_is_the_connections_or_the_configurations(connection, monkeypatch):
    use(monkeypatch, connection, extra={"transfer_command": ""})
    assert RenderbusHook().transfer_command is None
    monkeypatch.setenv("AIRFLOW__RENDERBUS__TRANSFER_COMMAND", "/usr/local/bin/rayvision_transmitter")
    assert RenderbusHook().transfer_command == "/usr/local/bin/rayvision_transmitter"
    use(monkeypatch, connection, extra={"transfer_command": "/opt/rayvision_transmitter"})
    assert RenderbusHook().transfer_command == "/opt/rayvision_transmitter"


@pytest.mark.parametrize(
    "extra", [{"transfer_command": 5}, {"use_main_account": "perhaps"}, {"console_url": 5}]
)
def test_what_is_wrong_with_the_hooks_own_fields_is_named(connection, monkeypatch, extra):
    use(monkeypatch, connection, extra=extra)
    with pytest.raises(ValueError, match=next(iter(extra))):
        _ = RenderbusHook().settings


def test_time_outs_come_from_the_configuration_where_the_connection_sets_none(connection, monkeypatch):
    assert (RenderbusHook().settings.connect_timeout, RenderbusHook().settings.read_timeout) == (10.0, 60.0)
    monkeypatch.setenv("AIRFLOW__RENDERBUS__READ_TIMEOUT", "7")
    assert RenderbusHook().settings.read_timeout == 7.0
    use(monkeypatch, connection, extra={"read_timeout": 5})
    assert RenderbusHook().settings.read_timeout == 5
    monkeypatch.setenv("AIRFLOW__RENDERBUS__CONNECT_TIMEOUT", "soon")
    with pytest.raises(ValueError, match="connect_timeout"):
        _ = RenderbusHook().settings


CONFIDENTIAL = [calls.get_raysync_user_key(), calls.get_transfer_config()]


@pytest.fixture
def masked(monkeypatch):
    """What is masked, with the thread that did it."""
    masked = {}
    monkeypatch.setattr(
        "airflow_provider_renderbus.hooks.masking.mask_secret",
        lambda text: masked.update({text: threading.get_ident()}),
    )
    return masked


@pytest.mark.parametrize("call", CONFIDENTIAL, ids=lambda call: call.name)
def test_what_the_farm_hands_out_in_confidence_is_masked(connection, masked, call):
    hook = RenderbusHook()
    answer = hook.send(call)
    assert masked.keys() == {secret.get_secret_value() for secret in find_secrets(answer)} > set()
    masked.clear()
    hook.run(only(call))
    assert masked


@pytest.mark.parametrize("call", CONFIDENTIAL, ids=lambda call: call.name)
async def test_so_is_what_it_hands_to_the_asynchronous_client(connection, masked, call):
    async with await RenderbusHook().async_client() as client:
        answer = await client.send(call)
        assert masked.keys() == {secret.get_secret_value() for secret in find_secrets(answer)} > set()
        masked.clear()
        await client.run(only(call))
        assert masked
    # Airflow before 3.3 raises where it is asked to mask on the thread of an event loop.
    assert threading.get_ident() not in masked.values()


def only(call):
    yield [call]


def test_no_other_answer_is_searched_for_secrets(connection, monkeypatch):
    def searched(answer):
        raise AssertionError(answer)

    monkeypatch.setattr("airflow_provider_renderbus.hooks.masking.find_secrets", searched)
    RenderbusHook().send(calls.get_task_list())


def test_the_defaults_of_the_configuration_are_those_of_the_code():
    options = get_provider_info()["config"]["renderbus"]["options"]
    assert {name: options[name]["default"] for name in TIMEOUTS} == TIMEOUTS
    assert float(options["poll_interval"]["default"]) == DEFAULT_POLL_INTERVAL
