# The commands of this project; `make` lists them. They need python3 (3.11 to 3.13), make and a package index.
# Everything else is installed into .tools, .venv and .venv-*.

PYTHON ?= python3
UV_VERSION := uv>=0.9,<1
# The tests run on the newest and the oldest line of Airflow, and what differs between lines on those between.
NEWEST := 3.3
OLDEST := 2.11
MIDDLE := 3.0 3.1 3.2
# The vendor's released client, which cannot be installed beside Airflow. Its pinned dependencies need Python 3.11.
VENDOR := 'rayvision_api==3.0.4.3' 'rayvision-sync==3.1.8' 'setuptools<81'
VENDOR_PYTHON ?= 3.11
# Test tools and the vendor's client are not newer than this day.
CONSTRAINTS_DATE := 2026-11-21

BIN := .venv/bin
# One worker runs all tests of a file, because their fixtures are expensive. In this order, long tests start early.
PYTEST := pytest -q --numprocesses logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder
ALL := --ignore tests/interop -m 'not browser'
# Without DAG runs by Airflow's own commands.
SUITE := --ignore tests/interop -m 'not browser and not dag_runs'
# Without Airflow.
FAST := $(addprefix tests/,api clients preflight polling renders reports task_json transfer)
# Where lines differ: connection form, plugins, deferral, the task's own state, state store, imports, kills, XComs of
# failed tasks, metrics. And a night in each pattern.
LINE_SUITE := $(addprefix tests/airflow/test_,connection.py dag_run.py decorator.py example_dags.py execution_timeout.py \
  hook.py imports.py job_identity.py kills.py links.py metrics.py native_templates.py night_report.py \
  get_provider_info.py patterns.py render.py render_record.py sensors.py shot_names.py) tests/web/test_server.py
# uv does not read pip's settings: if it has no index of its own, it gets pip's.
UV := UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX-$${UV_INDEX_URL-$${PIP_INDEX_URL-$$(.tools/bin/pip config get global.index-url 2>/dev/null)}}}" .tools/bin/uv

COMPILE = $(UV) pip compile --universal --upgrade --no-header --no-annotate --quiet

# Without byte code, the imports of each Airflow process take 5 s instead of 2 s.
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: postgres redis celery night help docs demo demo-pipeline test test-fast test-runs test-matrix test-oldest test-middle test-lowest lint types pytest coverage package interop browser bench reliability format constraints clean
.PRECIOUS: .venv-%/installed

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: .venv/installed ## render three shots in a real Airflow on the embedded farm (KEEP=1: keep both running until Ctrl-C)
	@$(BIN)/python -m dev.demo $(if $(KEEP),--keep)

demo-pipeline: .venv/installed ## upload a scene, render its layers, download and composite the frames, in the same way
	@$(BIN)/python -m dev.demo.pipeline $(if $(KEEP),--keep)

test: lint types pytest ## check format, lint and types, and run the tests

test-fast: lint ## check format and lint, and run the tests that need no Airflow
	$(BIN)/$(PYTEST) $(FAST)

test-runs: .venv/installed ## run DAGs in a real Airflow, also with faults
	$(BIN)/$(PYTEST) --ignore tests/interop -m dag_runs

test-matrix: test-oldest test-middle test-lowest ## run the tests on the older lines of Airflow, and with other dependencies

test-oldest: pytest-$(OLDEST) ## run the tests on the oldest line of Airflow

test-middle: $(MIDDLE:%=pytest-%) ## run the tests of what differs between lines on those between

test-lowest: pytest-lowest-$(OLDEST) pytest-lowest-$(NEWEST) pytest-fab ## run tests with the lowest versions of dependencies, and with FAB

lint: .venv/installed ## check format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/installed ## check types
	$(BIN)/mypy

pytest: .venv/installed ## run the tests
	$(BIN)/$(PYTEST) $(SUITE)

# Airflow 2 needs PostgreSQL for more than one task at a time.
pytest-$(OLDEST): postgres

pytest-$(OLDEST): .venv-$(OLDEST)/installed
	$(<D)/bin/$(PYTEST) $(ALL)

# Roles with permissions on single DAGs.
pytest-fab: .venv-fab/installed
	$(<D)/bin/pytest -q tests/web/test_fab.py

