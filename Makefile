# Everything there is to do, behind one word. Needs a Python >= 3.11 and make; the rest is installed into .venv.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.installed
UV_VERSION := 0.13.9
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11

# Trust the certificates that the machine trusts, where it has a list of them; uv has its own for the rest.
CERTIFICATES := $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem)

# An environment that is active outside, or a setting of uv, must not lead the installation elsewhere.
unexport VIRTUAL_ENV UV_PROJECT_ENVIRONMENT PYTHONPATH PYTHONHOME

.PHONY: help
help:  ## list every target
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: install
install: $(STAMP)  ## make .venv with everything that uv.lock names

# The first Python that is new enough and able to make an environment; PYTHON=... says another.
$(BIN)/uv: Makefile
	@set -e; found=; \
	for name in $(or $(PYTHON),$(PYTHONS)); do \
	  if "$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then found="$$name"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "No Python >= 3.11 with the modules venv and ensurepip among: $(or $(PYTHON),$(PYTHONS))." >&2; \
	  echo "Install one (on Debian and Ubuntu also python3-venv), or name it: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	if ! "$(PY)" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	  echo "making $(VENV) with $$("$$found" -c 'import sys; print(sys.executable, sys.version.split()[0])')"; \
	  "$$found" -m venv --clear "$(VENV)"; \
	fi
	@$(PY) -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@touch $@

$(STAMP): $(BIN)/uv pyproject.toml uv.lock
	@$(BIN)/uv sync --quiet --frozen $(if $(CERTIFICATES),--system-certs)
	@touch $@

.PHONY: run
run: $(STAMP)  ## the example "should I install this package?" over ten packages
	@$(PY) examples/shouldi/run.py

.PHONY: tutorial
tutorial: $(STAMP)  ## climb the tutorial's ladder: measure every rung, draw the plots (ARGS="--help" for choices)
	@PYTHONPATH=examples/tutorial $(PY) examples/tutorial/climb.py $(ARGS)

.PHONY: test
test: $(STAMP)  ## install, run all tests, fail below the wanted coverage
	@$(BIN)/pytest --cov --cov-report=term $(ARGS)

.PHONY: check
check: $(STAMP)  ## lint, format, types, import contracts, size budgets, names in the Lua, what is generated
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@$(BIN)/lint-imports --no-logo
	@$(PY) tools/budgets.py
	@$(PY) tools/lua.py
	@$(PY) -m tidemill_operator.kinds --check
	@PYTHONPATH=. $(PY) tools/chart.py --check

.PHONY: generate
generate: $(STAMP)  ## make the definitions of the kinds, the page about the chart and manifests/ out of their sources
	@$(PY) -m tidemill_operator.kinds --write
	@PYTHONPATH=. $(PY) tools/chart.py

.PHONY: images
images: $(STAMP)  ## build the images of operator and workers (BUILDER=docker|podman|buildah|cluster; ARGS=tidemill-worker for one)
	@PYTHONPATH=. $(PY) tools/images.py $(ARGS)

.PHONY: sbom
sbom: $(STAMP)  ## say what is in the images, as CycloneDX, in build/sbom (ARGS=tidemill-worker for one)
	@PYTHONPATH=. $(PY) tools/sbom.py $(ARGS)

.PHONY: playground
playground: $(STAMP)  ## a cluster, Tidemill in it and a first data flow (CLUSTER=kind|dev; ARGS=--down removes it)
	@PYTHONPATH=. $(PY) tools/playground.py $(ARGS)

.PHONY: format
format: $(STAMP)  ## sort imports and format, in place
	@$(PY) -m ruff check --fix-only --quiet
	@$(PY) -m ruff format

.PHONY: docs
docs: $(STAMP)  ## make docs/redis.md, docs/dataflow.md, docs/metrics.md and the notebook out of their sources (ARGS=--measure measures the first one anew)
	@PYTHONPATH=. $(PY) tools/redis_doc.py $(ARGS)
	@$(PY) tools/dataflow_doc.py
	@PYTHONPATH=. $(PY) tools/metrics_doc.py
	@$(PY) tools/notebook.py

.PHONY: site
site: $(STAMP)  ## build the site of the documentation, strictly, into build/site; it needs no server
	@PYTHONPATH=. $(PY) tools/site.py $(ARGS)

.PHONY: bench
bench: $(STAMP)  ## measure in memory (ARGS="--help") and over a store (STORE="--help") beside others; given one, that
	@$(if $(ARGS)$(if $(STORE),,x),$(PY) -m benchmarks $(ARGS),:)
	@$(if $(STORE)$(if $(ARGS),,x),$(PY) -m benchmarks.store $(STORE),:)

.PHONY: bench-cluster
bench-cluster: $(STAMP)  ## measure Tidemill in the cluster that make playground has made (ARGS="--help" for choices)
	@$(PY) -m benchmarks.cluster $(ARGS)

.PHONY: soak
soak: $(STAMP)  ## simulate fifty thousand flows, kill workers a thousand times, and look whether anything was lost (ARGS="--help" for choices)
	@$(PY) -m tools.soak $(ARGS)

.PHONY: mutants
mutants: $(STAMP)  ## put mistakes into the engine one at a time and see whether tests notice
	@$(PY) tools/mutants.py $(ARGS)
	@$(if $(ARGS),,$(MAKE) --no-print-directory lua-mutants)

.PHONY: lua-mutants
lua-mutants: $(STAMP)  ## the same for the Lua of the store (part of mutants; ARGS="NAME..." for some)
	@$(PY) tools/lua_mutants.py $(ARGS)

.PHONY: clean
clean:  ## remove .venv and everything that was built or measured
	@rm -rf $(VENV) build dist htmlcov mutants .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find core worker operator examples benchmarks tests tools -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
