"""Proxy variables that requests takes and httpx refuses are named before a client is needed."""

import os

import pytest

from airflow_provider_renderbus.clients.environment import check_environment
from airflow_provider_renderbus.clients.settings import Settings

SETTINGS = Settings(domain="127.0.0.1:9", access_id="id", access_key="key", protocol="http")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"no_proxy": "127.0.0.1,[::1]"}, r"no_proxy: must be hosts .*, got .*\[::1\].*: remove IPv6"),
        ({"NO_PROXY": "127.0.0.1,fe80::/10"}, "NO_PROXY: must be hosts .*, got .*fe80"),
        ({"no_proxy": "[fd00::1]:3128", "http_proxy": "http://127.0.0.1:9"}, "no_proxy: must be hosts"),
        ({"all_proxy": "socks5://u:hunter2@127.0.0.1:9", "no_proxy": "*.lan"}, "all_proxy: must be no SOCKS"),
        ({"HTTPS_PROXY": "socks5h://127.0.0.1:9"}, r"HTTPS_PROXY: .* pip install 'httpx\[socks\]'"),
        ({"http_proxy": "socks4://127.0.0.1:9"}, "http_proxy: must be the URL of a proxy that httpx accepts"),
        ({"https_proxy": "http://127.0.0.1:port"}, "https_proxy: must be the URL of a proxy"),
    ],
)
def test_check_environment_names_variable_and_cure(variables, message, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message) as raised:
        check_environment(SETTINGS)
    assert "nothing was submitted" in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"no_proxy": "*", "all_proxy": "socks5://127.0.0.1:9"},
        {"no_proxy": "127.0.0.1,::1,localhost,.example.com,10.0.0.0/8"},
        {"HTTP_PROXY": "127.0.0.1:9", "https_proxy": "http://u:p@127.0.0.1:9"},
    ],
)
def test_check_environment_accepts_what_httpx_accepts(variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    check_environment(SETTINGS)
