"""A human says yes or no to one version for one place, in time, and it is written down for good."""
