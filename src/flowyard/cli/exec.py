"""``flowyard exec``"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import types
from importlib import resources
from pathlib import Path

import click

from flowyard._util.promptflow_names import install_promptflow_names
from flowyard.cli.shared.options import read_settings
from flowyard.errors import UserError

__all__ = ["exec_"]

_LIKE_PYTHON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command("exec", context_settings=_LIKE_PYTHON)
@click.option("-m", "as_module", is_flag=True, help="The first argument is a module's name, as in python -m.")
@click.option("--env-file", metavar="FILE", help="Read connections from this .env file.")
@click.option("--simulate", metavar="RULES", help="Answer every model call from this rules file; no key is needed.")
@click.option("--home", metavar="DIR", help="Where runs are kept.")
@click.option("--children", is_flag=True, help="Python processes that the script starts answer to promptflow, too.")
@click.argument("script", metavar="SCRIPT")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def exec_(
    as_module: bool,
    env_file: str | None,
    simulate: str | None,
    home: str | None,
    children: bool,
    script: str,
    args: tuple[str, ...],
) -> None:
    """Run a Python script that imports promptflow, unchanged and without that package.

    Options go before the script; what comes after it is the script's. The exit code is the script's own.
    """
    if not as_module and not Path(script).is_file():
        raise UserError(f"There is no script {script}.", hint="To run a module: flowyard exec -m MODULE")
    read_settings(home, env_file, simulate)
    if children:
        _answer_in_children()
    install_promptflow_names()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as under python: scripts expect no KeyboardInterrupt from it
    _run(script, args, as_module=as_module)


def _answer_in_children() -> None:
    """Put our ``sitecustomize`` on the path of Python processes to come."""
    folder = str(resources.files("flowyard.compat") / "children")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))


def _run(script: str, args: tuple[str, ...], *, as_module: bool) -> None:
    """Run it as ``__main__``; what it raises is shown as Python shows it, without our frames."""
    sys.argv = [script, *args]
    sys.path[0] = str(Path.cwd() if as_module else Path(script).resolve().parent)
    try:
        if as_module:
            runpy.run_module(script, run_name="__main__", alter_sys=True)
        else:
            _run_script(script)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None and _is_ours(trace.tb_frame.f_code.co_filename):
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        sys.exit(1)


def _run_script(script: str) -> None:
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=script, __builtins__=__builtins__, __cached__=None)
    sys.modules["__main__"] = main  # kept after the script's end: threads and pickles look it up
    code = compile(Path(script).read_bytes(), script, "exec", dont_inherit=True)
    exec(code, main.__dict__)  # noqa: S102 - running the user's script is what this command is for


def _is_ours(file: str) -> bool:
    return file in (__file__, runpy.__file__) or file.startswith("<frozen")
