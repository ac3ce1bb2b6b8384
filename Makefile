# Two commands do everything on a fresh machine: `make demo` and `make test`.
VENV := .venv
PY := $(VENV)/bin/python
PYTHON ?= python3

.PHONY: demo test reports clean

demo: $(VENV)/.installed
	$(VENV)/bin/mbcost compare --in 64 --out 128 --size 224

test: $(VENV)/.installed-test
	$(VENV)/bin/ruff check mbcost tests
	$(VENV)/bin/ruff format --check mbcost tests
	$(VENV)/bin/mypy
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --durations=10

# Regenerates reports/, and the output in README.md and docs/; tests compare them.
reports: $(VENV)/.installed-test
	$(PY) -m tests.regenerate

$(PY):
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(PY)
	$(VENV)/bin/pip install --quiet --editable .
	$(PY) -m compileall -q mbcost
	touch $@

$(VENV)/.installed-test: pyproject.toml $(VENV)/.installed
	$(VENV)/bin/pip install --quiet --editable '.[test,plot]'
	touch $@

clean:
	rm -rf $(VENV) build dist
