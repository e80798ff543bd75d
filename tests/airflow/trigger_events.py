"""Runs triggers of tests."""

from __future__ import annotations

import contextlib
from typing import Any


async def first_event(trigger: Any) -> Any:
    """Run a trigger until its first event, and end it: otherwise its connections may stay open."""
    async with contextlib.aclosing(trigger.run()) as events:
        return await anext(events)
