"""A Jenkinsfile for each pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from flowyard.pipelines.generate.jenkins import scripts
from flowyard.pipelines.generate.jenkins.groovy import Lines, block, output_of, quoted, shell, stage
from flowyard.pipelines.generate.model import CiFile, CiSettings
from flowyard.pipelines.model import Job, Pipeline, Stage
from flowyard.pipelines.stages import PIPELINES

__all__ = ["files"]

_ASKED_MINUTES = 60


def files(settings: CiSettings) -> list[CiFile]:
    """One for each pipeline. On Jenkins the use cases of a change go through a stage together."""
    return [
        CiFile(PurePosixPath(".jenkins") / f"Jenkinsfile.{each.name}", "\n".join(_pipeline(settings, each)) + "\n")
        for each in PIPELINES.values()
    ]


def _pipeline(settings: CiSettings, pipeline: Pipeline) -> Lines:
    first, *later = pipeline.jobs
    stages = [*_job(settings, pipeline, first, asks=bool(later))]
    for job in later:
        stages += [*_people(settings, pipeline), *_job(settings, pipeline, job, asks=False)]
    description = quoted("What changed since: a revision, or all")
    default = quoted("all" if pipeline.trigger == "schedule" else "")
    return block(
        "pipeline",
        ["agent none"],
        block("options", ["disableConcurrentBuilds()"]),
        block("triggers", [f"cron({quoted(pipeline.schedule)})"] if pipeline.schedule else []),
        block(
            "parameters", [f"string(name: 'SINCE', defaultValue: {default}, trim: true, description: {description})"]
        ),
        block("stages", stages),
        block("post", block("unsuccessful", _refused(settings, pipeline) if later else [])),
    )


def _job(settings: CiSettings, pipeline: Pipeline, job: Job, *, asks: bool) -> Lines:
    """The stages of a job on one machine, and what is done after a no, too."""
    is_first = not job.needs
    before = _begin(settings, pipeline, asks=asks) if is_first else _go_on(settings, pipeline)
    steps = [line for each in job.stages if not each.always for line in _stage(settings, pipeline, each)]
    ask = stage("ask", block("steps", shell(_filled(scripts.ASK, settings, pipeline)))) if asks else []
    always = [line for each in job.stages if each.always for line in _steps(settings, pipeline, each)]
    waits = block("script", ["env.FLOWYARD_WAITS = env.FLOWYARD_ASKS"])
    keep = [*(_keep(settings) if settings.hands_over_home else []), *waits]
    return stage(
        job.name,
        block("agent", [f"label {quoted(_label(settings))}"]),
        _only_branches(settings, pipeline),
        _secrets(settings, pipeline),
        block("stages", stage(f"prepare {job.name}", block("steps", before)), steps, ask),
        block(
            "post",
            block("always", always, _publish()),
            block("success", keep if asks else []),
        ),
    )


def _keep(settings: CiSettings) -> Lines:
    """Where no use case is touched there is no such folder, and nothing to keep is an error unless it is allowed."""
    includes = quoted(f"{settings.home}/**")
    return [f"stash name: 'home', includes: {includes}, useDefaultExcludes: false, allowEmpty: true"]


def _begin(settings: CiSettings, pipeline: Pipeline, *, asks: bool) -> Lines:
    below = "" if settings.use_cases == "." else f"--below {settings.use_cases} "
    plan = output_of(scripts.PLAN % {"pipeline": pipeline.name, "below": below})
    known = [f"env.FLOWYARD_USE_CASES = {plan}"]
    if asks:
        asking = output_of(scripts.ASKS % {"pipeline": pipeline.name, "below": below})
        known.append(f"env.FLOWYARD_ASKS = {asking}")
    allowed = _only_releases(settings) if pipeline.trigger == "pull_request" else []
    install = shell(_install(settings))
    return [*allowed, *_clean(settings), *install, *block("script", known), *_packages(settings, pipeline)]


def _only_releases(settings: CiSettings) -> Lines:
    branches = settings.branches
    return shell(scripts.ONLY_RELEASES % {"main": branches.main, "release": branches.release})


def _clean(settings: CiSettings) -> Lines:
    """A machine keeps its files. Nothing of a build before is gone on with, unless the home folder is its own."""
    home = f"{settings.home} " if settings.hands_over_home else ""
    return shell(f"rm -rf -- {home}.flowyard/reports\n")


def _taken(settings: CiSettings) -> Lines:
    """What the job before kept, and nothing else."""
    return [*_clean(settings), *(["unstash 'home'"] if settings.hands_over_home else [])]


def _go_on(settings: CiSettings, pipeline: Pipeline) -> Lines:
    answer = shell(_filled(scripts.ANSWER, settings, pipeline, decision="approve"))
    said = [*block("script", block("if (env.FLOWYARD_BY)", answer))]
    return [*shell(_install(settings)), *_packages(settings, pipeline), *_taken(settings), *said]


def _install(settings: CiSettings) -> str:
    words = " ".join(f'"{each}"' for each in settings.install.words)
    return scripts.INSTALL % {"python": settings.python, "words": words}


def _packages(settings: CiSettings, pipeline: Pipeline) -> Lines:
    """Nothing where everything has its hash: then it is in that file, too."""
    return shell(_filled(scripts.PACKAGES, settings, pipeline)) if settings.install.requirements is None else []


def _filled(script: str, settings: CiSettings, pipeline: Pipeline, **words: str) -> str:
    home = f"$PWD/{settings.home}" if settings.hands_over_home else settings.home
    return script % {"home": home, "pipeline": pipeline.name, **words}


def _stage(settings: CiSettings, pipeline: Pipeline, each: Stage) -> Lines:
    limit = f"timeout(time: {each.timeout_minutes + 5}, unit: 'MINUTES')"
    return stage(each.name, block("options", [limit]), block("steps", _steps(settings, pipeline, each)))


def _steps(settings: CiSettings, pipeline: Pipeline, each: Stage) -> Lines:
    """The stages of a change get their secrets here, and those of a fork's change get none."""
    run = shell(_filled(scripts.ALWAYS if each.always else scripts.STAGE, settings, pipeline, stage=each.name))
    names = settings.secrets.get(pipeline.env, ()) if pipeline.trigger == "pull_request" else ()
    if not names or not each.calls_models:
        return run
    return block("script", block(f"withCredentials(env.CHANGE_FORK ? [] : [{_bound(names)}])", run))


