# Every target makes .venv itself, from the lock files alone. `make` lists the targets.
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo test clients check fmt bench lock clean

VENV := .venv
PYTHON := $(VENV)/bin/python
# Further arguments: make test ARGS='tests/core -x'
ARGS ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.dev ## Start everything on loopback, let certbot get a certificate, stop
	@$(VENV)/bin/acmeproxy demo $(ARGS)

# Tests wait more than they reckon: four processes keep two cores busy. tests/conftest.py has the order of the files.
test: $(VENV)/.test ## Run all tests (ARGS='tests/core -x' for some)
	@$(PYTHON) -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

clients: $(VENV)/.test ## Drive Debian's ACME clients at ports 80 and 443 (root; docs/clients.md)
	@$(PYTHON) -m tests.clients.debian $(ARGS)

check: $(VENV)/.test ## Hold format, lint, types, import layers and the rules of the house
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@$(VENV)/bin/lint-imports --no-logo
	@$(PYTHON) -m pytest -q tests/test_house.py

fmt: $(VENV)/.test ## Format, and mend what ruff can mend
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

bench: $(VENV)/.test ## Measure, and write the table into docs/performance.md
	@$(PYTHON) -m benchmarks.issuance --write docs/performance.md $(ARGS)
	@$(PYTHON) -m benchmarks.publication --write docs/performance.md
	@$(PYTHON) -m benchmarks.signing --write docs/performance.md

lock: ## Write the lock files from pyproject.toml (ARGS=--upgrade for newer versions; needs uv)
	@command -v uv >/dev/null || { echo 'make lock needs uv on the PATH; no other target does.' >&2; exit 1; }
	@$(compile) --extra test -o requirements/test.txt
	@$(compile) --extra dev -c requirements/test.txt -o requirements/dev.txt
	@$(compile) -c requirements/test.txt -o requirements/runtime.txt

clean: ## Remove .venv and all caches
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --no-emit-*: what a machine is configured to install from must not get into the repository.
compile = uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	$(ARGS) pyproject.toml requirements/build.in

# A stamp is younger than the files that decide what is installed. What tests need includes what the demo needs.
ifneq ($(shell test -x $(PYTHON) && echo there),there) # without it, or with a link to one that is gone, a stamp says nothing
.PHONY: $(VENV)/.test $(VENV)/.dev
endif

$(VENV)/.test: requirements/test.txt pyproject.toml $(PYTHON)
	$(call install,test)
	@touch $(VENV)/.dev $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml $(PYTHON)
	$(call install,dev)
	@touch $@

# The build tool is in the lock file too: without build isolation nothing else decides what is run.
define install
	@echo 'Installing requirements/$(1).txt into $(VENV) ...' >&2
	@if command -v uv >/dev/null; then \
	  install='uv pip install --quiet --python $(PYTHON)'; \
	else \
	  $(PYTHON) -c 'import pip' 2>/dev/null || $(PYTHON) -m ensurepip >/dev/null || exit 1; \
	  install='$(PYTHON) -m pip install --quiet --disable-pip-version-check'; \
	fi; \
	$$install --require-hashes -r requirements/$(1).txt && \
	$$install --no-deps --no-build-isolation --editable .
endef

# Candidates are run, not only looked up: a version switcher leaves commands that refuse to start.
$(PYTHON):
	@for candidate in python3.13 python3.12 python3.11 python3; do \
	  python=$$($$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11) or print(sys.executable))' 2>/dev/null) && break; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'acmeproxy needs Python 3.11 or newer: install it so that python3 or python3.11 is on the PATH.' >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$python ..." >&2; \
	rm -rf $(VENV); \
	if command -v uv >/dev/null; then uv venv --quiet --python "$$python" $(VENV); else "$$python" -m venv $(VENV); fi \
	|| { rm -rf $(VENV); exit 1; }
