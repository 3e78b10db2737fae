"""``flowyard flow test --interactive``: a chat in the terminal.

What a person types goes to the flow turn by turn; the answer is shown as it comes. Piped input is taken line by line,
so a conversation can be scripted; then only answers are on stdout.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TextIO

import click

from flowyard.cli.shared.output import print_errors, user_prints_to_stderr
from flowyard.cli.shared.tables import printable
from flowyard.engine import LineRunner
from flowyard.engine.stream import TextStream
from flowyard.errors import ExitCode
from flowyard.flows.chat import ChatShape, require_chat
from flowyard.media import as_base64
from flowyard.records import LineResult, LineTask
from flowyard.runs.single import require_inputs
from flowyard.sessions.encoding import storable

__all__ = ["chat"]

_PASTE_GAP_S = 0.05
"""Lines that follow each other faster than anyone types belong to one message."""


def chat(loop: asyncio.Runner, runner: LineRunner, values: Mapping[str, Any]) -> ExitCode:
    """Talk with a flow until the input ends; ``values`` are its other inputs, and the history to go on from.

    Ctrl-D or Ctrl-C ends it; Ctrl-C while the flow works interrupts the whole command, as everywhere. A turn that fails
    is shown, left out of the history, and the chat goes on; the exit code then says so. Raises UserError when the flow
    is no chat or needs more inputs.
    """
    conversation = _Conversation(runner, require_chat(runner.flow), values)
    people = _Terminal() if sys.stdin.isatty() else _Pipe()
    people.greet(runner.flow.name)
    while (said := people.listen()) is not None:
        if said.strip():
            loop.run(conversation.turn(said, people))
    people.leave()
    if runner.spent_usage.simulated_calls:
        click.echo("Simulated model: no real model was called.", err=True)
    return ExitCode.FAILED_LINES if conversation.failures else ExitCode.DONE


class _Pipe:
    """Input and output that no person sits at: one line is one message, one answer ends with a line end."""

    prompt = ""
    name = ""

    def greet(self, flow: str) -> None:
        """Say nothing."""

    def listen(self) -> str | None:
        """The next message; None when there are no more."""
        line = sys.stdin.readline()
        return line.rstrip("\r\n") if line else None

    def leave(self) -> None:
        """Say nothing."""


class _Terminal(_Pipe):
    """A person at a terminal; several lines that are pasted at once are one message."""

    name = "Bot: "

    def greet(self, flow: str) -> None:
        click.secho(f"Chat with {flow}. Ctrl-D ends it.", dim=True, err=True)
        with suppress(ImportError):
            __import__("readline")  # line editing and earlier messages on the arrow keys, where Python has it

    def listen(self) -> str | None:
        try:
            lines = [input("You: ")]
            while _more_is_waiting():
                lines.append(input())
        except (EOFError, KeyboardInterrupt):
            return None
        return "\n".join(lines)

    def leave(self) -> None:
        click.echo("\nThe chat has ended.", err=True)


def _more_is_waiting() -> bool:
    """Whether another line is there already; Windows cannot tell."""
    return sys.platform != "win32" and bool(select.select([sys.stdin], [], [], _PASTE_GAP_S)[0])


class _Conversation:
    """The turns so far, as the flow will see them."""

    def __init__(self, runner: LineRunner, shape: ChatShape, values: Mapping[str, Any]) -> None:
        self._runner = runner
        self._shape = shape
        rest = {name: value for name, value in values.items() if name != shape.question}
        self._inputs = require_inputs(runner.flow, {**rest, shape.question: "", shape.history: []} | rest)
        self._history = list(self._inputs[shape.history])
        self.failures = 0

    async def turn(self, said: str, people: _Pipe) -> None:
        """Ask the flow and show its answer; a failure is shown too."""
        inputs = {**self._inputs, self._shape.question: said, self._shape.history: list(self._history)}
        out = sys.stdout
        with user_prints_to_stderr():
            line = await self._runner.run_line(LineTask(0, inputs), stream=True)
            line = await self._shown(line, people.name, out)
        if line.error:
            self.failures += 1
            print_errors([("", line.error)], 1)
            return
        self._history += self._shape.turn(said, line.outputs)

    async def _shown(self, line: LineResult, name: str, out: TextIO) -> LineResult:
        """Write the answer, in pieces if it comes in pieces, and return the line with every output complete."""
        if line.error:
            return line
        answer = self._shape.answer_in(line.outputs)
        outputs: dict[str, Any] = {}
        out.write(name)
        try:
            for key, value in line.outputs.items():
                outputs[key] = await _complete(value, out if key == answer else None)
        except Exception as error:  # the rest of the flow's code, or a broken connection, may raise anything
            return replace(line, outputs={}, error=self._runner.failure(error))
        finally:
            out.write("\n")
            out.flush()
        show = partial(as_base64, format=self._runner.flow.message_format)
        stored, _ = storable(replace(line, outputs=outputs), show)
        return stored


async def _complete(value: Any, out: TextIO | None) -> Any:
    """The whole of an output; what comes is written to ``out`` at once."""
    if not isinstance(value, TextStream):
        if out is not None:
            out.write(printable(value))
        return value
    pieces = []
    async for piece in value:
        pieces.append(str(piece))
        if out is not None:
            out.write(printable(str(piece)))
            out.flush()
    return "".join(pieces)
