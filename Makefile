# Everything starts here: `make help`. Each target sets up what it needs, once.
# Needs python3 with its venv module and make; a C compiler and Python's headers for the compiled core.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
PURE := $(VENV)-pure
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
PYTEST_ARGS ?=
FREETHREADED ?=
PYTHONS ?= $(shell for v in 10 11 12 13 14 15; do for p in python3.$$v ~/.pyenv/versions/3.$$v.*/bin/python3.$$v; do \
	"$$p" -c '' 2>/dev/null && { echo "$$p"; break; }; done; done; true)

BIN := $(VENV)/bin
PIP := -m pip install --quiet --disable-pip-version-check --prefer-binary
CORE := $(wildcard ext/*.* ext/policies/*) setup.py pyproject.toml
LIBRARY := $(shell find src -name '*.py' -o -name py.typed) setup.py pyproject.toml
# A worker that crashes fails the run at once: with one in its place pytest-xdist may wait for ever.
SPREAD := -n $(JOBS) --dist loadgroup --max-worker-restart=0
# Stores that are killed, damaged and filled up: in processes of their own, and once, since cores don't matter there.
TROUBLE := $(foreach t,crash failures forks safety soak stampede,tests/integration/test_$(t).py)
# Tests that start real servers: once as well, and by themselves, since they wait for answers.
SERVERS := tests/servers
# Tests of what holds bytes and knows no core: once, too.
CORELESS := $(foreach t,benchmarks codecs engines guard keys,tests/unit/$(t))
APART := -m "not alone" $(SPREAD) $(patsubst %,--ignore=%,$(TROUBLE) $(SERVERS))

# Each test in four threads at once; test_threads and test_interrupted start threads themselves.
PARALLEL := --parallel-threads=4 -k "not pure" tests/unit/core/test_store.py \
	$(addprefix tests/unit/core/policies/test_,expiring.py shedding.py telling.py weighing.py)

# cryptography has no wheel for 3.13 without the GIL.
TEST_LIBRARIES := import sysconfig as s; \
	print("test-libraries" + "-free" * bool(s.get_config_var("Py_GIL_DISABLED")))

# Whether an extension can be built: only then is a build without one an error.
CAN_COMPILE := import os, shutil, sysconfig as s; \
	cc = (os.environ.get("CC") or s.get_config_var("CC") or "cc").split()[0]; \
	raise SystemExit(not (shutil.which(cc) and os.path.exists(s.get_path("include") + "/Python.h")))
WHICH_CORE := import twat_cache; i = twat_cache.core_info(); print(f"core: {i.name} ({i.reason})")
IS_COMPILED := import twat_cache; raise SystemExit(twat_cache.core_info().name != "compiled")

.PHONY: help
help: ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' Makefile | while IFS='|' read -r t d; do printf '  make %-10s %s\n' "$$t" "$$d"; done
	@echo "Variables: PYTHON=python3.13 (which interpreter), JOBS=4, PYTEST_ARGS='-k name', TWAT_CACHE_NO_EXTENSIONS=1"

.PHONY: demo
demo: $(VENV)/.core ## build the library and see it at work, on both cores
	$(BIN)/python -m twat_cache demo

.PHONY: test
test: lint types ## everything: lint, types, tests on both cores and on the shipped fallback
	$(MAKE) --no-print-directory test-pure test-cores

.PHONY: lint
lint: $(VENV)/.lint ## ruff, and the workflows against their schema
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

.PHONY: types
types: $(VENV)/.lint $(VENV)/.core ## mypy --strict on the library, mypy and pyright on the typing tests
	$(BIN)/mypy --strict
	$(BIN)/pyright --pythonpath $(BIN)/python

.PHONY: test-cores
test-cores: $(VENV)/.core $(VENV)/.test $(VENV)/.test-servers servers ## the suite, both cores side by side
	$(BIN)/python -m pytest -m alone $(PYTEST_ARGS) || [ $$? = 5 ] # 5: PYTEST_ARGS chose none of them
	$(BIN)/python -m pytest -m "not alone" $(SPREAD) $(TROUBLE) $(PYTEST_ARGS) || [ $$? = 5 ]
	$(BIN)/python -m pytest -rs -m "not alone" -n 2 --dist loadgroup --max-worker-restart=0 $(SERVERS) $(PYTEST_ARGS) || [ $$? = 5 ]
	$(BIN)/python -m pytest $(APART) $(PYTEST_ARGS)

.PHONY: test-pure
test-pure: $(PURE)/.library ## the suite on an installation that was built without the extension
	TWAT_CACHE_NO_EXTENSIONS=1 $(PURE)/bin/python -m pytest -m "not alone and not checkout" $(SPREAD) $(patsubst %,--ignore=%,$(TROUBLE) $(SERVERS) $(CORELESS)) $(PYTEST_ARGS)

.PHONY: test-all
test-all: ## the suite on every Python found (PYTHONS="…"), and FREETHREADED=path
	@failed=; for python in $(PYTHONS) $(FREETHREADED); do \
	  tag=$$("$$python" -c 'import sys, sysconfig as s; print("%d.%d" % sys.version_info[:2] + "t" * bool(s.get_config_var("Py_GIL_DISABLED")))'); \
	  printf '\n== Python %s: %s\n' "$$tag" "$$python"; \
	  case $$tag in *t) suite=test-free ;; *) suite=test-cores ;; esac; \
	  $(MAKE) --no-print-directory PYTHON="$$python" VENV=".venvs/$$tag" $$suite || failed+=" $$tag"; \
	done; \
	[ -z "$$failed" ] || { echo "failed on Python$$failed"; exit 1; }

.PHONY: test-free
test-free: $(VENV)/.core $(VENV)/.test $(VENV)/.test-free # on a free-threaded Python: the import must leave the GIL off, and the suite runs with it off
	$(BIN)/python -c 'import twat_cache, sys; assert not sys._is_gil_enabled(); print("GIL: off;", twat_cache.core_info())'
	PYTHON_GIL=0 $(BIN)/python -m pytest $(APART) $(PYTEST_ARGS)
	PYTHON_GIL=0 $(BIN)/python -m pytest $(PARALLEL)

.PHONY: servers
servers: ## install what tests/servers starts, where apt-get may (root, or sudo without a password)
	@tests/servers/install

.PHONY: test-azure
test-azure: $(VENV)/.core $(VENV)/.test $(VENV)/.test-servers ## the engines on az:// against Azurite, which npm brings
	npm install --silent --no-fund --no-audit --prefix $(VENV)/azurite azurite@3
	$(BIN)/python -m pytest -rs tests/servers/test_azure.py $(PYTEST_ARGS)

.PHONY: bench
bench: $(VENV)/.core $(VENV)/.bench ## asv's quick run on both cores, then the tables beside the peers: hits, misses, policies, stores
	@mkdir -p .asv
	HOME=$(CURDIR)/.asv $(BIN)/asv machine --yes # asv notes the machine in the home directory: one of its own
	HOME=$(CURDIR)/.asv $(BIN)/asv run --quick --python=same --show-stderr
	$(BIN)/python benchmarks/peers.py
	$(BIN)/python benchmarks/policy_cost.py
	$(BIN)/python benchmarks/policy_peers.py
	$(BIN)/python benchmarks/hit_ratio.py --check
	$(BIN)/python -m benchmarks.miss_path
	$(BIN)/python -m benchmarks.decorated
	$(BIN)/python -m benchmarks.arrays --rounds 10
	$(BIN)/python -m benchmarks.stores --rounds 7
	$(BIN)/python -m benchmarks.engines --rounds 7

.PHONY: docs
docs: $(VENV)/.core $(VENV)/.docs ## the site, into site/, strictly
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: cover
cover: $(VENV)/.core $(VENV)/.test $(VENV)/.test-servers $(VENV)/.cover ## which lines of the library the suite runs
	$(BIN)/python -m pytest --cov --cov-report=term-missing $(PYTEST_ARGS)

.PHONY: clean
clean: ## remove all that was made here
	rm -rf .venv .venv-pure .venvs build dist site .asv .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .coverage src/*.egg-info
	rm -f src/twat_cache/*.so src/twat_cache/*.pyd
	find src tests benchmarks ext -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up, one stamp each; pip 25.1 is the first to know dependency groups.

$(VENV)/.made $(PURE)/.made: %/.made:
	$(PYTHON) -m venv $*
	$*/bin/python $(PIP) 'pip>=25.1'
	touch $@

$(VENV)/.%: $(VENV)/.made pyproject.toml
	$(BIN)/python $(PIP) --group $*
	touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml
	$(BIN)/python $(PIP) --group test --group "$$($(BIN)/python -c '$(TEST_LIBRARIES)')"
	touch $@

# The stamp stays away while the core is pure, so that a compiler installed later is used at once.
$(VENV)/.core: $(VENV)/.build $(CORE)
	@if [ "$${TWAT_CACHE_NO_EXTENSIONS:-0}" = 0 ] && $(BIN)/python -c '$(CAN_COMPILE)'; then \
	  switch=TWAT_CACHE_REQUIRE_EXTENSIONS=1; echo "building the compiled core …"; \
	else \
	  echo "No C compiler, no Python headers (Debian: apt install gcc python3-dev) or not wanted: the pure core is installed."; \
	  switch=TWAT_CACHE_NO_EXTENSIONS=1; rm -f src/twat_cache/_core_c.*; \
	fi; \
	env "$$switch" $(BIN)/python $(PIP) --no-build-isolation --no-deps --editable .; \
	$(BIN)/python -c '$(WHICH_CORE)'; \
	if $(BIN)/python -c '$(IS_COMPILED)'; then touch $@; else rm -f $@; fi

$(PURE)/.library: $(PURE)/.made $(LIBRARY)
	$(PURE)/bin/python $(PIP) --group build --group test --group test-libraries
	rm -rf build # what an older build left there would be packed
	TWAT_CACHE_NO_EXTENSIONS=1 $(PURE)/bin/python $(PIP) --no-build-isolation --no-deps --force-reinstall .
	$(PURE)/bin/python -c '$(WHICH_CORE)'
	touch $@
