"""The scripts in the files for Azure DevOps: bash, the same for all settings; what differs comes by variables.

No ``$(NAME)`` of Azure DevOps stands in them: that would be put into the text of a script as it is.
"""

from __future__ import annotations

__all__ = ["ANSWER", "BASE", "COMMENT", "INSTALL", "KEEP_HOME", "PLAN", "RUN", "SHOW", "TAKE_HOME"]

_HEAD = """\
set -euo pipefail
"""

_SECRETS = """\
# A variable that no group has stays as it is written in "env", with its dollar sign: it is not set then.
for name in $FLOWYARD_GIVEN; do
  case "${!name}" in \\$\\(*) unset "$name" ;; esac
done
"""

INSTALL = (
    _HEAD
    + """\
python -m pip install --disable-pip-version-check %s
"""
)
"""``%s`` are plain words."""

BASE = (
    _HEAD
    + """\
target="${SYSTEM_PULLREQUEST_TARGETBRANCH:?}"
git checkout --quiet --force --detach "refs/remotes/origin/${target#refs/heads/}"
git clean --quiet -ffdx
"""
)

PLAN = (
    _HEAD
    + """\
if [ -z "${SYSTEM_PULLREQUEST_TARGETBRANCH:-}" ] && [ -n "$FLOWYARD_BRANCHES" ]; then
  case " $FLOWYARD_BRANCHES " in
    *" ${BUILD_SOURCEBRANCH#refs/heads/} "*) ;;
    *)
      echo "This pipeline is for: $FLOWYARD_BRANCHES" >&2
      exit 1
      ;;
  esac
fi
target="${SYSTEM_PULLREQUEST_TARGETBRANCH:-}"
source="${SYSTEM_PULLREQUEST_SOURCEBRANCH:-}"
if [ "${target#refs/heads/}" = "$FLOWYARD_MAIN" ]; then
  case "${source#refs/heads/}" in
    "$FLOWYARD_RELEASE"*) ;;
    *)
      echo "Only branches that begin with $FLOWYARD_RELEASE are merged there." >&2
      exit 1
      ;;
  esac
fi
chosen=(--below "$FLOWYARD_BELOW")
if [ "$FLOWYARD_SINCE" = all ]; then
  echo 'All use cases.'
elif [ -n "$FLOWYARD_SINCE" ]; then
  chosen+=("--changed-since=$FLOWYARD_SINCE")
elif [ -n "$target" ]; then
  chosen+=("--changed-since=origin/${target#refs/heads/}")
elif git rev-parse --verify --quiet 'HEAD^1' >/dev/null; then
  chosen+=('--changed-since=HEAD^1')
fi
flowyard pipeline plan "$FLOWYARD_PIPELINE" "${chosen[@]}"
matrix="$(flowyard pipeline plan "$FLOWYARD_PIPELINE" "${chosen[@]}" --for azure-devops --json)"
asking="$(flowyard pipeline plan "$FLOWYARD_PIPELINE" "${chosen[@]}" --asking --for azure-devops --json)"
any=true
if [ "$matrix" = '{}' ]; then any=false; fi
asks=true
if [ "$asking" = '{}' ]; then asks=false; fi
printf '##vso[task.setvariable variable=matrix;isOutput=true]%s\\n' "$matrix"
printf '##vso[task.setvariable variable=any;isOutput=true]%s\\n' "$any"
printf '##vso[task.setvariable variable=asks;isOutput=true]%s\\n' "$asks"
"""
)

RUN = (
    _HEAD
    + _SECRETS
    + """\
words=("$FLOWYARD_PIPELINE" "$FLOWYARD_USE_CASE" --output "$FLOWYARD_REPORTS")
if [ -n "$FLOWYARD_FROM" ]; then words+=(--from "$FLOWYARD_FROM"); fi
if [ -n "$FLOWYARD_UNTIL" ]; then words+=(--until "$FLOWYARD_UNTIL"); fi
flowyard pipeline run "${words[@]}"
if [ "$FLOWYARD_ASK" = true ]; then
  # 4: people were asked, and have not answered yet.
  flowyard pipeline run "$FLOWYARD_PIPELINE" "$FLOWYARD_USE_CASE" --output "$FLOWYARD_REPORTS" \\
    --from approval --until approval --no-wait || [ "$?" -eq 4 ]
fi
"""
)

COMMENT = (
    _HEAD
    + """\
flowyard pipeline comment --reports "$FLOWYARD_REPORTS"
"""
)

ANSWER = (
    _HEAD
    + _SECRETS
    + """\
flowyard pipeline answer "$FLOWYARD_PIPELINE" "$FLOWYARD_USE_CASE" --via azure-devops --by "$FLOWYARD_BY" \\
  --decision "$FLOWYARD_DECISION" \\
  --evidence "run=${SYSTEM_COLLECTIONURI}${SYSTEM_TEAMPROJECTID}/_build/results?buildId=${BUILD_BUILDID}"
if [ "$FLOWYARD_DECISION" = reject ]; then
  # The stage takes note of the no, with 4, so that the next run asks again.
  flowyard pipeline run "$FLOWYARD_PIPELINE" "$FLOWYARD_USE_CASE" --output "$FLOWYARD_REPORTS" \\
    --from approval --until approval --no-wait || [ "$?" -eq 4 ]
fi
"""
)

SHOW = (
    _HEAD
    + """\
mkdir -p "$FLOWYARD_REPORTS"
if [ -f "$FLOWYARD_REPORTS/summary.md" ]; then
  printf '##vso[task.uploadsummary]%s\\n' "$FLOWYARD_REPORTS/summary.md"
fi
"""
)

KEEP_HOME = (
    _HEAD
    + """\
mkdir -p "$FLOWYARD_HOME" "$FLOWYARD_PARCEL"
tar -cf "$FLOWYARD_PARCEL/home.tar" -C "$FLOWYARD_HOME" .
"""
)

TAKE_HOME = (
    _HEAD
    + """\
kept=''
for each in "$FLOWYARD_TAKEN/home-$FLOWYARD_TAKES-"{[0-9],[0-9][0-9]}"-$FLOWYARD_NAME/home.tar"; do
  if [ -f "$each" ]; then kept=$each; fi
done
if [ -z "$kept" ]; then
  echo "The job $FLOWYARD_TAKES kept nothing of $FLOWYARD_NAME: run its stage again." >&2
  exit 1
fi
mkdir -p "$FLOWYARD_HOME"
tar -xf "$kept" -C "$FLOWYARD_HOME"
"""
)
"""Attempts are in order: those of one digit, then those of two."""
