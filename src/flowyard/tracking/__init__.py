"""Runs and experiments in MLflow: parameters, metrics, files and a trace of each line, published once."""

from flowyard.tracking.publish import Published, Publisher, check_url, open_publisher

__all__ = ["Published", "Publisher", "check_url", "open_publisher"]
