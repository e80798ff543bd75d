"""Servers on 127.0.0.1 that record what notifiers send: a web hook, and a mail server."""

from __future__ import annotations

import json
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _WebHookHandler(BaseHTTPRequestHandler):
    """Records what is posted."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, json.loads(body)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


class _MailHandler(socketserver.StreamRequestHandler):
    """Speaks as much SMTP as a client needs to send a mail, and records the mail."""

    def handle(self):
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline().strip():
            command = line[:4].upper()
            if command == b"DATA":
                self.wfile.write(b"354 go ahead\r\n")
                lines = list(iter(self.rfile.readline, b".\r\n"))
                self.server.received.append(b"".join(lines))
            self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")
            if command == b"QUIT":
                return


def web_hook():
    """Run a web server: `received` has the path and the JSON of each request."""
    return _serve(ThreadingHTTPServer(("127.0.0.1", 0), _WebHookHandler))


def mail_server():
    """Run a mail server: `received` has each mail."""
    return _serve(socketserver.ThreadingTCPServer(("127.0.0.1", 0), _MailHandler))


@contextmanager
def _serve(server):
    server.received = []
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
