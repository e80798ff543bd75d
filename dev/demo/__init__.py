"""The demos: example DAGs in a real Airflow on the embedded farm. ``make demo`` runs the nightly render."""
