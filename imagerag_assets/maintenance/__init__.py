"""Keeping an installation whole: what does not fit together in it, and copies of what cannot be made again."""
