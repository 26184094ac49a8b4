# make demo    trains the first model on real digits       make lint   style, types and layers
# make test    the tests                                   make slow   the tests that take minutes
# make wheel   builds dist/*.whl and the sdist             make bench  benchmarks against PyTorch
# make docs    the pages and the API as a site, docs/_build/index.html
# make notebooks runs those of examples/ anew, in place
# make browser clicks through a page of gm-jax report, where Chromium and its driver are installed
# make results trains and records what has no fresh record, niced; stop it at any moment, it goes on
# make clean   removes .venv, caches and builds; your runs/ stay
#
# PYTHON=/path/to/python3.13 make demo    picks the interpreter that .venv is made of
# PYTEST_ARGS="-k vae -x" make test       passes more to pytest
# PYTHON_WITH_TORCH=/path/to/python TWINS="--systems gan vae_mlp --rounds 5" make bench    both optional
# RESULTS="digits/* mnist12/*" MINUTES=120 SEEDS="0 1 2" RUNS=/big/runs make results    all optional

SHELL := /bin/sh
BIN := .venv/bin
TORCH := .cache/bench/torch
PYTEST := $(BIN)/python -m pytest
PYTEST_PARALLEL ?= -n auto --maxprocesses 8 --dist worksteal
# jaxlib, array_record and grain have wheels for these versions, and not yet for a newer one.
PYTHONS := python3.14 python3.13 python3.12 python3 python
SUPPORTED := import sys, ensurepip, venv; sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 14))

# Byte code is kept whatever the environment says: without it every process compiles jax anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test slow browser lint wheel docs notebooks bench results clean

demo: .venv/.installed-demo
	$(BIN)/gm-jax train experiments/digits/vae.py
	@$(BIN)/gm-jax report runs/digits/vae --out runs/digits/vae/report.html

test: .venv/.installed-test
	$(PYTEST) $(PYTEST_PARALLEL) $(PYTEST_ARGS)

slow: .venv/.installed-test
	$(PYTEST) -m slow $(PYTEST_ARGS)

browser: .venv/.installed-browser
	$(PYTEST) -m browser $(PYTEST_ARGS) tests/report

lint: .venv/.installed-lint
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: .venv/.installed-dev
	rm -rf dist
	$(BIN)/python -m build

docs: .venv/.installed-docs
	rm -rf docs/api docs/_build
	$(BIN)/python -m sphinx -b html -W --keep-going -q -d docs/_build/.doctrees docs docs/_build
	@echo "docs/_build/index.html"

notebooks: .venv/.installed-notebooks
	rm -rf examples/runs
	cd examples && ../$(BIN)/jupyter execute --inplace --NotebookClient.record_timing=False *.ipynb

# Prints what it takes, and goes on where it was stopped; the files of benchmarks/ run by hand too.
bench: .venv/.installed-demo $(if $(PYTHON_WITH_TORCH),,$(TORCH)/.installed)
	@status=0; $(BIN)/python -m benchmarks.twins.run $(TWINS) \
	    --torch-python $(or $(PYTHON_WITH_TORCH),$(TORCH)/bin/python) || status=$$?; \
	$(BIN)/python -m benchmarks.twins.page && exit $$status

results: .venv/.installed-demo
	@set -f; nice -n 10 $(BIN)/gm-jax results $(RESULTS) --train \
	    $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(RUNS),--runs $(RUNS))

clean:
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf build dist docs/api docs/_build *.egg-info
	find gm_jax experiments tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp for each set of packages: a second `make demo` installs nothing. Without --no-compile the
# first one takes half a minute longer, for byte code that is mostly never used.
.venv/.installed-demo: extras =
.venv/.installed-test: extras = [test]
.venv/.installed-browser: extras = [test,browser]
.venv/.installed-lint: extras = [test,lint]
.venv/.installed-docs: extras = [docs]
.venv/.installed-notebooks: extras = [notebooks]
.venv/.installed-dev: extras = [dev]
.venv/.installed-%: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing gm_jax$(extras) into .venv (the first time takes a minute or two)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	    --constraint constraints.txt --editable '.$(extras)'
	@touch $@

# PyTorch apart from ours: its libraries need not agree with JAX's.
$(TORCH)/.installed: | $(BIN)/python
	@echo "installing PyTorch into $(TORCH)"
	@$(BIN)/python -m venv --clear $(TORCH)
	@$(TORCH)/bin/python -m pip install --quiet --disable-pip-version-check torch numpy
	@touch $@

# The newest interpreter that runs: a name on the PATH may be a shim with nothing behind it.
$(BIN)/python:
	@for python in $(or $(PYTHON),$(PYTHONS)); do \
	    if "$$python" -c '$(SUPPORTED)' >/dev/null 2>&1; then \
	        echo "making .venv with $$("$$python" --version)"; \
	        exec "$$python" -m venv --clear .venv; \
	    fi; \
	done; \
	echo "gm_jax needs Python 3.12, 3.13 or 3.14 with venv; $(or $(PYTHON),$(PYTHONS)): none works." \
	    "Install one, or name it: PYTHON=/path/to/python3.13 make" >&2; \
	exit 1
