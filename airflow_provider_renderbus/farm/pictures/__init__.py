"""The pictures that the embedded farm renders."""
