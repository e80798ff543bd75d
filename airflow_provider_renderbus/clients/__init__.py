"""Sending calls to the farm: one blocking client, one asynchronous, one retry policy for both."""
