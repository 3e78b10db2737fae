"""Judging what production answered: a sample of its exchanges, by the evaluators of the experiment, each once."""
