"""Scenes up, frames down: the vendor's transfer command, run and watched.

The command cannot be imported beside Airflow, but it can be run. A transfer goes through these rooms, each
of which knows only those after it::

    uploads, downloads ─▶ running ─▶ guard          a process, and the one that ends it
          │                  └─────▶ output         its lines: files, bytes, speed, failures
          ├─▶ order ─▶ command                      its argument list; where it is, whether it can be run
          ├─▶ routes                                server, storage and user
          ├─▶ assets                                what is sent
          └─▶ halfway ─▶ folder                     where frames come, and where they may be written

Nothing here knows Airflow. What goes wrong is in :mod:`airflow_provider_renderbus.transfer.errors`.
"""
