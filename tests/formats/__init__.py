"""Formats, situations and providers' items as small files that are made here, and what happens with each."""