pytest-%: .venv-%/installed
	$(<D)/bin/$(PYTEST) $(LINE_SUITE)

# With the lowest versions of its dependencies that the metadata allow.
pytest-lowest-%: .venv-lowest-%/installed
	$(<D)/bin/$(PYTEST) tests/clients tests/task_json $(addprefix tests/airflow/test_,connection.py hook.py render.py)

docs: .venv/installed .venv-docs/installed ## build the documentation into build/docs; a warning is an error
	@rm -rf build/docs build/doctrees
	@.venv-docs/bin/sphinx-build --quiet --fail-on-warning --keep-going --doctree-dir build/doctrees docs build/docs
	$(BIN)/pytest -q tests/site.py

coverage: .venv/installed ## check that the tests of the protocol cover every line and branch of api/
	$(BIN)/coverage run -m pytest -q tests/api
	$(BIN)/coverage report

interop: .venv/installed .venv-vendor/installed ## compare client and farm with the vendor's released client
	$(BIN)/$(PYTEST) tests/interop

browser: .venv/installed ## test the pages of the farm and of Airflow in Chromium (if missing, installed from Debian, as root)
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; }
	$(BIN)/pytest -q -m browser tests

# Frame wall and connection form on an older line of Airflow, for example browser-3.1.
browser-%: .venv-%/installed
	$(<D)/bin/pytest -q -m browser tests/web/test_airflow_browser.py tests/airflow/test_connection_browser.py

bench: .venv/installed .venv-vendor/installed ## measure the figures of docs/benchmarks.md, and of docs/waiting.md with fewer tasks
	$(BIN)/python -m dev.benchmarks

reliability: .venv/installed $(patsubst %,.venv-%/installed,$(OLDEST) 3.0) postgres ## kill Airflow at every step of a render, and write docs/reliability-tables.md (SMALL=1: a part of it, for CI)
	@$(BIN)/python -m dev.reliability $(EXPERIMENTS) $(if $(SMALL),--small,--write)

celery: .venv/installed .venv-celery/installed postgres redis ## the same on Celery, with two workers and two triggerers (SMALL=1: a part of it, for CI)
	@$(BIN)/python -m dev.reliability celery $(if $(SMALL),--small,--write)

night: .venv/installed .venv-celery/installed postgres redis ## measure a night of renders and thousands of deferred ones in a real Airflow: an hour
	$(BIN)/python -m dev.benchmarks night deferred

redis: # root gets it from Debian if it is missing
	@command -v redis-server >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server; }

postgres: # root gets it from Debian if it is missing
	@command -v postgres >/dev/null || ls -d /usr/lib/postgresql/*/bin >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; }

format: .venv/installed ## format the code, and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

package: .venv/installed ## build the wheel, and test it in an empty environment of each line of Airflow
	@rm -rf dist
	@$(UV) build --quiet
	@$(UV) build --quiet --out-dir dist/again
	@for line in $(OLDEST) $(MIDDLE) $(NEWEST); do \
	  $(UV) venv --quiet --clear --python .tools/bin/python .venv-package-$$line && \
	  $(UV) pip install --quiet --python .venv-package-$$line/bin/python --constraint constraints/airflow-$$line.txt dist/*.whl || exit; \
	done
	$(BIN)/pytest -q -n 2 tests/wheel.py
	@rm -r dist/again

# Beside Airflow, packages are as old as its release, as in Airflow's own constraints. Only test tools are newer.
constraints: .tools/installed ## pin the packages of each line's release day, and the test tools as of CONSTRAINTS_DATE
	@for line in $(OLDEST) $(MIDDLE) $(NEWEST) celery; do \
	  $(COMPILE) constraints/airflow-$$line.in pyproject.toml --all-extras --python-version 3.11 \
	    --exclude-newer "$$(sed -n 's/^# released //p' constraints/airflow-$$line.in)" \
	    --output-file constraints/airflow-$$line.txt || exit; \
	done
	@$(COMPILE) --group dev --group docs --python-version 3.11 --exclude-newer $(CONSTRAINTS_DATE) --output-file constraints/tests.txt
	@for package in $$(cat constraints/airflow-*.txt | sed 's/==.*//' | sort -u); do \
	  sed -i "/^$$package==/d" constraints/tests.txt; \
	done
	@printf '%s\n' $(VENDOR) | $(COMPILE) - --python-version $(VENDOR_PYTHON) \
	  --exclude-newer $(CONSTRAINTS_DATE) --output-file constraints/vendor.txt

