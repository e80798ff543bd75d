"""Processes, an Airflow in a folder and an embedded farm, for demo, reliability, benchmarks and tests."""
