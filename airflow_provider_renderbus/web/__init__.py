"""The frame wall: the renders of an Airflow task or DAG run, with their frames, on a page in Airflow's UI.

Airflow (3.1 and later) loads `plugin`, which imports the rest at the first request to the API server. The
paths below are stable, and relative to Airflow's base URL; ids are URL-encoded, and a task that is not mapped
has the map index -1::

    renderbus/dags/DAG/runs/RUN                      the page of a DAG run
    renderbus/dags/DAG/runs/RUN/tasks/TASK/INDEX     the page of a task instance

and below both ``renders``, the renders of the page as JSON; below that of a task instance::

    leaves/LEAF/frames                the frames of a layer as JSON; ?since=SERIES-VERSION,…: what has changed
    leaves/LEAF/frames/FRAME.jpg      the picture of a frame
    leaves/LEAF/frames/FRAME/log      the end of its log as JSON
    leaves/LEAF/sprites/NUMBER        small pictures of twenty frames in one
    leaves/LEAF/poster.jpg            the picture of some frame

LEAF is the id of a layer's task on the farm, or of the render if it has no layers; FRAME is the id of a
frame. `airflow_provider_renderbus.links.picture_url` returns the path of a picture.

Each path requires Airflow's permission to read the task instances and XComs of the DAG, and a log that to
read its task logs. A page shows the renders whose ids its Airflow tasks have pushed as XComs, on the
connection of these tasks; a path cannot name another render or connection. Nothing can be changed.
"""
