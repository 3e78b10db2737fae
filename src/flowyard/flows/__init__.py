"""Flow files on disk become one typed ``Flow`` (``flows.load``); nothing is executed here."""

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
]
