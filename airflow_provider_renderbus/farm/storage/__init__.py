"""The folders of the embedded farm: input and output storage."""
