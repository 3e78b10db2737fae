"""A simulated language model: the OpenAI wire format, answers from a rules file, the same for the same seed."""

from flowyard.simulation.rules import Rules, load_rules
from flowyard.simulation.simulator import Simulator
from flowyard.simulation.wire import Answer, chunks

__all__ = ["Answer", "Rules", "Simulator", "chunks", "load_rules"]
