"""``flowyard image build``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard._util.person import person_name
from flowyard._util.suggest import missing_file_hint
from flowyard._util.yamlfile import read_yaml
from flowyard.cli.image.look import image_view, print_image
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.deploy.image.builder import BuilderParts, EngineBuilder
from flowyard.deploy.image.content import content_of_source
from flowyard.deploy.image.open import BUILDERS, open_builder
from flowyard.deploy.image.records import ImageRecord
from flowyard.deploy.image.registered import commit_of, registered_version
from flowyard.errors import NotFound, UserError
from flowyard.registry.lineage import image_fact
from flowyard.registry.model import Version
from flowyard.registry.open import open_registry
from flowyard.registry.register_flow import add_facts
from flowyard.registry.registry import Registry
from flowyard.settings import Settings, inherited_environment

__all__ = ["build", "builder_for"]


@click.command()
@click.argument("path", required=False, metavar="[USECASE|FLOW]", type=click.Path(path_type=Path))
@click.option("--version", metavar="NAME:VERSION", help="The registered version; also NAME@ALIAS.")
@click.option("--repository", metavar="NAME", help="Where the image is pushed, such as registry.example/team/shop.")
@click.option("--push", is_flag=True, help="Push it to --repository; its reference is then by digest.")
@click.option("--builder", type=click.Choice(list(BUILDERS)), help="The program (default: the first that is there).")
@click.option("--base-image", metavar="IMAGE", help="The image to start from (default: the flow's, or a slim Python).")
@store_options
def build(
    path: Path | None,
    version: str | None,
    repository: str | None,
    push: bool,
    builder: str | None,
    base_image: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Build the image of a registered version; what was built already is not built again.

    A folder has to be what a version has: what is in an image can always be looked up.
    """
    if push != (repository is not None):
        raise UserError("--push and --repository belong together.")
    settings = read_settings(home)
    registry = open_registry(settings)
    found = _version(registry, path, version)
    program = builder_for(settings, registry, builder, base_image)
    record = _built(program, registry, found, repository, person_name(settings.environ))
    if as_json:
        print_json(image_view(record, program.records))
        return
    print_image(record, program.records)


def builder_for(settings: Settings, registry: Registry, name: str | None, base: str | None) -> EngineBuilder:
    """The builder that keeps its records in the home, and tells its progress on stderr."""
    return open_builder(
        name,
        BuilderParts(
            home=settings.home,
            environ=inherited_environment(),
            say=lambda text: click.echo(text, err=True),
            base=base,
            revision_of=lambda version: commit_of(registry, version),
        ),
    )


def _built(
    builder: EngineBuilder, registry: Registry, version: Version, repository: str | None, by: str
) -> ImageRecord:
    """Build, push where that is wanted, and write down in the registry which image the version has."""
    image = builder.build(version, registry.folder(version), repository)
    fact = image_fact(reference=image.reference, digest=image.digest, by=by)
    add_facts(registry, version, [fact], registry.facts(version))
    return builder.records.get(image.reference)


def _version(registry: Registry, path: Path | None, label: str | None) -> Version:
    """The version that was named, or the one whose content the folder has. Raises UserError, NotFound."""
    if (path is None) == (label is None):
        raise UserError("Name either a use case or flow, or --version NAME:VERSION.")
    if path is None:
        return registry.find(str(label), "flow")
    if not path.exists():
        raise NotFound(f"There is no flow {path}.", hint=missing_file_hint(path))
    source, name = _flow_of(path)
    with content_of_source(source, {}) as content:
        found = registered_version(registry, content.digest, name)
    if found is None:
        register = f"flowyard registry register {source}{f' --name {name}' if name else ''}"
        raise NotFound(
            f"{source} is no registered version, or it was changed since.",
            hint=f"Register it: {register}\nOr name a version: flowyard image build --version NAME:VERSION",
        )
    return found


def _flow_of(path: Path) -> tuple[Path, str | None]:
    """The flow at a path and the name it is registered under, where ``experiment.yaml`` says it."""
    file = path / "experiment.yaml" if path.is_dir() else path
    if file.name != "experiment.yaml" or not file.is_file():
        return path, None
    body = read_yaml(file).data
    if not isinstance(body, dict) or not body.get("flow"):
        raise UserError(f"{file} names no flow.")
    return file.parent / str(body["flow"]), str(body.get("name") or file.parent.resolve().name)
