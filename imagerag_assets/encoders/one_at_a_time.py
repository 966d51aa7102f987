"""Models are loaded one at a time: transformers changes torch's default number format for all threads meanwhile.

A model that another thread builds in that moment would take the wrong format, and keep it.
"""

from __future__ import annotations

from threading import RLock

LOADING = RLock()
"""Held while a model of any kind is loaded in this process."""
