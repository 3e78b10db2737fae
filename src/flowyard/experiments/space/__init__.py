"""What an experiment tries: variants of nodes times values of parameters, by grid or at random, never twice."""

from flowyard.experiments.space.expand import Selection
from flowyard.experiments.space.selections import Selected, select

__all__ = ["Selected", "Selection", "select"]
