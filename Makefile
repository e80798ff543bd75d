# The commands of this project; `make` lists them. They need python3 (3.11 to 3.13), make and a package index.
# Everything else is installed into .tools, .venv and .venv-*.

PYTHON ?= python3
UV_VERSION := uv>=0.9,<1
# The tests run on the newest line of Airflow in .venv, and on older lines in .venv-2.11 and .venv-3.0.
NEWEST := 3.3
OLDER := 2.11 3.0
# The vendor's released client, which cannot be installed beside Airflow. Its pinned dependencies need Python 3.11.
VENDOR := 'rayvision_api==3.0.4.3' 'rayvision-sync==3.1.8' 'setuptools<81'
VENDOR_PYTHON ?= 3.11
# Releases after this day are not used in the constraints.
CONSTRAINTS_DATE := 2026-11-21

BIN := .venv/bin
# One worker runs all tests of a file, because their fixtures are expensive. In this order, long tests start early.
PYTEST := pytest -q --numprocesses logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder
SUITE := --ignore tests/interop -m 'not browser'
# uv does not read pip's settings: if it has no index of its own, it gets pip's.
UV := UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX-$${UV_INDEX_URL-$${PIP_INDEX_URL-$$(.tools/bin/pip config get global.index-url 2>/dev/null)}}}" .tools/bin/uv

# Without byte code, the imports of each Airflow process take 5 s instead of 2 s.
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: postgres help demo demo-pipeline test test-matrix lint types pytest coverage package interop browser bench reliability format constraints clean
.PRECIOUS: .venv-%/installed

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: .venv/installed ## render three shots in a real Airflow on the embedded farm (KEEP=1: keep both running until Ctrl-C)
	@$(BIN)/python -m dev.demo $(if $(KEEP),--keep)

demo-pipeline: .venv/installed ## upload a scene, render its layers, download and composite the frames, in the same way
	@$(BIN)/python -m dev.demo.pipeline $(if $(KEEP),--keep)

test: lint types pytest ## check format, lint and types, and run the tests

test-matrix: $(OLDER:%=pytest-%) ## run the tests on the older lines of Airflow

lint: .venv/installed ## check format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/installed ## check types
	$(BIN)/mypy

pytest: .venv/installed ## run the tests
	$(BIN)/$(PYTEST) $(SUITE)

# Airflow 2 needs PostgreSQL for more than one task at a time.
pytest-2.11: postgres

pytest-%: .venv-%/installed
	$(<D)/bin/$(PYTEST) $(SUITE)

coverage: .venv/installed ## check that the tests of the protocol cover every line and branch of api/
	$(BIN)/coverage run -m pytest -q tests/api
	$(BIN)/coverage report

interop: .venv/installed .venv-vendor/installed ## compare client and farm with the vendor's released client
	$(BIN)/$(PYTEST) tests/interop

browser: .venv/installed ## test the pages of the farm and of Airflow in Chromium (if missing, installed from Debian, as root)
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; }
	$(BIN)/pytest -q -m browser tests

bench: .venv/installed .venv-vendor/installed ## measure the figures of docs/benchmarks.md, and of docs/waiting.md with fewer tasks
	$(BIN)/python -m dev.benchmarks

reliability: .venv/installed $(OLDER:%=.venv-%/installed) postgres ## kill Airflow at every step of a render, and write docs/reliability.md (SMALL=1: a part of it, for CI)
	@$(BIN)/python -m dev.reliability $(if $(SMALL),--small,--write)

postgres: # root gets it from Debian if it is missing
	@command -v postgres >/dev/null || ls -d /usr/lib/postgresql/*/bin >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; }

format: .venv/installed ## format the code, and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

package: .venv/installed ## build the wheel, and test it in an empty environment
	@rm -rf dist
	@$(UV) build --quiet
	@$(UV) venv --quiet --clear --python .tools/bin/python .venv-package
	@$(UV) pip install --quiet --python .venv-package/bin/python --constraint constraints/airflow-$(NEWEST).txt dist/*.whl
	$(BIN)/pytest -q tests/wheel.py

constraints: .tools/installed ## pin the newest versions as of CONSTRAINTS_DATE
	@for line in $(NEWEST) $(OLDER); do \
	  $(UV) pip compile constraints/airflow-$$line.in pyproject.toml --all-extras --group dev --universal \
	    --python-version 3.11 --exclude-newer $(CONSTRAINTS_DATE) --upgrade --no-header --no-annotate --quiet \
	    --output-file constraints/airflow-$$line.txt || exit; \
	done
	@printf '%s\n' $(VENDOR) | $(UV) pip compile - --universal --python-version $(VENDOR_PYTHON) \
	  --exclude-newer $(CONSTRAINTS_DATE) --upgrade --no-header --no-annotate --quiet --output-file constraints/vendor.txt

clean: ## remove environments, caches and the files of demo runs
	rm -rf .tools .venv .venv-* .demo .reliability .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

define install
@echo 'Installing Airflow and the tools into $(@D)'
@test -x $(@D)/bin/python || $(UV) venv --quiet --clear --python .tools/bin/python $(@D)
@$(UV) pip install --quiet --python $(@D)/bin/python --constraint $< --requirement $(<:.txt=.in) \
  --editable '.[farm,examples]' --group dev
@touch $@
endef

.venv/installed: constraints/airflow-$(NEWEST).txt pyproject.toml .tools/installed
	$(install)

.venv-%/installed: constraints/airflow-%.txt pyproject.toml .tools/installed
	$(install)

.venv-vendor/installed: .tools/installed constraints/vendor.txt
	@echo "Installing the vendor's released client into .venv-vendor"
	@$(UV) venv --quiet --clear --python $(VENDOR_PYTHON) .venv-vendor
	@$(UV) pip install --quiet --python .venv-vendor/bin/python --requirements constraints/vendor.txt
	@touch $@

.tools/installed:
	@command -v '$(PYTHON)' >/dev/null || { echo '$(PYTHON) does not exist. Needed: Python 3.11, 3.12 or 3.13, as python3 or as make PYTHON=/path/to/python3'; exit 1; }
	@'$(PYTHON)' -c 'import sys; v = sys.version_info; (3, 11) <= v < (3, 14) or sys.exit(f"{sys.executable} is Python {v[0]}.{v[1]}. Needed: Python 3.11, 3.12 or 3.13, as python3 or as make PYTHON=/path/to/python3")'
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { echo '$(PYTHON) has no module venv. Install it; on Debian and Ubuntu: apt install python3-venv'; exit 1; }
	@echo 'Installing uv into .tools'
	@rm -rf .tools
	@"$$('$(PYTHON)' -c 'import sys; print(sys.executable)')" -m venv .tools
	@.tools/bin/pip install -qq --disable-pip-version-check '$(UV_VERSION)'
	@touch $@
