"""The command ``renderbus-check``: compares what this project infers about the live farm with the farm."""
