"""From an Airflow connection to a client of the farm."""