clean: ## remove environments, caches and the files of demo runs
	rm -rf .tools .venv .venv-* .demo .reliability .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

define install
@echo 'Installing Airflow and the tools into $(@D)'
@test -x $(@D)/bin/python || $(UV) venv --quiet --clear --python .tools/bin/python $(@D)
@$(UV) pip install --quiet --python $(@D)/bin/python --constraint $< --constraint constraints/tests.txt --requirement $(<:.txt=.in) \
  --editable '.[farm,examples,exr]' --group $(if $(filter .venv,$(@D)),dev,tests)
@touch $@
endef

.venv/installed: constraints/airflow-$(NEWEST).txt constraints/tests.txt pyproject.toml .tools/installed
	$(install)

.venv-%/installed: constraints/airflow-%.txt constraints/tests.txt pyproject.toml .tools/installed
	$(install)

.venv-fab/installed: constraints/airflow-$(NEWEST).txt constraints/tests.txt pyproject.toml .tools/installed
	@echo "Installing Airflow with its provider fab into $(@D)"
	@$(UV) venv --quiet --clear --python .tools/bin/python $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python --requirement $(<:.txt=.in) apache-airflow-providers-fab \
	  --exclude-newer "$$(sed -n 's/^# released //p' $(<:.txt=.in))"
	@$(UV) pip install --quiet --python $(@D)/bin/python --constraint constraints/tests.txt --editable '.[farm]' --group tests
	@touch $@

.venv-lowest-%/installed: constraints/airflow-%.txt constraints/tests.txt pyproject.toml .tools/installed
	@echo 'Installing the lowest versions of dependencies into $(@D)'
	@grep -h '^apache-airflow' $< > $(@D).in
	@$(UV) venv --quiet --clear --python .tools/bin/python $(@D)
	@$(UV) pip compile --quiet --resolution lowest-direct --python $(@D)/bin/python $(@D).in pyproject.toml --extra farm --extra examples \
	  --exclude-newer "$$(sed -n 's/^# released //p' $(<:.txt=.in))" --output-file $(@D).txt
	@$(UV) pip install --quiet --python $(@D)/bin/python --constraint constraints/tests.txt --requirement $(@D).txt \
	  --editable . --group tests
	@rm $(@D).in $(@D).txt; touch $@

.venv-vendor/installed: .tools/installed constraints/vendor.txt
	@echo "Installing the vendor's released client into .venv-vendor"
	@$(UV) venv --quiet --clear --python $(VENDOR_PYTHON) .venv-vendor
	@$(UV) pip install --quiet --python .venv-vendor/bin/python --requirements constraints/vendor.txt
	@touch $@

.venv-docs/installed: .tools/installed constraints/tests.txt pyproject.toml
	@echo 'Installing the tools of the documentation into .venv-docs'
	@$(UV) venv --quiet --clear --python .tools/bin/python .venv-docs
	@$(UV) pip install --quiet --python .venv-docs/bin/python --constraint constraints/airflow-$(NEWEST).txt \
	  --constraint constraints/tests.txt --group docs
	@touch $@

# The workflow of CI tries 3.14 too.
.tools/installed:
	@command -v '$(PYTHON)' >/dev/null || { echo '$(PYTHON) does not exist. Needed: Python 3.11, 3.12 or 3.13, as python3 or as make PYTHON=/path/to/python3'; exit 1; }
	@'$(PYTHON)' -c 'import sys; v = sys.version_info; (3, 11) <= v < (3, 15) or sys.exit(f"{sys.executable} is Python {v[0]}.{v[1]}. Needed: Python 3.11, 3.12 or 3.13, as python3 or as make PYTHON=/path/to/python3")'
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { echo '$(PYTHON) has no module venv. Install it; on Debian and Ubuntu: apt install python3-venv'; exit 1; }
	@echo 'Installing uv into .tools'
	@rm -rf .tools
	@"$$('$(PYTHON)' -c 'import sys; print(sys.executable)')" -m venv .tools
	@.tools/bin/pip install -qq --disable-pip-version-check '$(UV_VERSION)'
	@touch $@
