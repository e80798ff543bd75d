"""Calls about the account."""

from __future__ import annotations

from airflow_provider_renderbus.api.call import Call
from airflow_provider_renderbus.api.models.account import UserProfile, read_user_profile


def query_user_profile() -> Call[UserProfile]:
    """Ask for the account's profile, with the money it has left."""
    return Call(
        "query_user_profile",
        ("/api/render/setUp/queryUserProfile",),
        {},
        read=read_user_profile,
    )
