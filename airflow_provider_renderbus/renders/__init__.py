"""The life of a render: submit, reattach, restart, recommit, stop, and what its end means. No Airflow."""
