"""The web console of the farm: its tasks, their costs and their frames.

``router`` responds to a path. ``farm_page`` and ``task_page`` each have ``build_view``, which reads the
simulation under its lock, and ``render``, which makes the HTML after the lock is released. ``elements``
escapes all values.
"""
