"""Waiting for renders: one poller per connection in the triggerer, and a loop on the worker."""
