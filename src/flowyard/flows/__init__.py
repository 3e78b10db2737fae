"""Flow files on disk become one typed ``Flow``; nothing is executed here."""

from flowyard.flows.load import load_flow
from flowyard.flows.model import DagFlow, FlexFlow, Flow, Input, InputRef, Literal, Node, NodeRef, Output, PromptyFlow

__all__ = [
    "DagFlow",
    "FlexFlow",
    "Flow",
    "Input",
    "InputRef",
    "Literal",
    "Node",
    "NodeRef",
    "Output",
    "PromptyFlow",
    "load_flow",
]
