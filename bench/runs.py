"""The same run on both sides: started as a person would, measured, and its outputs read back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from bench.places import FLOWYARD, PEER_PF, SCRATCH, own_env, peer_env
from bench.tree import Measured, measure

__all__ = ["own_outputs", "own_run", "peer_connection", "peer_outputs", "peer_run", "require_same"]

_NAME = "bench"


def own_run(flow: Path, data: Path, *options: str, env: dict[str, str] | None = None, name: str = _NAME) -> Measured:
    """``flowyard run create`` over the data, in a home that is empty of runs of that name."""
    home = SCRATCH / "home"
    if (home / "runs" / name).exists():
        words = [*FLOWYARD, "run", "delete", "--name", name, "--yes", "--home", home]
        subprocess.run(words, env=own_env(), check=True, capture_output=True)
    words = [*FLOWYARD, "run", "create", "--flow", flow, "--data", data, "--home", home, "--name", name]
    return measure([*words, "--json", *(options or ("--no-cache",))], cwd=SCRATCH, env=own_env(**(env or {})))


def own_outputs(column: str, name: str = _NAME) -> list[str]:
    """One output of every completed line, in order."""
    return _read(SCRATCH / "home" / "runs" / name / "outputs.jsonl", column)


def peer_run(flow: Path, data: Path, workers: int) -> Measured:
    """``pf run create`` over the data with that many worker processes."""
    shutil.rmtree(_peer_folder(), ignore_errors=True)
    subprocess.run(
        [PEER_PF, "run", "delete", "--name", _NAME, "--yes"], env=peer_env(), capture_output=True, check=False
    )
    words = [PEER_PF, "run", "create", "--flow", flow, "--data", data, "--name", _NAME]
    return measure(words, cwd=SCRATCH, env=peer_env(PF_WORKER_COUNT=str(workers)))


def peer_outputs(column: str) -> list[str]:
    return _read(_peer_folder() / "flow_outputs" / "output.jsonl", column)


def peer_connection(url: str) -> None:
    """Tell promptflow where the connection of the flows leads."""
    file = SCRATCH / "peer_connection.yaml"
    file.write_text(f"name: bench_model\ntype: open_ai\napi_key: none\nbase_url: {url}/v1\n", "utf-8")
    subprocess.run([PEER_PF, "connection", "create", "--file", file], env=peer_env(), capture_output=True, check=True)


def require_same(ours: list[str], peer: list[str], lines: int) -> None:
    """End the bench when a side lost a line or gave something else."""
    if len(ours) != lines or len(peer) != lines:
        sys.exit(f"{lines} lines were wanted; flowyard gave {len(ours)}, the peer {len(peer)}.")
    if ours != peer:
        at = next(at for at, (a, b) in enumerate(zip(ours, peer, strict=True)) if a != b)
        sys.exit(f"Outputs differ at line {at}: {ours[at]!r} and {peer[at]!r}.")


def _peer_folder() -> Path:
    return Path(peer_env()["PF_HOME_DIRECTORY"]) / ".runs" / _NAME


def _read(file: Path, column: str) -> list[str]:
    with file.open(encoding="utf-8") as lines:
        rows = sorted((json.loads(line) for line in lines), key=lambda row: row["line_number"])
    return [row[column] for row in rows]
