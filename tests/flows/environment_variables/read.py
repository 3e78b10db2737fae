import os

from promptflow.core import tool


@tool
def read(x):
    return x + " " + os.environ["FLOW_FOLDER_GREETING"]
