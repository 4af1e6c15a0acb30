# One command to try Wheelyard, one to test it. `make` alone prints what there is.
.DEFAULT_GOAL := help
.PHONY: help install demo test check format lint types bench constraints tools clean
.DELETE_ON_ERROR:

BIN := .venv/bin
STAMP := .venv/.installed
# The files whose change means a new installation.
INPUTS := pyproject.toml constraints.txt
# More words for pytest: make test ARGS="-k catalog"
ARGS :=

help: ## print this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## install everything into .venv (done once per change of pyproject.toml or constraints.txt)

$(STAMP): $(INPUTS)
	@.ci/venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,clients]'
	@touch $@

demo: $(STAMP) ## a primary and two replicas on ports 3141 to 3143 of this machine; Ctrl-C stops them
	@exec $(BIN)/wheelyard demo

test: $(STAMP) tools ## all tests, in two processes
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: format lint types test ## what CI runs: format check, lint, types, tests

format: $(STAMP)
	$(BIN)/ruff format --check

lint: $(STAMP)
	$(BIN)/ruff check

types: $(STAMP)
	$(BIN)/mypy

tools:
	@.ci/tools nginx wrk

bench: $(STAMP) ## compare with devpi-server and nginx on this machine, write bench/RESULTS.md
	$(BIN)/python -m bench --install

constraints: ## pin what an unconstrained installation brings today
	@.ci/pin constraints.txt

clean: ## remove .venv and what tools left behind; data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .bench dist
