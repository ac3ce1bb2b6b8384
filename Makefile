# Two commands do everything on a fresh machine: `make demo` and `make test`.
VENV := .venv
PY := $(VENV)/bin/python
PYTHON ?= python3

.PHONY: demo test prove reports release clean

demo: $(VENV)/.installed
	$(VENV)/bin/mbcost compare --in 64 --out 128 --size 224

test: $(VENV)/.installed-test
	$(VENV)/bin/ruff check mbcost tests
	$(VENV)/bin/ruff format --check mbcost tests
	@types=$$(mktemp); $(VENV)/bin/mypy > $$types 2>&1 & mypy=$$!; \
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --dist worksteal --durations=10; tests=$$?; \
	wait $$mypy; typed=$$?; cat $$types; rm $$types; \
	exit $$(( tests ? tests : typed ))

# What takes longer than the suite: every script under tests/proofs/, each of which writes what it
# found to reports/proofs/. One alone: make prove PROOFS="models --sample 50".
prove: $(VENV)/.installed-test
	$(PY) -m tests.proofs $(PROOFS)

# Regenerates reports/, and the output in README.md and docs/; tests compare them.
reports: $(VENV)/.installed-test
	$(PY) -m tests.regenerate

# A release, tried in throw-away environments: wheel and sdist are built and checked, then the wheel
# answers in an empty folder, with what the closed form needs and no more. TAG must be its version.
release:
	rm -rf build dist
	$(PYTHON) -m venv build/tools
	build/tools/bin/pip install --quiet build twine
	build/tools/bin/python -m build --outdir dist
	build/tools/bin/twine check --strict dist/*
	$(PYTHON) -m venv build/user
	build/user/bin/pip install --quiet 'typer>=0.28,<0.29' rich pyyaml numpy
	build/user/bin/pip install --quiet --no-deps dist/*.whl
	mkdir build/empty
	cd build/empty && ../user/bin/mbcost --version
	cd build/empty && ../user/bin/mbcost compare v1 v2@alpha=0.5 --fast
	cd build/empty && ../user/bin/mbcost check v3-small --max-params 3M
	test -z '$(TAG)' || test '$(TAG)' = "v$$(build/user/bin/mbcost --version | sed -n 's/^mbcost //p')"

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
