"""flowyard: GenAIOps for prompt flows, from a flow folder and a dataset to a decision, on any machine."""

__version__ = "0.1.0"
