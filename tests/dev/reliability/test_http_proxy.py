from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from dev.reliability.http_proxy import REFUSED, HttpProxies, Response


class Echo(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        content = f"{self.path} {self.headers['Host']} {self.headers['Signature']} ".encode() + body
        self.send_response(201)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Echo", "yes")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as running:
        thread = Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def proxies():
    with HttpProxies() as running:
        yield running


def post(port, path="/a?b=c", body=b"content"):
    with httpx.Client(trust_env=False) as client:
        return client.post(f"http://127.0.0.1:{port}{path}", content=body, headers={"Signature": "s"})


def test_proxy_forwards_a_request_unchanged(server, proxies):
    seen = []

    def rule(request, forward):
        seen.append((request.method, request.path, request.body))
        return forward()

    port = proxies.open(server, rule)
    response = post(port)
    assert (response.status_code, response.headers["X-Echo"]) == (201, "yes")
    assert response.text == f"/a?b=c 127.0.0.1:{port} s content"
    assert seen == [("POST", "/a?b=c", b"content")]


def test_proxy_rule_can_refuse_a_request(server, proxies):
    response = post(proxies.open(server, lambda request, forward: REFUSED))
    assert (response.status_code, response.text) == (400, "refused by the proxy\n")


def test_proxy_rule_can_write_what_is_no_http(server, proxies):
    port = proxies.open(server, lambda request, forward: [b"SSH-", b"2.0\r\n"])
    with pytest.raises(httpx.RemoteProtocolError):
        post(port)


def test_proxy_rule_can_change_a_response(server, proxies):
    def rule(request, forward):
        response = forward()
        return Response(200, response.headers, response.body[:2])

    response = post(proxies.open(server, rule))
    assert (response.status_code, response.text) == (200, "/a")
