"""Starts a component of Airflow before its database is there.

``prewarmed_component.py MODULE ARGUMENT...`` imports the module, waits until its standard input is closed,
then runs ``airflow ARGUMENT...``. Most of a start is importing, which needs no database.
"""

import gc
import sys
from importlib import import_module

if __name__ == "__main__":
    del sys.path[0]  # this file's folder: its modules could hide others of the same name
    gc.disable()  # collecting garbage while there is none takes a third of the time
    import_module(sys.argv.pop(1))
    gc.freeze()
    gc.enable()
    sys.stdin.read()
    import_module("airflow.__main__").main()
