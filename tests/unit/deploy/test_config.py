"""Where a use case is deployed, as its file says it, and everything that is wrong with the file."""

import json
from pathlib import Path

import pytest

from flowyard.deploy.config.environment import DeployEnvironment
from flowyard.deploy.config.file import parse_memory
from flowyard.deploy.config.read import DeployConfig, fill_in, has_environment, read_deploy_config
from flowyard.errors import Conflict, NotFound, UserError


def read(folder: Path, text: str) -> DeployConfig:
    (folder / "deployment.yaml").write_text(text)
    return read_deploy_config(folder)


def test_what_is_left_out_has_a_safe_default(tmp_path: Path):
    found = read(tmp_path, "environments:\n  prod: {target: local}\n").find("prod")
    assert (found.needs_approval, found.traffic, found.instances, found.port) == (True, 100, 1, None)
    assert (found.endpoint_of("my_shop"), found.where) == ("my-shop-prod", "deployment.yaml:2")


def test_all_of_it(tmp_path: Path):
    (tmp_path / "one.json").write_text("{}")
    text = """\
environments:
  dev:
    target: docker
    endpoint: shop
    approval: not_required
    port: 8081
    env: {A: 1, API_KEY: "${KEY}", B: "x ${C} y"}
    connections: [model]
    instances: 2
    cpu: 0.5
    memory: 1.5Gi
    traffic: 10
    options: {network: host}
    test: {file: one.json, suite: integration, max_latency_p95_ms: 900, requests: 20, concurrency: 3}
"""
    found = read(tmp_path, text).find("dev", "docker")
    assert found.variables == {"A": "1", "API_KEY": "${KEY}", "B": "x ${C} y"}
    assert (found.cpu, found.memory_mb, found.traffic, found.options) == (0.5, 1536, 10, {"network": "host"})
    assert (found.test.file, found.test.suite, found.test.concurrency) == (tmp_path / "one.json", "integration", 3)
    assert fill_in(found.variables, {"KEY": "k", "C": "c"}, None) == {"A": "1", "API_KEY": "k", "B": "x c y"}


def test_every_problem_is_told_with_its_line(tmp_path: Path):
    text = """\
environments:
  prod:
    target: lokal
    endpiont: shop
    env: {A: true}
    traffic: 0
    memory: much
    test: {fiel: x.json}
"""
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    for line, said in enumerate(("target", "Did you mean 'endpoint'?", "quote true", "traffic", "512Mi", "'file'"), 3):
        assert f"deployment.yaml:{line}" in caught.value.message
        assert said in caught.value.message


def test_problems_between_values(tmp_path: Path):
    text = """\
environments:
  prod:
    target: local
    approval: not_required
    env: {API_KEY: sk-1234567890abcdef, B-C: x}
    test: {file: nothing.json}
"""
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    for said in ("prod' is not deployed to without", "API_KEY looks like a secret", "'B-C'", "no file nothing.json"):
        assert said in caught.value.message
    assert "sk-1234567890abcdef" not in str(caught.value)


def test_an_environment_that_is_not_there_is_an_error_with_those_that_are(tmp_path: Path):
    config = read(tmp_path, "environments:\n  dev: {target: local}\n  prod: {target: docker}\n")
    with pytest.raises(NotFound) as caught:
        config.find("stage")
    assert caught.value.hint == "It has: 'dev', 'prod'."
    with pytest.raises(NotFound, match="not to 'docker'"):
        config.find("dev", "docker")
    with pytest.raises(NotFound):
        read_deploy_config(tmp_path / "nowhere")
    assert has_environment(tmp_path, "dev")
    assert not has_environment(tmp_path, "stage")
    assert not has_environment(tmp_path / "nowhere", "dev")


TEMPLATE = {
    "azure_managed_endpoint": [
        {
            "ENV_NAME": "dev",
            "TEST_FILE_PATH": "sample-request.json",
            "ENDPOINT_NAME": "shop-aml",
            "PRIOR_DEPLOYMENT_NAME": "",
            "PRIOR_DEPLOYMENT_TRAFFIC_ALLOCATION": "10",
            "CURRENT_DEPLOYMENT_NAME": "b",
            "CURRENT_DEPLOYMENT_TRAFFIC_ALLOCATION": "90",
            "DEPLOYMENT_VM_SIZE": "Standard_F4s_v2",
            "DEPLOYMENT_INSTANCE_COUNT": "2",
            "ENVIRONMENT_VARIABLES": {"example-name": "example-value"},
        }
    ],
    "kubernetes_endpoint": [{"ENV_NAME": "dev", "ENDPOINT_NAME": "shop-k8s", "COMPUTE_NAME": "aks"}],
    "webapp_endpoint": [{"ENV_NAME": "dev", "WEB_APP_NAME": "shop", "CONNECTION_NAMES": ["aoai"], "WEB_APP_SKU": "B3"}],
}


def template(folder: Path, body: object) -> DeployConfig:
    (folder / "configs").mkdir(exist_ok=True)
    (folder / "sample-request.json").write_text("{}")
    (folder / "configs" / "deployment_config.json").write_text(json.dumps(body, indent=2))
    return read_deploy_config(folder)


def test_the_template_is_read_as_it_is(tmp_path: Path):
    config = template(tmp_path, TEMPLATE)
    assert [(each.target, each.endpoint) for each in config.environments] == [
        ("azure-ml", "shop-aml"),
        ("azure-ml", "shop-k8s"),
        ("azure-webapp", "shop"),
    ]
    aml = config.environments[0]
    assert (aml.traffic, aml.instances, aml.options["instance_type"]) == (90, 2, "Standard_F4s_v2")
    assert (aml.test.file, aml.needs_approval) == (tmp_path / "sample-request.json", True)
    assert config.find("dev", "azure-webapp").connections == ("aoai",)
    with pytest.raises(Conflict, match="several entries"):
        config.find("dev")
    assert len(config.warnings) == 3
    assert all("deployment_config.json:" in each and "is not used" in each for each in config.warnings)


