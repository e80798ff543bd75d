import sys

import httpx
import pytest

from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.proxies import proxy_for
from airflow_provider_renderbus.clients.settings import Settings

FARM = httpx.URL("https://task.renderbus.com/")
PROXY = "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("proxies", "expected"),
    [
        ({}, None),
        ({"http": PROXY}, None),
        ({"https": PROXY}, PROXY),
        ({"all": PROXY}, PROXY),
        ({"all": "http://other:1", "https": PROXY}, PROXY),
        ({"https": "proxy.example.com:3128"}, PROXY),
        ({"https": "socks5h://proxy.example.com"}, "socks5h://proxy.example.com"),
        ({"https": " "}, None),
    ],
)
def test_proxy_for_returns_proxy_of_the_scheme(proxies, expected):
    proxy = proxy_for(FARM, proxies)
    assert (None if proxy is None else str(proxy.url)) == expected


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        ("https://task.renderbus.com/", "*", True),
        ("https://task.renderbus.com/", "renderbus.com", True),
        ("https://task.renderbus.com/", ".renderbus.com", True),
        ("https://task.renderbus.com/", "*.renderbus.com", True),
        ("https://task.renderbus.com/", "TASK.renderbus.com ", True),
        ("https://task.renderbus.com/", "task.renderbus.com:443", True),
        ("https://task.renderbus.com/", "task.renderbus.com:80", False),
        ("https://task.renderbus.com/", "bus.com", False),
        ("https://task.renderbus.com/", "::1,fe80::/10,127.0.0.0/8,,.", False),
        ("http://127.0.0.1:8899/", "localhost,127.0.0.0/8", True),
        ("http://127.0.0.1:8899/", "127.0.0.1:8899", True),
        ("http://[::1]:8899/", "::1", True),
        ("http://[::1]:8899/", "[::1]", True),
        ("http://[fe80::1]/", "fe80::/10", True),
        ("http://[::2]/", "::1", False),
        ("http://127.0.0.1:8899/", "127.0.0.1:\uff18\uff18\uff19\uff19", False),
        ("http://127.0.0.1:8899/", "127.0.0.1:" + "9" * 5000, False),
        ("http://127.0.0.1:8899/", "\udcff,[,],:,1.2.3.4/99,*.lan", False),
    ],
)
def test_proxy_for_excepted_host_is_none(url, no_proxy, direct):
    assert (proxy_for(httpx.URL(url), {"all": PROXY, "no": no_proxy}) is None) is direct


@pytest.mark.parametrize(
    "address",
    [
        *[
            "socks://user:secret@host",
            "ftp://host",
            "http:///",
            "http://[::1",
            "http://a:b:c",
            "\x00",
            "//a:1",
        ],
        *[
            "socks4://host",
            "http://host:0",
            "http://host:65536",
            "http://host:-1",
            "http://host:" + "9" * 5000,
        ],
        *["http://user:\udcff@host:1", "http://xn--a:1", "http://" + "a" * 70_000],
    ],
)
def test_proxy_for_invalid_proxy_raises_value_error_without_its_url(address):
    with pytest.raises(ValueError, match=r"^https_proxy: must be, in the environment, the URL") as raised:
        proxy_for(FARM, {"https": address})
    assert address not in str(raised.value)


def test_client_with_socks_proxy_without_extra_raises_value_error(monkeypatch):
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ValueError, match=r"airflow-provider-renderbus\[socks\]"):
        Client(Settings(domain="farm.test", access_id="id", access_key="key"))
