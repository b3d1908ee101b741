# `make dev` and `make test` are enough: each first makes what it needs. Needs Python 3.11 or later, and nothing else.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
UV := $(shell command -v uv 2>/dev/null)
BIN := .venv/bin
INSTALL = $(if $(UV),$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)
UVX = $(or $(UV),$(BIN)/uv)
ARGS ?=

NODE_IS_RECENT := node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null
PAGE := $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/dist/*' 2>/dev/null)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install dev test coverage check format reference bench lock

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/installed web/dist/index.html ## Make .venv from the pinned requirements, and the page

dev: install ## Start everything in this terminal (make dev ARGS="--ephemeral --port 9000")
	@$(BIN)/activity dev $(ARGS)

test: check ## Check, then run every test, on every core (make test ARGS="-k verify")
	@$(BIN)/pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile --no-loadscope-reorder $(ARGS)

coverage: install ## Run the tests that need no processes of their own, and show which lines none of them ran
	@$(BIN)/pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile --no-loadscope-reorder \
		--cov --cov-report=term:skip-covered --quiet tests/unit tests/integration $(ARGS)

check: install ## Lint, formatting, types and the layering
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/lint-imports

format: install ## Rewrite the code as check wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference: install ## Write the references that are made from code anew
	$(BIN)/python -m cli.reference
	ACTIVITY_WRITE_SCHEMA=1 $(BIN)/pytest -q tests/integration/db/test_schema.py

bench: install ## Measure this machine (make bench ARGS=append)
	@$(BIN)/activity bench $(ARGS)

lock: | $(UVX) ## Pin the requirements anew (make lock ARGS=--upgrade)
	$(COMPILE) --extra dev pyproject.toml -o requirements-dev.txt
	$(COMPILE) -c requirements-dev.txt pyproject.toml -o requirements.txt
	$(COMPILE) -c requirements-dev.txt --group build -o requirements-build.txt
COMPILE = $(UVX) pip compile $(ARGS) --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

$(BIN)/uv: | $(BIN)/python
	$(INSTALL) uv

$(BIN)/python:
	@test -n "$(UV)$(PYTHON)" || { echo "Python 3.11 or later is needed: install it, or say make PYTHON=/path/to/python3"; exit 2; }
	$(if $(UV),$(UV) venv --quiet --python $(or $(PYTHON),3.13),$(PYTHON) -m venv) .venv

.venv/installed: requirements-dev.txt pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes -r requirements-dev.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# The secrets of docker-compose.yml, made once, and an address that real recipients need changed: make .env
.env: | $(BIN)/python
	umask 077; $(BIN)/python -c 'import secrets; [print(f"{name}={secrets.token_hex(24)}") for name in "$(SECRETS)".split()]' > $@
	echo "ACTIVITY_PUBLIC_URL=http://127.0.0.1:8000" >> $@
SECRETS = POSTGRES_PASSWORD VALKEY_PASSWORD FLOWER_PASSWORD ACTIVITY_SESSION_SECRET ACTIVITY_TRACKING_SECRET \
	$(foreach role,PRODUCER WRITER READER AUDITOR ERASER,ACTIVITY_$(role)_PASSWORD)

# Node from the wheel, when needed, is in .venv/bin, which comes first in PATH here.
web/node_modules/.package-lock.json: export PATH := $(CURDIR)/$(BIN):$(PATH)
web/node_modules/.package-lock.json: web/package.json web/package-lock.json | .venv/installed
	@$(NODE_IS_RECENT) || $(INSTALL) --require-hashes -r requirements-build.txt
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: export PATH := $(CURDIR)/$(BIN):$(PATH)
web/dist/index.html: $(PAGE) web/node_modules/.package-lock.json
	cd web && npm run --silent build
	@touch $@