def test_what_is_wrong_in_the_template_is_told(tmp_path: Path):
    entry = {"ENV_NAME": "dev", "CURRENT_DEPLOYMENT_TRAFFIC_ALLOCATION": "all", "TEST_FILE_PATH": "no.json"}
    with pytest.raises(UserError) as caught:
        template(tmp_path, {"azure_managed_endpoint": [entry, {"ENDPOINT_NAME": "x"}]})
    for said in ("'all'", "no file no.json", "object with ENV_NAME"):
        assert said in caught.value.message


@pytest.mark.parametrize(("text", "megabytes"), [("512Mi", 512), ("2Gi", 2048), ("1.5G", 1536), ("256MB", 256)])
def test_memory(text: str, megabytes: int):
    assert parse_memory(text) == megabytes


@pytest.mark.parametrize("text", ["", "512", "-1Gi", "0Mi", "Gi", "1 TB"])
def test_what_is_no_memory(text: str):
    with pytest.raises(ValueError, match="512Mi"):
        parse_memory(text)


def test_names_of_endpoints_are_never_too_long():
    assert len(DeployEnvironment("production", "local").endpoint_of("a_very_long_name_of_a_use_case")) <= 32


def test_only_throwaway_environments_are_served_with_simulated_answers(tmp_path: Path):
    (tmp_path / "rules.yaml").write_text("seed: 1\n")
    (tmp_path / "deployment.yaml").write_text("environments:\n  dev: {target: local, simulate: rules.yaml}\n")
    assert read_deploy_config(tmp_path).find("dev").simulate == tmp_path / "rules.yaml"

    lines = ["environments:", "  prod: {target: docker, simulate: none.yaml}", ""]
    (tmp_path / "deployment.yaml").write_text("\n".join(lines))
    with pytest.raises(UserError) as caught:
        read_deploy_config(tmp_path)
    said = caught.value.message
    assert "'prod' is not served with simulated answers" in said
    assert "Only the target local simulates the model" in said
    assert "There is no file none.yaml" in said
    assert said.count("deployment.yaml:2: ") == 3


def test_how_the_image_is_made(tmp_path: Path):
    given = "{repository: r.example:5000/team/shop, base: 'python:3.12'}"
    text = f"environments:\n  prod:\n    target: docker\n    image: {given}\n"
    image = read(tmp_path, text).find("prod").image
    assert (image.repository, image.builder, image.base) == ("r.example:5000/team/shop", None, "python:3.12")


def test_an_image_that_was_built_elsewhere(tmp_path: Path):
    given = f"registry.example:5000/team/shop@sha256:{'1' * 64}"
    text = f"environments:\n  prod:\n    target: kubernetes\n    image: {{reference: '{given}'}}\n"
    assert read(tmp_path, text).find("prod").image.reference == given


def test_the_target_local_has_no_image(tmp_path: Path):
    with pytest.raises(UserError, match=r"deployment.yaml:4.*runs files, not images"):
        read(tmp_path, "environments:\n  prod:\n    target: local\n    image: {base: 'python:3.12'}\n")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("{repository: 'https://r.example/shop'}", "write it as registry.example/team/shop"),
        ("{repository: 'me:word@r.example/shop'}", "write it as registry.example/team/shop"),
        ("{builder: kaniko}", "'docker' or 'buildah'"),
        ("{repo: x}", "Unknown key"),
        ("{reference: 'r.example/shop:latest'}", "named by its digest"),
        ("{reference: 'me:word@r.example/shop@sha256:%s'}" % ("1" * 64), "named by its digest"),
        ("{base: 'python:3.12', reference: 'r.example/shop@sha256:%s'}" % ("1" * 64), "is built already"),
    ],
)
def test_what_is_wrong_with_an_image_is_told_with_its_line(tmp_path: Path, image: str, said: str):
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path, f"environments:\n  prod:\n    target: docker\n    image: {image}\n")
    assert "deployment.yaml:4" in str(caught.value)
    assert "me:word" not in str(caught.value)


def test_no_environment_gets_a_simulated_model_by_a_variable(tmp_path: Path):
    text = "environments:\n  prod:\n    target: local\n    env: {FLOWYARD_SIMULATE: rules.yaml}\n"
    with pytest.raises(UserError, match=r"deployment.yaml:4: FLOWYARD_SIMULATE"):
        read(tmp_path, text)
    (tmp_path / "deployment.yaml").unlink()
    with pytest.raises(UserError, match="FLOWYARD_SIMULATE"):
        template(
            tmp_path, {"webapp_endpoint": [{"ENV_NAME": "dev", "ENVIRONMENT_VARIABLES": {"FLOWYARD_SIMULATE": "x"}}]}
        )


@pytest.mark.parametrize("name", ['A:-$(id)}"; id; #', "A\nB", "A=B", "", "$A", "'"])
def test_the_templates_names_of_variables_can_do_nothing_in_a_script(tmp_path: Path, name: str):
    with pytest.raises(UserError, match="cannot be the name of a variable"):
        template(tmp_path, {"webapp_endpoint": [{"ENV_NAME": "dev", "ENVIRONMENT_VARIABLES": {name: "x"}}]})


def test_the_templates_names_of_environments_lead_nowhere(tmp_path: Path):
    with pytest.raises(UserError, match="no alias"):
        template(tmp_path, {"webapp_endpoint": [{"ENV_NAME": "../../dev"}]})