def _publish() -> Lines:
    return [
        "junit testResults: '.flowyard/reports/**/*.junit.xml', allowEmptyResults: true",
        "archiveArtifacts artifacts: '.flowyard/reports/**', allowEmptyArchive: true, fingerprint: true",
    ]


def _secrets(settings: CiSettings, pipeline: Pipeline) -> Lines:
    """Those that pipelines.yaml names: each is a credential of Jenkins, secret text, of the same name.

    For a change they are no variables of all of its stages: a fork's is not to have them.
    """
    if pipeline.trigger == "pull_request":
        return []
    return block(
        "environment", [f"{name} = credentials({quoted(name)})" for name in settings.secrets.get(pipeline.env, ())]
    )


def _bound(names: Sequence[str]) -> str:
    return ", ".join(f"string(credentialsId: {quoted(each)}, variable: {quoted(each)})" for each in names)


def _only_branches(settings: CiSettings, pipeline: Pipeline) -> Lines:
    """In a multibranch job all branches and changes are built: only these may be deployed, or have the secrets."""
    if pipeline.trigger == "pull_request":
        return []
    names = [quoted(settings.branches.named(each)) for each in pipeline.branches]
    known = f"expression {{ return !env.BRANCH_NAME || env.BRANCH_NAME in [{', '.join(names)}] }}"
    return block("when", ["beforeAgent true", "not { changeRequest() }", known])


def _people(settings: CiSettings, pipeline: Pipeline) -> Lines:
    """``input`` stands outside of steps, so that no machine waits with the people."""
    environment = settings.environments.get(pipeline.env, pipeline.env)
    message = f"Deploy to {environment}? Metrics and gates are in the report, among this build's artifacts."
    asked = [f"message {quoted(message)}", "ok 'Deploy'", "submitterParameter 'FLOWYARD_APPROVER'"]
    if settings.approvers:
        asked.append(f"submitter {quoted(','.join(settings.approvers))}")
    return stage(
        "people",
        ["agent none"],
        block("when", ["beforeInput true", "expression { return env.FLOWYARD_ASKS?.trim() }"]),
        block("options", [f"timeout(time: {_ASKED_MINUTES}, unit: 'MINUTES')"]),
        block("input", asked),
        block("steps", block("script", ["env.FLOWYARD_BY = env.FLOWYARD_APPROVER"])),
    )


def _refused(settings: CiSettings, pipeline: Pipeline) -> Lines:
    """A no, or no answer in time; Jenkins does not tell whose it was.

    It is done after the build: a stage whose ``input`` is not answered with a yes never comes to a ``post`` of its own.
    """
    names: Sequence[str] = settings.secrets.get(pipeline.env, ())
    script = 'export FLOWYARD_BY="input of Jenkins"\n'
    script += _filled(scripts.ANSWER + scripts.NOTED, settings, pipeline, decision="reject")
    record = block(f"withCredentials([{_bound(names)}])", shell(script)) if names else shell(script)
    on_a_machine = ["checkout scm", *shell(_install(settings)), *_taken(settings), *record]
    node = block(f"node({quoted(_label(settings))})", on_a_machine)
    return block("script", block("if (env.FLOWYARD_WAITS && !env.FLOWYARD_BY)", node))


def _label(settings: CiSettings) -> str:
    return " && ".join(f'"{each}"' for each in settings.runners)
