"""Tests with a server behind TLS: trusted certificates and broken connections."""

import ipaddress
import json
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.errors import NoResponse, NotSent
from airflow_provider_renderbus.clients.client import Client
from airflow_provider_renderbus.clients.lost_time import LostTimeWatch, TimeLostError
from airflow_provider_renderbus.clients.settings import Settings

RESPONSE = json.dumps({"code": 200, "data": {"userId": 7}}).encode()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The path of a certificate for 127.0.0.1, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "farm")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "farm.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


class TlsServer:
    """Reads a request per connection; responds, or writes plain bytes into the encrypted connection.

    `on_connect` is called within the handshake of each.
    """

    def __init__(self, certificate, *, breaks, on_connect):
        self.requests = 0
        self._breaks = breaks
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._context.sni_callback = lambda *_: on_connect()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            with plain:
                try:
                    self._respond(plain)
                except (ssl.SSLError, ConnectionError):
                    continue

    def _respond(self, plain):
        with plain.dup() as raw, self._context.wrap_socket(plain, server_side=True) as secure:
            received = secure.recv(65536)
            while not received.endswith(b"}"):
                if not (more := secure.recv(65536)):
                    return
                received += more
            self.requests += 1
            if self._breaks:
                raw.sendall(b"this is no record of TLS")
            else:
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(RESPONSE)}\r\nConnection: close\r\n\r\n"
                secure.sendall(head.encode() + RESPONSE)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def serve(certificate):
    """Start a server behind TLS and return it with settings that reach it."""
    running = []

    def serve(*, breaks=False, trusted=True, on_connect=lambda: None):
        server = TlsServer(certificate, breaks=breaks, on_connect=on_connect)
        running.append(server)
        return server, Settings(
            domain=server.address,
            access_id="id",
            access_key="key",
            ca_bundle=str(certificate) if trusted else None,
        )

    yield serve
    for server in running:
        server.close()


def test_send_with_ca_bundle_trusts_its_authority(sender, serve):
    server, settings = serve()
    assert sender.send(settings, calls.query_user_profile())[0].user_id == 7
    assert server.requests == 1


@pytest.mark.parametrize(
    "call", [calls.query_user_profile(), calls.submit_task(7)], ids=lambda call: call.name
)
def test_send_with_untrusted_certificate_sends_no_request(sender, serve, call):
    server, settings = serve(trusted=False)
    with pytest.raises(NotSent):
        sender.send(settings, call)
    assert server.requests == 0


def test_send_with_connection_broken_after_request_raises_no_response(sender, serve):
    server, settings = serve(breaks=True)
    with pytest.raises(NoResponse):
        sender.send(settings, calls.submit_task(7))
    assert server.requests == 1


@pytest.mark.parametrize(("frozen_seconds", "requests"), [(301.0, 0), (299.0, 1)])
def test_submit_frozen_while_it_connects_is_not_sent(frozen_seconds, requests, serve):
    now = [0.0]

    def freeze():
        now[0] += frozen_seconds

    server, settings = serve(on_connect=freeze)
    watch = LostTimeWatch(300.0, lambda: now[0], lambda: now[0])
    with Client(settings, lost_time=watch) as client:
        if requests:
            client.send(calls.submit_task(7))
        else:
            with pytest.raises(TimeLostError, match="submit_task: not sent: this process has lost time"):
                client.send(calls.submit_task(7))
    assert server.requests == requests
