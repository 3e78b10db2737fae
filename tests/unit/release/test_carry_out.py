"""A release that is stopped anywhere goes on where it was, and does nothing twice that it had written down."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.errors import Conflict, ExitCode, NotFound, OutsideError, StoreError
from flowyard.release import Outcome, ReleaseLog, ReleaseRecord, Step, Work, carry_out

NAMES = ("first", "second", "third")


class Killed(BaseException):
    """The process ends here."""


def begin(log: ReleaseLog, names: tuple[str, ...] = NAMES) -> ReleaseRecord:
    return log.create("shop", env="dev", target="local", by="ann", versions={"the flow": "1"}, steps=names)


def go(record: ReleaseRecord, steps: list[Step], log: ReleaseLog, until: str | None = None) -> ReleaseRecord:
    return carry_out(record, steps, log, until=until, on_begin=lambda *_: None, on_end=lambda _: None)


@settings(deadline=None)
@given(st.lists(st.sampled_from([(name, place) for name in NAMES for place in ("before", "noted", "after")])))
def test_killed_anywhere_it_comes_to_the_same(tmp_path_factory: pytest.TempPathFactory, kills: list[tuple[str, str]]):
    log = ReleaseLog(tmp_path_factory.mktemp("home"))
    left, paid = list(kills), []

    def dies(name: str, place: str) -> None:
        if (name, place) in left:
            left.remove((name, place))
            raise Killed

    def step(name: str) -> Step:
        def act(work: Work) -> Outcome:
            dies(name, "before")
            if "paid" not in work.result(name):
                paid.append(name)
                work.note(name, paid=len(paid))
            dies(name, "noted")
            dies(name, "after")
            return Outcome({"done": True}, f"{name} is done")

        return Step(name, name, act)

    steps = [step(name) for name in NAMES]
    record = begin(log)
    for _ in range(len(kills) + 1):
        try:
            record = go(record, steps, log)
        except Killed:
            found = log.unfinished("shop", "dev", "local")
            assert found is not None
            record = found
    assert record.state == "done"
    assert paid == list(NAMES)
    assert [dict(each.result) for each in record.steps] == [{"paid": n, "done": True} for n in (1, 2, 3)]
    assert log.get(record.key) == record
    assert log.unfinished("shop", "dev", "local") is None


def plain(name: str, act: Callable[[Work], Outcome] | None = None) -> Step:
    return Step(name, name, act or (lambda _: Outcome({}, name)))


def test_a_no_ends_it_for_good(tmp_path: Path):
    log = ReleaseLog(tmp_path)
    refusing = plain("second", lambda _: Outcome({}, "too low", ExitCode.GATE_NO))
    record = go(begin(log), [plain("first"), refusing, plain("third")], log)
    assert (record.state, record.exit_code) == ("refused", ExitCode.GATE_NO)
    assert [each.state for each in record.steps] == ["done", "refused", "waiting"]
    assert log.unfinished("shop", "dev", "local") is None  # a new one begins anew


def test_who_waits_for_people_goes_on_another_time(tmp_path: Path):
    log = ReleaseLog(tmp_path)
    answers = [Outcome({"asked": 1}, "asked", pending=True), Outcome({}, "yes")]
    steps = [plain("first"), plain("second", lambda _: answers.pop(0)), plain("third")]
    record = go(begin(log), steps, log)
    assert (record.state, record.exit_code) == ("unfinished", 0)
    assert record.step("third").state == "waiting"
    assert go(record, steps, log).state == "done"


def test_until_a_step(tmp_path: Path):
    log = ReleaseLog(tmp_path)
    record = go(begin(log), [plain(name) for name in NAMES], log, until="second")
    assert [each.state for each in record.steps] == ["done", "done", "waiting"]


def test_one_process_at_a_time_for_one_place(tmp_path: Path):
    one, other = ReleaseLog(tmp_path), ReleaseLog(tmp_path)
    with one.alone("shop", "dev"):
        with pytest.raises(Conflict), other.alone("shop", "dev"):
            raise AssertionError("two at once")
        with other.alone("shop", "prod"):
            pass
    with other.alone("shop", "dev"):
        pass


def test_what_is_no_release_is_left_out_and_told(tmp_path: Path):
    log = ReleaseLog(tmp_path)
    kept = begin(log)
    for content in ("", "{", "[]", '{"name": "shop"}', '{"steps": [{"nam": 1}]}'):
        folder = tmp_path / "releases" / "shop" / f"damaged{len(content)}"
        folder.mkdir()
        (folder / "release.json").write_text(content)
    assert log.list() == [kept]
    assert len(log.damaged("shop")) == 5
    with pytest.raises(StoreError, match="damaged"):
        log.get("shop/damaged1")
    with pytest.raises(NotFound, match="shopp"):
        log.get("shopp")


def test_a_place_that_cannot_be_written_is_an_error_outside(tmp_path: Path):
    (tmp_path / "releases").write_text("a file")
    with pytest.raises(OutsideError, match="cannot be written down"):
        begin(ReleaseLog(tmp_path))
