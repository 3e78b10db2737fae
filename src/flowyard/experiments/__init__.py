"""``experiment.yaml``: every dataset with every variant, each run judged by the evaluators of its dataset.

Nothing is imported here: workers of every run load ``connections.py``, and need none of the rest.
"""
