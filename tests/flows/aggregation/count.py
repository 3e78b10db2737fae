from promptflow.core import log_metric, tool


@tool
def count(count):
    log_metric("count", count)
