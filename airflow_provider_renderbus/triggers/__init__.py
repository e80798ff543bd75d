"""Waiting for the farm without a worker."""
