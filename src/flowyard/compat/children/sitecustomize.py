"""Imported by Python at its start when this folder is on PYTHONPATH, as ``flowyard exec --children`` puts it there.

Python imports one ``sitecustomize`` only, so another one further down the path is run from here.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

from flowyard._util.promptflow_names import install_promptflow_names

install_promptflow_names()

_here = Path(__file__).parent.resolve()
_spec = PathFinder.find_spec("sitecustomize", [place for place in sys.path if Path(place or ".").resolve() != _here])
if _spec is not None and _spec.loader is not None:
    _spec.loader.exec_module(module_from_spec(_spec))
