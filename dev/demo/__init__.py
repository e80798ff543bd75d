"""The demo: a nightly render in a real Airflow on the embedded farm. ``make demo`` runs it."""
