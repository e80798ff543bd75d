"""Clients that send calls to the farm: a blocking and an asynchronous one, with one retry policy."""
