"""Calls in a process of their own, whose crash, hang or memory cannot take this one down.

What is called belongs elsewhere: nothing here knows of rasters.  `pool` starts and keeps the processes, `worker` is
what they run, and `messages` is how the two talk.
"""
