"""The files of a new A/B test are read back as what they were made of."""

from __future__ import annotations

from pathlib import Path

from flowyard.ab.policy.file import find_policy
from flowyard.ab.policy.new_files import NewArm, new_test_files
from flowyard.gateway import load_gateway_settings

CONTROL = NewArm("dev", "http://127.0.0.1:8080", "shop:3")
TREATMENT = NewArm("test", "http://127.0.0.1:8081", "shop:4")


def test_both_files_belong_together(tmp_path: Path):
    for name, content in new_test_files("shop", CONTROL, TREATMENT, (8900, 8901), "../records").items():
        (tmp_path / name).write_bytes(content)
    gateway = load_gateway_settings(tmp_path / "gateway.yaml", {"GATEWAY_KEY": "k"})
    arms = [(name, each.weight, each.version) for name, each in gateway.backends.items()]
    assert arms == [("dev", 100, "shop:3"), ("test", 0, "shop:4")]
    assert gateway.exposures is not None
    assert gateway.exposures.resolve() == tmp_path.parent / "records"
    assert gateway.control is not None
    policy = find_policy(tmp_path)
    assert (policy.control, policy.treatment, policy.experiment) == ("dev", "test", gateway.experiment)
    assert policy.split is not None
    assert (policy.split.gateway, policy.split.key) == (f"http://127.0.0.1:{gateway.control.port}", "${GATEWAY_KEY}")
