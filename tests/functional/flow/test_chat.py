"""``flow test --interactive``: a chat through a pipe, and through a terminal as a person has it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from functional_helper import PATIENCE_S, Project, clean_environment, command_line, ending

CHAT_FLOW = """\
inputs:
  question: {type: string, is_chat_input: true}
  chat_history: {type: list, is_chat_history: true}
  tone: {type: string, default: calm}
outputs:
  answer: {type: string, reference: "${say.output}", is_chat_output: true}
  before: {type: int, reference: "${count.output}"}
nodes:
- name: say
  type: python
  source: {type: code, path: say.py}
  inputs: {question: "${inputs.question}", history: "${inputs.chat_history}", tone: "${inputs.tone}"}
- name: count
  type: python
  source: {type: code, path: count.py}
  inputs: {history: "${inputs.chat_history}"}
"""
SAY = """\
import json
from promptflow.core import tool


@tool
def say(question: str, history: list, tone: str):
    print("printed by the tool")
    if question == "fail":
        raise ValueError("cannot say it")

    def pieces():
        yield f"<{tone}> "
        yield question
        if question == "fail late":
            raise RuntimeError("broke off")
        yield " after " + json.dumps(history)

    return pieces()
"""
COUNT = """\
from promptflow.core import tool


@tool
def count(history: list):
    return len(history)
"""
FLEX_CHAT = """\
class Chat:
    def __init__(self, bot: str = "Bo"):
        self.bot = bot

    async def __call__(self, question: str, chat_history: list = None):
        roles = [each["role"] for each in chat_history]
        yield f"{self.bot}: {question} {roles}"
