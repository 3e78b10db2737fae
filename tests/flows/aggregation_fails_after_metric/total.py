from promptflow.core import log_metric, tool


@tool
def total(values):
    log_metric("first", 1)
    raise RuntimeError("too late")
