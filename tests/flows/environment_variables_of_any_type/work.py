import os

from promptflow.core import tool

NAMES = ["A_TEXT", "A_NUMBER", "A_FLAG", "A_LIST", "A_MAPPING", "AN_EMPTY_TEXT"]


@tool
def work(x):
    return "; ".join(os.environ["FLOW_FOLDER_" + name] for name in NAMES)
