"""The farm's protocol as values: calls, models, states, signing, errors.

Standard library only: no clock, no random numbers, no environment, no network.
"""
