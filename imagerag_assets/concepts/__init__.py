"""Named concepts: kinds of things that a person shows by example, as crops that outlive scenes and encoders.

How a question uses them is in `questions/concepts.py`, how patches are scored in `retrieval/by_example.py`.
"""
