"""What a DAG author writes to make the farm render."""
