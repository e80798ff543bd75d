"""The farm's transfer command, ``renderbus-farm-transmitter``: the vendor's command line over local folders.

Copies between a local path and the storage of a farm on this machine, so that callers of the vendor's command
can be tested without it. Modules, each of which imports only those below it::

    command          arguments, prompt, exit code
    transfer         copies the files, prints a line per file
    file_list        which files, from where to where
    worker_pool      parallel copies in several processes
    resume           the database of sent files
    faults           simulated faults

Both sides are accessed through :mod:`airflow_provider_renderbus.farm.storage.confined_folder`.
"""
