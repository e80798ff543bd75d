"""Models of the farm's responses: frozen dataclasses."""
