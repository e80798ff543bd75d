"""Renders through random trouble, in virtual time and in one process."""
