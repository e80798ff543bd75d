"""Pages of the farm for a person: what it renders, what that costs, and the frames.

``site`` answers a path; ``farm_page`` and ``task_page`` each look at the farm, while nothing moves, and show
what they have seen, while the farm goes on. All HTML is made by ``markup``, which escapes what is put in.
"""
