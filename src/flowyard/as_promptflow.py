"""Importing this module makes ``import promptflow`` answer with flowyard's names, for the rest of the process.

    import flowyard.as_promptflow
    from promptflow.client import PFClient

Also as a pytest plugin: ``pytest -p flowyard.as_promptflow``. The real package, if it is installed, is not touched.
"""

from flowyard._util.promptflow_names import install_promptflow_names

__all__: list[str] = []

install_promptflow_names()
