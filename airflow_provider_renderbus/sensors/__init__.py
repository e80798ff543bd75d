"""What a DAG author writes to wait for the farm."""
