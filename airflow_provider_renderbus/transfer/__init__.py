"""Uploads scenes and downloads frames by running the vendor's transfer command.

The command cannot be imported beside Airflow, but it can be run. Each module imports only those after it::

    uploads, downloads ─▶ process ─▶ watchdog      runs and cancels the command; kills it if the worker dies
          │                  └─────▶ progress      parses its output: files, bytes, failures
          ├─▶ command                              finds the command, builds its argument list
          ├─▶ endpoints                            server, storage and user of a transfer
          └─▶ folder                               staging folder, and writing without leaving a folder

:mod:`airflow_provider_renderbus.transfer.errors` has the exceptions, and
:mod:`airflow_provider_renderbus.transfer.thumbnails` writes small pictures of downloaded frames.
"""
