"""Apache Airflow provider for the cloud render farms Renderbus and Fox Renderfarm."""

__version__ = "0.1.0"
