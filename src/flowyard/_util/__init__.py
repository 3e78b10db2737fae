"""Leaf tools, named by what they handle; they know nothing of flows or runs."""
