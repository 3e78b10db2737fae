"""The scripts in the Jenkinsfiles: bash, the same for all settings; what differs comes by variables."""

from __future__ import annotations

__all__ = ["ALWAYS", "ANSWER", "ASK", "ASKS", "INSTALL", "NOTED", "ONLY_RELEASES", "PACKAGES", "PLAN", "STAGE"]

_READY = """\
. "$WORKSPACE_TMP/flowyard/bin/activate"
export FLOWYARD_HOME="%(home)s"
read -ra use_cases <<< "${FLOWYARD_USE_CASES:-}"
if [ "${#use_cases[@]}" -eq 0 ]; then
  echo 'No use case is touched.'
  exit 0
fi
"""
"""Names of folders of use cases have no spaces: ``pipeline plan`` refuses others."""

ONLY_RELEASES = """\
if [ "${CHANGE_TARGET:-}" = %(main)s ]; then
  if [ -n "${CHANGE_FORK:-}" ]; then
    echo 'Only branches of this repository are merged there.' >&2
    exit 1
  fi
  case "${CHANGE_BRANCH:-}" in
    %(release)s*) ;;
    *)
      echo 'Only branches that begin with %(release)s are merged there.' >&2
      exit 1
      ;;
  esac
fi
"""
"""From which branches a change may come, Jenkins does not hold by itself."""

INSTALL = """\
python%(python)s -m venv --clear "$WORKSPACE_TMP/flowyard"
. "$WORKSPACE_TMP/flowyard/bin/activate"
python -m pip install --disable-pip-version-check %(words)s
"""

_CHANGED = """\
. "$WORKSPACE_TMP/flowyard/bin/activate"
# The first build of a job, or of a branch, has no parameters.
since="${SINCE:-}"
changed=()
if [ "$since" = all ]; then
  echo 'All use cases.' >&2
elif [ -n "$since" ]; then
  changed=("--changed-since=$since")
elif [ -n "${CHANGE_TARGET:-}" ]; then
  if ! git rev-parse --verify --quiet "refs/remotes/origin/$CHANGE_TARGET" >/dev/null; then
    git fetch --quiet --no-tags origin "+refs/heads/$CHANGE_TARGET:refs/remotes/origin/$CHANGE_TARGET"
  fi
  changed=("--changed-since=origin/$CHANGE_TARGET")
elif [ -n "${GIT_PREVIOUS_SUCCESSFUL_COMMIT:-}" ]; then
  changed=("--changed-since=$GIT_PREVIOUS_SUCCESSFUL_COMMIT")
fi
"""
_WORDS = """\
  | python -c 'import json, sys; print(*(each["usecase"] for each in json.load(sys.stdin)["include"]))'
"""

PLAN = (
    _CHANGED
    + """\
flowyard pipeline plan %(pipeline)s "${changed[@]}" %(below)s--json \\
"""
    + _WORDS
)
"""What changed since the last build that went well, or the branch of the change; else all of it."""

ASKS = (
    _CHANGED
    + """\
flowyard pipeline plan %(pipeline)s "${changed[@]}" %(below)s--asking --json \\
"""
    + _WORDS
)

PACKAGES = (
    _READY
    + """\
flowyard pipeline install "${use_cases[@]}"
"""
)
"""All use cases of a build have one Python, so that what they require has to go together."""

STAGE = (
    _READY
    + """\
flowyard pipeline run %(pipeline)s "${use_cases[@]}" --output .flowyard/reports --from %(stage)s --until %(stage)s
"""
)

ALWAYS = (
    _READY
    + """\
# It exits as the stages before did, which said so already; what follows is to be done in any case.
flowyard pipeline run %(pipeline)s "${use_cases[@]}" --output .flowyard/reports \\
  --from %(stage)s --until %(stage)s || true
"""
)

ASK = (
    _READY
    + """\
# 4: people were asked, and have not answered yet.
flowyard pipeline run %(pipeline)s "${use_cases[@]}" --output .flowyard/reports \\
  --from approval --until approval --no-wait || [ "$?" -eq 4 ]
"""
)

ANSWER = (
    _READY
    + """\
flowyard pipeline answer %(pipeline)s "${use_cases[@]}" --via jenkins --by "$FLOWYARD_BY" --decision %(decision)s \\
  --evidence "run=$BUILD_URL"
"""
)

NOTED = """\
# The stage takes note of the no, with 4, so that the next build asks again.
flowyard pipeline run %(pipeline)s "${use_cases[@]}" --output .flowyard/reports \\
  --from approval --until approval --no-wait || [ "$?" -eq 4 ]
"""
"""What follows a no."""
