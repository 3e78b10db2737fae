"""From a flow to something that runs elsewhere."""
