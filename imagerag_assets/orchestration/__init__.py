"""Dagster: one of its concepts a file, and running jobs from the process of a command.

This is the only room that imports Dagster.  The rooms below do the work; here it is named, wired and reported.
Importing the package alone does not import Dagster, which takes a second.
"""
