"""Watched sources: the file that names them, what a tick of their sensors finds, full scans, and purging."""
