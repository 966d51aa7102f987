"""Timed work, never part of the test run."""
