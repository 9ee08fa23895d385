# Three commands: make demo, make test, make setup. Everything is installed into .venv and nowhere else.
VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.ready
# The first Python that is new enough; name another with: make setup PYTHON=/path/to/python3.12
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help setup demo test lint clean lock
help:
	@echo "make demo   set up, then 5-fold CV, a blend and a checked submission on embedded digits"
	@echo "make test   set up, then the whole test suite"
	@echo "make setup  create .venv with pinned dependencies"
	@echo "make lint   ruff, and imports that go down the floors only"

setup: $(READY)

$(READY): setup.cfg pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python >= 3.11 found; install one, or name it: make setup PYTHON=..." >&2; exit 2; }
	@echo "Setting up .venv with $(PYTHON); the first time this downloads torch and takes some minutes."
	$(PYTHON) -m venv $(VENV) || { echo "error: venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: setup
	$(PY) -m harness.cv competitions/digit-recognizer --sample --recipe quick --resume
	$(PY) -m harness.cv competitions/digit-recognizer --sample --recipe improved_cnn --resume
	$(PY) -m harness.submit --comp digit-recognizer --sample --best 2 --dry-run
	@echo
	@echo "That was the whole way on a small embedded sample: two recipes cross-validated, blended, written, checked."
	@echo "Next, with the real data (PY=$(PY)):"
	@echo "  put digit-recognizer.zip from kaggle.com into data/digit-recognizer/, then"
	@echo "  $(PY) -m harness.cv competitions/digit-recognizer --recipe quick"
	@echo "  $(PY) -m harness.submit --comp digit-recognizer --dry-run"

test: setup
	$(PY) -m pytest

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports --config setup.cfg

# Renew the pins: the newest versions that every extra agrees on.
lock:
	rm -rf .lock-venv && $(PYTHON) -m venv .lock-venv
	.lock-venv/bin/python -m pip install --quiet '.[kaggle,text,tune,augment,cluster,onnx,umap,postgresql,offline-weights,dev]'
	{ echo "# Pinned versions of everything we may install; renew with: make lock"; \
	  .lock-venv/bin/python -m pip freeze --exclude competition-harness; } > constraints.txt
	rm -rf .lock-venv

clean:
	rm -rf $(VENV) build *.egg-info
