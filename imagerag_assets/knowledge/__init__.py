"""The two knowledge bases, labels and captions, with exemplar images: reading sources, embedding, storing.

`retrieval/slow.py` searches them.
"""
