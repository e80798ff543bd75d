"""The HTTP side of the embedded farm: the server and the envelope of its answers."""
