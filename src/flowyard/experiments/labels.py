"""What people call one selection; runs use the same text."""

from flowyard.flows.labels import NOTHING_SELECTED, selection_label

__all__ = ["NOTHING_SELECTED", "selection_label"]