"""


@pytest.fixture
def dag(project: Project) -> str:
    return project.flow("dag", CHAT_FLOW, say_py=SAY, count_py=COUNT)


def piped(project: Project, text: str, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*command_line(["flow", "test", "--interactive", *args])],
        input=text,
        cwd=project.root,
        env=clean_environment({"FLOWYARD_HOME": str(project.home)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_each_piped_line_is_a_turn_and_the_history_grows_as_promptflow_records_it(project: Project, dag: str):
    done = piped(project, "hello\n\nsecond\n", "--flow", dag)
    first, second = done.stdout.splitlines()
    assert first == "<calm> hello after []"
    assert json.loads(second.removeprefix("<calm> second after ")) == [
        {"inputs": {"question": "hello"}, "outputs": {"answer": first, "before": 0}}
    ]
    assert "printed by the tool" in done.stderr


def test_other_inputs_are_the_same_in_every_turn(project: Project, dag: str):
    done = piped(project, "a\nb\n", "--flow", dag, "--inputs", "tone=warm")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["<warm>", "<warm>"]


def test_a_chat_goes_on_from_a_history_in_a_file(project: Project, dag: str):
    history = [{"inputs": {"question": "earlier"}, "outputs": {"answer": "yes"}}]
    project.write("in.json", json.dumps({"chat_history": history}))
    done = piped(project, "a\n", "--flow", dag, "--inputs", "in.json")
    assert json.loads(done.stdout.removeprefix("<calm> a after ")) == history


def test_turns_that_fail_are_said_and_left_out_of_the_history(project: Project, dag: str):
    done = piped(project, "fail\nfail late\nfine\n", "--flow", dag, code=1)
    assert "ValueError: cannot say it (say.py:9)" in done.stderr
    assert "RuntimeError: broke off (say.py:15)" in done.stderr
    assert done.stdout.splitlines()[-1] == "<calm> fine after []"


def test_a_flex_flow_gets_messages_with_roles(project: Project):
    project.write("flex/flow.flex.yaml", "entry: chat:Chat\n")
    project.write("flex/chat.py", FLEX_CHAT)
    done = piped(project, "one\ntwo\n", "--flow", "flex", "--init", "bot=Di")
    assert done.stdout.splitlines() == ["Di: one []", "Di: two ['user', 'assistant']"]


def test_a_prompty_streams_its_answer(project: Project):
    project.write(
        "ask.prompty",
        "---\nmodel:\n  configuration: {type: openai, model: small, connection: c}\n  parameters: {stream: true}\n"
        "inputs:\n  question: {type: string}\n  chat_history: {type: list, default: []}\n---\nsystem:\nBe brief.\n"
        "{% for each in chat_history %}\n{{ each.role }}:\n{{ each.content }}\n{% endfor %}\nuser:\n{{ question }}\n",
    )
    rules = "rules:\n- when: {user: second}\n  reply: 'Two.'\n- reply: 'One.'\n"
    rules_file = project.write("rules.yaml", rules)
    done = piped(project, "first\nsecond\n", "--flow", "ask.prompty", "--simulate", str(rules_file))
    assert done.stdout.splitlines() == ["One.", "Two."]
    assert "Simulated model" in done.stderr


def test_what_is_no_chat_is_refused(project: Project):
    flow = project.echo_flow()
    done = piped(project, "a\n", "--flow", flow, code=2)
    assert done.stdout == ""
    assert "is not a chat" in done.stderr
    assert "is_chat_input: true" in done.stderr


def test_characters_that_steer_a_terminal_are_not_passed_on(project: Project):
    project.write("flex/flow.flex.yaml", "entry: chat:go\n")
    project.write("flex/chat.py", "def go(question: str, chat_history: list):\n    return 'a\\x1b[2Jb'\n")
    assert piped(project, "x\n", "--flow", "flex").stdout == "a�[2Jb\n"


class Terminal:
    """A chat in a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, pattern: str) -> None:
        """Read what is shown until it matches; what was shown before the match is forgotten."""
        until = time.monotonic() + 30
        while (found := re.search(pattern, self.seen)) is None:
            assert time.monotonic() < until, self.seen
            if select.select([self._master], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self._master, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    raise AssertionError(self.seen) from None
        self.seen = self.seen[found.end() :]

    def press_until(self, key: str, pattern: str) -> None:
        """Press a key as a person does, again when nothing comes of it, until what is shown matches.

        Python's ``input`` notices an interrupt that came just before it began to wait only at the next key.
        """
        for _ in range(14):
            self.type(key)
            until = time.monotonic() + 2
            while time.monotonic() < until and not re.search(pattern, self.seen):
                if select.select([self._master], [], [], 0.1)[0]:
                    self.seen += os.read(self._master, 65536).decode(errors="replace")
            if re.search(pattern, self.seen):
                return
        raise AssertionError(self.seen)

    def code(self) -> int:
        return self.process.wait(timeout=PATIENCE_S)


@contextmanager
def terminal(project: Project, *args: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest itself may be ignoring it
    process = subprocess.Popen(
        ["setsid", "--ctty", *command_line(["flow", "test", "--interactive", *args])],
        cwd=project.root,
        env=clean_environment({"FLOWYARD_HOME": str(project.home), "TERM": "dumb"}),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    signal.signal(signal.SIGINT, before)
    os.close(slave)
    try:
        with ending(process):  # type: ignore[arg-type]
            yield Terminal(process, master)
    finally:
        os.close(master)


def test_a_chat_in_a_terminal_ends_politely_at_the_end_of_input(project: Project, dag: str):
    with terminal(project, "--flow", dag) as shown:
        shown.wait_for("Ctrl-D ends it")
        shown.wait_for("You: ")
        shown.type("hello\n")
        shown.wait_for(r"Bot: <calm> hello after \[\]")
        shown.wait_for("You: ")
        shown.type("fail\n")
        shown.wait_for("cannot say it")
        shown.wait_for("You: ")
        shown.type("\x04")
        shown.wait_for("The chat has ended")
        assert shown.code() == 1


def test_lines_that_are_pasted_at_once_are_one_message(project: Project, dag: str):
    with terminal(project, "--flow", dag) as shown:
        shown.wait_for("You: ")
        shown.type("one\ntwo\n\nthree\n")
        shown.wait_for(r"Bot: <calm> one\r?\ntwo\r?\n\r?\nthree after \[\]")
        shown.wait_for("You: ")
        shown.type("\x04")
        assert shown.code() == 0


def test_an_interrupt_at_the_prompt_ends_the_chat(project: Project, dag: str):
    with terminal(project, "--flow", dag) as shown:
        shown.wait_for("You: ")
        shown.type("not s")
        shown.wait_for("not s")
        shown.press_until("\x03", "The chat has ended")
        assert shown.code() == 0


def test_an_interrupt_while_the_flow_works_ends_the_command(project: Project):
    project.write("flex/flow.flex.yaml", "entry: chat:go\n")
    code = "import time\n\n\ndef go(question: str, chat_history: list):\n    yield 'begun'\n    time.sleep(60)\n"
    project.write("flex/chat.py", code)
    with terminal(project, "--flow", "flex") as shown:
        shown.wait_for("You: ")
        shown.type("x\n")
        shown.wait_for("begun")
        shown.type("\x03")
        shown.wait_for("Interrupted")
        assert shown.code() == 130


def test_nothing_is_written_by_a_chat(project: Project, dag: str):
    before = sorted(path for path in Path(project.root).rglob("*") if path.is_file())
    piped(project, "a\n", "--flow", dag)
    assert sorted(path for path in Path(project.root).rglob("*") if path.is_file()) == before
    assert not project.home.exists()
