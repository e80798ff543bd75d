"""Renders with random faults, kills and user actions, in virtual time and in one process."""
