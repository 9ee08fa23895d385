# Three commands first: make demo, make test, make setup. Everything is installed into .venv and nowhere else.
VENV   := .venv
PY     := $(VENV)/bin/python
UV     := $(VENV)/bin/uv
# The first Python that is new enough; name another with: make setup PYTHON=/path/to/python3.12
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# uv does not read pip's settings: an index that they name is passed on.
ifneq ($(or $(UV_DEFAULT_INDEX),$(UV_INDEX_URL),$(PIP_INDEX_URL)),)
export UV_DEFAULT_INDEX := $(or $(UV_DEFAULT_INDEX),$(UV_INDEX_URL),$(PIP_INDEX_URL))
endif
# Install $(1) with its pinned dependencies: by uv, which is several times faster; where it fails, by pip.
install = { test -x $(UV) && $(UV) pip install --quiet --python $(PY) --constraint constraints.txt $(1); } \
	|| { echo "uv could not install it; pip does (slower)"; $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $(1); }

# Bytecode is kept, also where the surroundings say otherwise (containers often do): uv compiles nothing as it installs, and every
# process would compile torch, scikit-learn and the others again, seven seconds each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-dev demo test docs lint types coverage mutants dist clean lock
help:
	@echo "make demo       set up, then 5-fold CV, a blend and a checked submission on embedded digits"
	@echo "make test       set up with what tests need, then the whole test suite"
	@echo "make setup      create .venv with what competitions need, pinned"
	@echo "make setup-dev  the rest as well: tests, Ray, ONNX, PostgreSQL, linters"
	@echo "make docs       the documentation as a site in build/site, with a reference made from the code"
	@echo "make lint       ruff, types, and imports that go down the layers only"
	@echo "make types      mypy alone"
	@echo "make dist       a wheel and an sdist in dist/, the wheel tried in an environment of its own"
	@echo "make coverage   the test suite with line and branch coverage, of processes that it starts too; names the least covered files"
	@echo "make mutants    mutation tests of scores, folds, ensembles, ledger and checks; of one file: ONLY=harness/cv/folds.py"

setup: $(VENV)/.ready
	@echo "Installed in $(VENV). Next: source $(VENV)/bin/activate"
	@echo "  python -m harness.data init FOLDER_OR_ZIP    a competition of your own"
	@echo "  python -m harness --help                     all commands; competitions/ has seven to begin with"
setup-dev: $(VENV)/.ready-dev

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "error: no Python >= 3.11 found; install one, or name it: make setup PYTHON=..." >&2; exit 2; }
	@echo "Setting up $(VENV) with $(PYTHON); the first time this downloads torch."
	$(PYTHON) -m venv $(VENV) || { echo "error: venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv || echo "uv cannot be had here; pip is used (slower)"
	@touch $@

$(VENV)/.ready: setup.cfg pyproject.toml constraints.txt | $(VENV)/.made
	@$(call install,--editable .)
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@$(call install,--editable '.[dev]')
	@touch $@

$(VENV)/.ready-docs: $(VENV)/.ready
	@$(call install,--editable '.[docs]')
	@touch $@

demo: $(VENV)/.ready
	$(PY) -m harness.cv competitions/digit-recognizer --sample --recipe quick --resume
	$(PY) -m harness.cv competitions/digit-recognizer --sample --recipe improved_cnn --resume
	$(PY) -m harness.submit --comp digit-recognizer --sample --best 2 --dry-run
	@echo
	@echo "That was the whole way on a small embedded sample: two recipes cross-validated, blended, written, checked."
	@echo "Next, with the real data (PY=$(PY)):"
	@echo "  put digit-recognizer.zip from kaggle.com into data/digit-recognizer/, then"
	@echo "  $(PY) -m harness.cv competitions/digit-recognizer --recipe quick"
	@echo "  $(PY) -m harness.submit --comp digit-recognizer --dry-run"

# axe-core judges pages in tests, where there are a Chromium and npm; without them those tests are skipped, with the reason.
test: setup-dev $(VENV)/.axe
	$(PY) -m pytest

$(VENV)/.axe: | $(VENV)/.made
	@command -v npm >/dev/null && npm install --silent --no-fund --no-audit --prefix $(VENV)/npm axe-core@4.14.1 || echo "no axe-core: pages are not judged by it"
	@touch $@

# Refuses links that lead nowhere and pages that no menu has. Nothing is fetched.
docs: $(VENV)/.ready-docs
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet
	@echo "open build/site/index.html, or: $(PY) -m mkdocs serve"

lint: setup-dev types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports --config setup.cfg

types: setup-dev
	$(PY) -m mypy

# The wheel is built from the sdist: what the sdist lacks, building misses.
dist: setup-dev
	rm -rf dist build/lib build/bdist.*
	$(PY) -m build --no-isolation --quiet
	.ci/wheel $(PY)

# Neither runs in CI. What they leave lies in build/.
coverage: setup-dev
	@rm -rf build/coverage && mkdir -p build/coverage
	$(VENV)/bin/coverage run -m pytest
	$(PY) -m benchmarks.covered

mutants: setup-dev
	$(PY) -m benchmarks.mutants $(ONLY)

# Renew the pins, for every Python from 3.11 on and every system: the newest versions that all extras agree on.
lock: setup-dev
	$(UV) pip compile --quiet --universal --python-version 3.11 --upgrade --no-annotate \
	  $(addprefix --extra ,cluster medical hdf5 onnx umap postgresql offline-weights docs dev) \
	  --custom-compile-command "make lock" --output-file constraints.txt setup.cfg

clean:
	rm -rf $(VENV) build dist *.egg-info
