"""The farm's transfer command, ``renderbus-farm-transmitter``: the vendor's command line over local folders.

It copies between a local path and the storage of a farm on this machine, so that what calls the vendor's
command can be tried without it. A transfer goes through these rooms, each of which knows only those after
it::

    command ─▶ plan       which files, from where to where
            ─▶ transfer   one after the other, a line each, the exit code
                 ─▶ crew       many files in several processes
                 ─▶ resume     which were sent before
                 ─▶ faults     what is to go wrong

The files of both sides are reached through :mod:`airflow_provider_renderbus.farm.storage.confined_folder`.
"""
