"""Compares what describes a render with the farm's lists of software, machines and projects. No Airflow."""
