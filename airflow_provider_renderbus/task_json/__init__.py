"""The files that describe a job: building, reading, checking and completing task.json and its neighbours.

:mod:`.builder` builds a task.json, :mod:`.loading` reads a file however it is given, :mod:`.validation`
checks it against the schemas that are shipped here, :mod:`.completion` fills in what only the farm and the
connection know, and :mod:`.tips` tells which finding of an analysis stops the job.
"""
