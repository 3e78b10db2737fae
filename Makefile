# Every target says in `make help` what it does. The environments are made on first use and renewed when a lock changes.
.DEFAULT_GOAL := help
.PHONY: help demo test check format lock bench build clean user-env dev-env

VENV := .venv
DEV := .venv-dev
ARGS ?=

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: user-env  ## run an example experiment with a simulated model and write its report
	$(VENV)/bin/flowyard experiment run examples/ticket_triage --variants all --max-failed-lines 2

test: dev-env  ## run the tests; ARGS="-k name" chooses some
	scripts/test.sh $(DEV) $(ARGS)

check: dev-env  ## lint, format, types and layers, without changing a file
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports

format: dev-env  ## format the code and mend what can be mended
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

lock: dev-env  ## write requirements/*.lock anew; ARGS=--upgrade takes newer releases
	scripts/lock.sh $(DEV) $(ARGS)

bench: user-env  ## measure beside promptflow (.peer, 400 MB) and promptfoo (.promptfoo, 1.2 GB), installed first
	scripts/peer.sh .peer
	scripts/promptfoo_peer.sh .promptfoo || echo "promptfoo is not measured."
	$(VENV)/bin/python -m bench $(ARGS)

build: dev-env  ## build the wheel into dist/
	$(DEV)/bin/python -m build --wheel --no-isolation

clean:  ## delete environments, caches and build results
	rm -rf $(VENV) $(DEV) .peer .mlflow .promptfoo .azure-sdk .actionlint .uv .bench build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

user-env:
	@scripts/venv.sh $(VENV) requirements/core.lock

dev-env:
	@scripts/venv.sh $(DEV) requirements/dev.lock
