"""Simulation of tasks: states and transitions, chunks, time, money, scenario, faults, and the database."""
