"""The process of an installation that has models and connections open for others: where it is, and asking it.

The process itself is in `serve`; nothing of it is imported here.
"""
