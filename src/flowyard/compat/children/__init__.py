"""A folder for PYTHONPATH: Python processes that are started with it answer to ``promptflow``."""
