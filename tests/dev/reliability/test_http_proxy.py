from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from dev.reliability.http_proxy import REFUSED, Answer, Relays


class Echo(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = f"{self.path} {self.headers['Host']} {self.headers['Signature']} ".encode() + body
        self.send_response(201)
        self.send_header("Content-Length", str(len(told)))
        self.send_header("X-Told", "yes")
        self.end_headers()
        self.wfile.write(told)

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
def relays():
    with Relays() as running:
        yield running


def post(port, path="/a?b=c", body=b"content"):
    with httpx.Client(trust_env=False) as client:
        return client.post(f"http://127.0.0.1:{port}{path}", content=body, headers={"Signature": "s"})


def test_a_request_goes_on_as_it_came(server, relays):
    seen = []

    def rule(request, forward):
        seen.append((request.method, request.path, request.body))
        return forward()

    port = relays.open(server, rule)
    answer = post(port)
    assert (answer.status_code, answer.headers["X-Told"]) == (201, "yes")
    assert answer.text == f"/a?b=c 127.0.0.1:{port} s content"
    assert seen == [("POST", "/a?b=c", b"content")]


def test_a_rule_can_keep_a_request_back(server, relays):
    answer = post(relays.open(server, lambda request, forward: REFUSED))
    assert (answer.status_code, answer.text) == (400, "refused by the relay\n")


def test_a_rule_can_change_an_answer(server, relays):
    def rule(request, forward):
        answer = forward()
        return Answer(200, answer.headers, answer.body[:2])

    answer = post(relays.open(server, rule))
    assert (answer.status_code, answer.text) == (200, "/a")
