"""Flow files on disk become one typed ``Flow``; nothing is executed here."""

from flowyard.flows.load import load_flow
from flowyard.flows.model import Flow, Input, InputRef, Literal, Node, NodeRef, Output

__all__ = ["Flow", "Input", "InputRef", "Literal", "Node", "NodeRef", "Output", "load_flow"]
