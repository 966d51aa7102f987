"""Dagster: assets, jobs, partitions, resources, and running them from a process of our own.

The only package that imports Dagster.  What the assets do is in the rooms below; here they are named, wired
and reported.  Importing this package alone does not import Dagster, which takes a second.
"""
