"""``flowyard monitor check`` and ``watch``"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from flowyard._util.lock import try_lock, unlock
from flowyard.cli.monitor.policy import Watch, open_watch, policy_options
from flowyard.cli.shared.options import read_settings
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.cli.shared.tables import print_table, printable
from flowyard.errors import Conflict, ExitCode, OutsideError
from flowyard.production.alerts.look import Alert
from flowyard.production.alerts.tell import Told
from flowyard.production.metrics.otlp import OtlpMetrics, open_otlp
from flowyard.production.metrics.readings import read_metrics
from flowyard.production.store.collect import collect
from flowyard.reports.values import plural

__all__ = ["check", "watch"]


@click.command()
@policy_options
@click.option("--notify", is_flag=True, help="Tell people, too; else a later look with --notify, or watch, does.")
def check(use_case: str | None, config: str | None, notify: bool, home: str | None, as_json: bool) -> int:
    """Look once by the rules in monitoring.yaml of USECASE, at what is in the store.

    Exits with 3 when a rule of severity critical fires, else with 0.
    """
    watched = open_watch(use_case, config, home)
    alerts = watched.look()
    told: Sequence[Told] = ()
    if notify:
        with _sending(watched) as may_send:
            told = watched.tell() if may_send else ()
        if not may_send:
            print_warnings(["flowyard monitor watch runs here, and tells people."])
    if as_json:
        print_json(_view(watched, alerts))
    else:
        _print(watched, alerts)
    print_warnings(_not_told(told))
    return ExitCode.GATE_NO if any(_is_critical(each) for each in alerts) else ExitCode.DONE


@click.command()
@policy_options
@click.option("--every", "every_s", type=click.FloatRange(0.1, 86_400), default=60.0, help="Seconds between two looks.")
@click.option("--otlp", metavar="URL", help="Send metrics there after each look: https://HOST/v1/metrics")
def watch(
    use_case: str | None, config: str | None, every_s: float, otlp: str | None, home: str | None, as_json: bool
) -> None:
    """Collect, look and tell people, again and again until Ctrl-C. One for each home.

    With --json, one line of JSON for each look in which something changed.
    """
    watched = open_watch(use_case, config, home)
    out = None if otlp is None else open_otlp(otlp, read_settings(home).environ)
    with _sending(watched) as may_send:
        if not may_send:
            raise Conflict("Somebody watches already with this home.", hint="One is enough; it goes on.")
        _follow(watched, every_s, threading.Event(), out, lambda alerts: _print_news(watched, alerts, as_json=as_json))


def _follow(
    watched: Watch,
    every_s: float,
    stop: threading.Event,
    out: OtlpMetrics | None,
    on_change: Callable[[Sequence[Alert]], None],
) -> None:
    """Look again and again; what fails outside, such as a database that restarts, is tried again."""
    before: set[tuple[str, ...]] | None = None
    warned: list[str] = []
    while True:
        try:
            alerts, warnings = _look(watched, out)
        except OutsideError as error:
            warnings = [f"Tried again in {every_s:g} s: {error.message}"]
        else:
            now: set[tuple[str, ...]] = {(each.rule.name, each.state.group, each.state.state) for each in alerts}
            if now != before:
                before = now
                on_change(alerts)
        if warnings != warned:  # what fails goes on failing for a while: it is said once
            warned = warnings
            print_warnings(warnings)
        if stop.wait(every_s):
            return


def _look(watched: Watch, out: OtlpMetrics | None) -> tuple[list[Alert], list[str]]:
    """The alerts, and what did not go well."""
    if watched.policy.records:
        collect(watched.store, watched.policy.records)
    alerts = watched.look()
    warnings = _not_told(watched.tell())
    if out is not None and (problem := out.send(read_metrics(watched.store, watched.policy.flow))):
        warnings.append(problem)
    return alerts, warnings


@contextmanager
def _sending(watched: Watch) -> Iterator[bool]:
    """Whether this process may send messages now; others may not meanwhile. A killed one holds nothing."""
    with watched.lock_path.open("a+b") as file:
        if not try_lock(file):
            yield False
            return
        try:
            yield True
        finally:
            unlock(file)


def _is_critical(alert: Alert) -> bool:
    return alert.rule.severity == "critical" and alert.state.state == "firing"


def _not_told(told: Sequence[Told]) -> list[str]:
    """Each way that failed with its reason, once."""
    failed = [each for each in told if each.problem]
    said = [f"Not told by {each.message.target}: {each.problem}\n  {each.hint}".rstrip() for each in failed]
    return list(dict.fromkeys(said))


def _print_news(watched: Watch, alerts: Sequence[Alert], *, as_json: bool) -> None:
    if as_json:
        print_json(_view(watched, alerts), indent=None)
    else:
        _print(watched, alerts)


def _print(watched: Watch, alerts: Sequence[Alert]) -> None:
    firing = [each for each in alerts if each.state.state == "firing"]
    alerts_text, rules_text = plural(len(firing), "alert"), plural(len(watched.policy.rules), "rule")
    click.echo(f"{printable(watched.policy.flow)}: {alerts_text} of {rules_text}")
    measured = {each.rule.name for each in alerts}
    if quiet := [printable(rule.name) for rule in watched.policy.rules if rule.name not in measured]:
        click.echo(f"Nothing was recorded yet in the time of {', '.join(quiet)}.")
    if not alerts:
        return
    print_table(
        ["rule", "version", "state", "severity", "value"],
        [
            (
                printable(each.rule.name),
                printable(each.state.group)[:16],
                each.state.state,
                each.rule.severity,
                printable(each.state.text),
            )
            for each in alerts
        ],
        whole=["state", "severity"],
    )


def _view(watched: Watch, alerts: Sequence[Alert]) -> dict[str, Any]:
    """What machines get: the names in it are a contract."""
    return {
        "flow": watched.policy.flow,
        "firing": sum(each.state.state == "firing" for each in alerts),
        "critical": sum(map(_is_critical, alerts)),
        "alerts": [
            {
                "rule": each.rule.name,
                "when": each.rule.when.text,
                "severity": each.rule.severity,
                "version": each.state.group or None,
                "state": each.state.state,
                "since": each.state.since.isoformat(),
                "value": each.state.value,
                "text": each.state.text,
            }
            for each in alerts
        ],
    }
