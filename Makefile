# Each target makes .venv and installs what it needs by itself; nothing but Python >= 3.11 and make is expected.
#   make demo    train an Attention Residual U-Net on synthetic electron microscopy (minutes)
#   make test    the tests, on TensorFlow
#   make check   everything: tests on three backends, lint, types, imports, examples, README and docstrings
#   make soak    ten thousand damaged runs, logs and images, and two hundred killed trainings; BACKEND=jax or torch

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
JOBS ?= 2
TRIES ?= 10000
FIRST ?= 0
BACKEND ?= tensorflow
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu
# One thread a test process: two processes on two cores are faster than four threads fighting. Each takes neighbours in
# the list of tests, which share trainings.
PYTEST := TF_CPP_MIN_LOG_LEVEL=2 OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 \
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

# Each of these gets processes of its own: one that has trained for many minutes holds gigabytes, and gets slow.
TRAINING := tests/callbacks tests/contracts tests/dynamics tests/experiment
OTHERS := tests $(addprefix --ignore=,$(TRAINING))
# What JAX and PyTorch are tested with beside those. The rest loads no backend, or makes files, data, pages and commands
# of what these rooms do: what it gives on TensorFlow it gives on all.
COMPUTING := $(addprefix tests/,data/augmentation faults inference losses metrics models optimizers schedules) \
	$(addprefix --ignore=tests/faults/test_,killed_search.py ray.py scripts.py slurm.py sweep_workers.py)
# $(call test,backend and what else is set,room of the first processes,of the second,...)
define test
	@status=0; for rooms in $(2); do KERAS_BACKEND=$(1) $(PYTEST) $$rooms || status=1; done; exit $$status
endef

.PHONY: help demo test soak check check-rest lint types imports test-grid test-jax test-torch examples notebooks docs-findings docs-studies docs-reproduction docs-controls clean

help:
	@sed -n '2,5s/^#   //p' Makefile

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found: install it, or run make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv > .venv.log 2>&1 \
		|| { $(PYTHON) -m venv --without-pip --clear .venv && $(PYTHON) -m pip --python .venv/bin/python install --quiet pip; } >> .venv.log 2>&1 \
		|| { rm -rf .venv; cat .venv.log; echo "This Python can't make virtual environments; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

# $(call install,what is said,what pip gets)
define install
	@echo "Installing $(1) (the first time this takes a few minutes)"
	@$(PIP_INSTALL) $(2) > .venv/install.log 2>&1 || { cat .venv/install.log; exit 1; }
	@touch $@
endef

.venv/.runtime: .venv/bin/python pyproject.toml constraints.txt
	$(call install,unetdyn with TensorFlow,--editable .)

.venv/.test: .venv/.runtime
	$(call install,the test tools,--editable '.[test]')

.venv/.check: .venv/.test
	@echo "Installing JAX, PyTorch (CPU) and the checking tools (the first time this takes a few minutes)"
	@$(PIP_INSTALL) --editable '.[test,jax,torch,docs,dev]' > .venv/install.log 2>&1 \
		|| $(PIP_INSTALL) --extra-index-url $(TORCH_CPU_INDEX) --editable '.[test,jax,torch,docs,dev]' >> .venv/install.log 2>&1 \
		|| { cat .venv/install.log; exit 1; }
	@touch $@

demo: .venv/.runtime
	@$(BIN)/unetdyn demo

test: .venv/.test
	@echo "Testing on TensorFlow"
	$(call test,tensorflow,"$(OTHERS)" $(TRAINING))

# Minutes, and for the trainings hours. Each run of the tests has a cheap share of it.
soak: .venv/.test
	@echo "Reading $(TRIES) damaged runs, logs, configurations and images"
	@UNETDYN_SOAK=$(TRIES) UNETDYN_SOAK_FROM=$(FIRST) KERAS_BACKEND=tensorflow $(PYTEST) tests/soak
	@echo "Killing and resuming trainings on $(BACKEND)"
	@UNETDYN_SOAK=$(TRIES) UNETDYN_SOAK_FROM=$(FIRST) KERAS_BACKEND=$(BACKEND) $(PYTEST) -rP tests/faults

check: test check-rest

# What takes a minute first.
check-rest: lint types imports examples test-jax test-torch

lint: .venv/.check
	@echo "Checking style"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/.check
	@echo "Checking types"
	@$(BIN)/mypy

imports: .venv/.check
	@echo "Checking that imports go one way"
	@$(BIN)/lint-imports

test-grid: .venv/.check
	@echo "Testing every monitor and control in every way to train, on $(BACKEND)"
	@KERAS_BACKEND=$(BACKEND) UNETDYN_GRID=1 $(PYTEST) tests/contracts/test_monitor_contract.py

# XLA compiles in two thirds of the time what it optimises less, as in JAX's own tests. Where tests compare what it
# makes of two programs, or hold what trainings measure against references, it does what it does for users.
test-jax: .venv/.check
	@echo "Testing on JAX"
	$(call test,jax,tests/callbacks tests/contracts tests/dynamics)
	$(call test,jax JAX_DISABLE_MOST_OPTIMIZATIONS=1,"$(COMPUTING)" tests/experiment)

# Here nothing is compiled, so that every monitor and control meets every way to train.
test-torch: .venv/.check
	@echo "Testing on PyTorch"
	$(call test,torch UNETDYN_GRID=1,"$(COMPUTING)" $(TRAINING))

# Docstrings, the README and the docs are run as they stand, a page's blocks one after the other in one process; so are
# the example script and the notebooks.
examples: .venv/.check
	@echo "Running the docstrings, the README, the docs and the examples"
	@$(PYTEST) --doctest-modules src/unetdyn
	@$(PYTEST) --dist loadfile README.md docs examples

# The notebooks are kept with their outputs, so that who reads them in a browser sees the pictures.
notebooks: .venv/.check
	@echo "Running the notebooks and keeping their outputs in them"
	@env -u MPLBACKEND KERAS_BACKEND=tensorflow $(BIN)/python examples/run_notebooks.py

# What docs/ says of the rules of diagnosis is made from them, and from the figures of the benchmark.
docs-findings: .venv/.runtime
	@$(BIN)/python docs/findings_page.py

# What docs/studies_tables.md quotes is made from the tables in analysis/studies_tables.py.
docs-studies: .venv/.runtime
	@$(BIN)/python docs/studies_tables_page.py

# What docs/reproduction.md reports is made from benchmarks/truth/reproduction.json.
docs-reproduction: .venv/.runtime
	@$(BIN)/python docs/reproduction_page.py

docs-controls: .venv/.runtime
	@$(BIN)/python docs/controls_table.py

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
