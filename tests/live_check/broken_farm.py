"""A farm whose answers a test rewrites, to see which assumption of renderbus-check fails."""

from __future__ import annotations

import json
from types import SimpleNamespace

from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.farm.calls import ROUTES
from airflow_provider_renderbus.live_check.session import Session
from dev.harness.embedded_farm import StockedFarm, settings_of

NOT_SERVED = (404, {"Content-Type": "text/html"}, b"<html>Not found</html>")


class BrokenFarm(StockedFarm):
    """A farm with `rewrite`, which changes an answer in place, or returns another response.

    It is called with an object that has path, call, body (of the request) and envelope. `not_served` is a
    path that the farm does not serve.
    """

    rewrite = None
    not_served = None

    def handle(self, path, headers, body):
        if path == self.not_served:
            return NOT_SERVED
        response = super().handle(path, headers, body)
        if self.rewrite is None:
            return response
        status, answer_headers, answer = response
        try:
            envelope = json.loads(answer)
        except ValueError:
            envelope = {}
        call = ROUTES[path].__name__ if path in ROUTES else ""
        exchange = SimpleNamespace(path=path, call=call, body=json.loads(body), envelope=envelope)
        other = self.rewrite(exchange)
        return other or (status, answer_headers, json.dumps(exchange.envelope).encode())


def session_of(farm, command, **options):
    """Return a session of renderbus-check whose waits advance the farm."""
    return Session(settings_of(farm.connection()), str(command), clock=Clock(sleep=farm.advance), **options)


def refuse(code, message="refused"):
    """Return the envelope of a refusal."""
    return {"code": code, "message": message, "result": False, "data": None, "serverTime": 1}
