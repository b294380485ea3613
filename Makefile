# Each target sets up what it needs in .venv; PYTHON=… picks another interpreter than the first one found.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,\
            $(shell $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
BIN := .venv/bin
SOURCES := labnet tests twisted/plugins bench docs

# The tests start a thousand daemons, each of which would compile labnet anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-all lint unit soak bench docs changelog release deb clean
VERSION := $(shell sed -n 's/^version = //p' setup.cfg)
PYTHONS := python3.11 python3.12 python3.13 python3.14

# Ctrl-C goes to make too, which would report it: the shell that takes note of it keeps make from that, and 130 is what a
# command gives that was interrupted before it ran.
run: .venv/run
	@echo "Try in another terminal (the lab says below what listens where):"
	@echo "  $(BIN)/labnet command 127.0.0.1 8080 TIME"
	@echo "  $(BIN)/labnet resolve 127.0.0.1 1199 www.google.co.il"
	@echo "  $(BIN)/labnet resolve 127.0.0.1 1199"
	@trap : INT; $(BIN)/labnet run || test $$? -eq 130

test: lint unit

lint: .venv/test
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

# pytest runs everything and measures coverage, but not that of the daemons it starts, which would take half as long again
# for each; trial runs the unit tests. Of those with real peers INTEROP_JOBS files run at a time, and the others beside.
INTEROP_JOBS ?= 3
COVERED := --cov=labnet --cov-report= --cov-fail-under=0

unit: .venv/test
	rm -f .coverage .coverage.*
	@mkdir -p build
	$(MAKE) --no-print-directory -j2 interop-tests unit-tests
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# What finds a page wrong for those who do not see it, or use no mouse; without npm the tests that ask it are skipped.
AXE := build/axe/node_modules/axe-core/axe.min.js

$(AXE):
	npm install --silent --no-audit --no-fund --prefix build/axe axe-core@4

.PHONY: interop-tests unit-tests
interop-tests: $(if $(shell command -v npm),$(AXE))
	COVERAGE_FILE=.coverage.interop $(BIN)/python -m pytest -q -rs $(COVERED) -m "not soak" -n $(INTEROP_JOBS) --dist loadfile tests/interop

unit-tests:
	COVERAGE_FILE=.coverage.unit $(BIN)/python -m pytest -q $(COVERED) -m "not soak" --ignore=tests/interop tests
	$(BIN)/trial --reporter=bwverbose --temp-directory=build/trial tests >build/trial.log 2>&1 || { cat build/trial.log; exit 1; }
	@tail -n 4 build/trial.log

# The unit tests on the oldest Twisted that setup.cfg takes, and on the newest there is; TWISTED_TESTS=… picks some.
OLDEST_TWISTED := $(shell sed -n 's/^ *twisted *>= *//p' setup.cfg)
TWISTED_TESTS ?= --ignore=tests/interop tests

.PHONY: test-twisted test-oldest-twisted
test-twisted: test-oldest-twisted build/twisted-newest/ready
	build/twisted-newest/bin/python -m pytest -q -m "not soak" $(TWISTED_TESTS)

test-oldest-twisted: build/twisted-$(OLDEST_TWISTED)/ready
	build/twisted-$(OLDEST_TWISTED)/bin/python -m pytest -q -m "not soak" $(TWISTED_TESTS)

build/twisted-%/ready: setup.cfg
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install -q --disable-pip-version-check --upgrade 'twisted$(if $(filter newest,$*),,==$*.*)' -e .[test]
	@touch $@

# The unit tests on each supported Python that is installed, each in an environment of its own below build/.
test-all:
	@failed=; for python in $(PYTHONS); do \
	    $$python -c '' 2>/dev/null || { echo "$$python is not installed"; continue; }; \
	    echo "== $$python"; \
	    test -x build/$$python/bin/python || $$python -m venv build/$$python || exit 1; \
	    build/$$python/bin/python -m pip install -q --disable-pip-version-check -e .[test] || exit 1; \
	    build/$$python/bin/python -m pytest -q -m "not soak" --ignore=tests/interop tests || failed="$$failed $$python"; \
	done; test -z "$$failed" || { echo "tests failed on$$failed" >&2; exit 1; }

# Long runs under load and under faults.
soak: .venv/test
	$(BIN)/python -m pytest -m soak -s

# Each parser that outsiders reach, under atheris, SECONDS each (an hour in all by default); findings are in build/fuzz.
.PHONY: fuzz
fuzz: .venv/fuzz
	nice -n 19 $(BIN)/python -m tests.fuzz.run $(or $(SECONDS),300)

# labnet beside the peers that are installed, in one run; ROUNDS and SECONDS make it longer or shorter, BENCH=--docs
# has docs/speed.rst show the result.
bench: .venv/bench
	$(BIN)/python -m bench.run --rounds $(or $(ROUNDS),5) --seconds $(or $(SECONDS),2) $(BENCH)
	$(BIN)/python -m bench.captures --rounds $(or $(ROUNDS),5)

# Writes what the pages include of the code, then the pages, into docs/_build.
docs: .venv/docs
	$(BIN)/python docs/generate.py
	$(BIN)/sphinx-build -q -W -b html docs docs/_build
	$(BIN)/python -m docs.shipped docs/_build/prefix $(VERSION)

# Takes the fragments of docs/changes into CHANGELOG.md, as what is new in the version that setup.cfg names.
changelog: .venv/test
	$(BIN)/towncrier build --yes --version $(VERSION)

# Builds the sdist, and the wheel from the sdist, of a clean tree whose CHANGELOG.md has this version, and checks both.
# URL=https://… is where the repository is: the links of both lead there.
release: .venv/test
	@test -n "$(URL)" || { echo "make release: where is the repository? say make release URL=https://…" >&2; exit 1; }
	@test -z "$$(git status --porcelain)" || { echo "make release: the tree is not clean: commit or stash first" >&2; exit 1; }
	@test -z "$$(ls docs/changes/*.md 2>/dev/null)" || { echo "make release: docs/changes is not empty: make changelog first" >&2; exit 1; }
	@grep -q '^## $(VERSION) ' CHANGELOG.md || { echo "make release: CHANGELOG.md has no $(VERSION): make changelog first" >&2; exit 1; }
	rm -rf dist
	LABNET_URL=$(URL) $(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*

# The Debian package, into dist, on the Debian that it is for; SOURCE_DATE_EPOCH, DEBFULLNAME and DEBEMAIL count.
deb:
	@sh etc/debian/build.sh

clean:
	rm -rf .venv build dist docs/_build .coverage .coverage.*

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "labnet needs Python 3.11 or newer; none was found: install one, or say make PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "the venv module is missing: install it (Debian: apt-get install python3-venv)" >&2; exit 1; }

.venv/run: .venv/bin/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .[all]
	@touch $@

.venv/test: .venv/bin/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .[test]
	@touch $@ .venv/run

.venv/bench: .venv/bin/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .[bench,all]
	@touch $@ .venv/run

.venv/fuzz: .venv/bin/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .[fuzz]
	@touch $@ .venv/run .venv/test

.venv/docs: .venv/bin/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .[docs]
	@touch $@
