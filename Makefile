# Every target sets up what it needs first. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .bench-venv
SPARK := .spark-venv
FUZZ := .fuzz-venv
AUDIT := .audit-venv
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.DEFAULT_GOAL := help
.PHONY: help demo docs pictures test check golden bench attack chaos soak spark fuzz audit wheel lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes -r requirements/runtime.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.runtime  ## the exosome scenario, start to end, no broker
	$(BIN)/tocsin demo

# Broker tests mostly wait for Kafka, so three processes keep two cores busy. A file stays in one process,
# which starts one broker for all of its files.
test: $(VENV)/.dev  ## every test, those on a real Apache Kafka among them
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile

check: $(VENV)/.dev  ## format, lint, types, import rules, phrases
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.phrases

golden: $(VENV)/.dev  ## after an addition to a contract: its golden schemas and docs/asyncapi.json
	$(BIN)/python -m tests.golden

docs: $(VENV)/.dev  ## run the commands of README and docs, and write their output into the pages
	$(BIN)/python -m tests.docs $(PAGES)

pictures: $(VENV)/.dev  ## take the pictures of pages that README and docs show
	$(BIN)/python -m tests.browser

$(BENCH)/.ready: requirements/bench.txt pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/bench.txt
	$(BENCH)/bin/python -m pip --disable-pip-version-check -q install --no-deps --no-build-isolation -e .
	@touch $@

bench: $(BENCH)/.ready  ## speed, latency and memory, beside peers and raw ceilings, about seventy minutes
	$(BENCH)/bin/python -m benchmarks.replay
	$(BENCH)/bin/python -m benchmarks.kafka_path
	$(BENCH)/bin/python -m benchmarks.latency
	$(BENCH)/bin/python -m benchmarks.growth
	$(BENCH)/bin/python -m benchmarks.scoring --pairs 600000
	$(BENCH)/bin/python -m benchmarks.scoring --pairs 5000000
	$(BENCH)/bin/python -m benchmarks.gps --peer-python $(BENCH)/bin/python
	$(BENCH)/bin/python -m benchmarks.safe_test
	$(BENCH)/bin/python -m benchmarks.e2b --gigabytes 1

attack: $(VENV)/.dev  ## hostile receivers, half-open connections and floods for five minutes; ATTACK="--seconds 60 ..."
	$(BIN)/python -W ignore -m tests.attacks $(ATTACK)

chaos: $(VENV)/.dev  ## break workers, brokers, disks and connections for half an hour; CHAOS="--seed 7 ..."
	$(BIN)/python -W ignore -m tests.chaos $(CHAOS)

soak: $(BENCH)/.ready  ## half an hour at a steady rate: memory stays flat, counts are right
	$(BENCH)/bin/python -W ignore -m benchmarks.soak

$(SPARK)/.ready: requirements/spark.txt pyproject.toml
	$(PYTHON) -m venv $(SPARK)
	$(SPARK)/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/spark.txt
	$(SPARK)/bin/python -m pip --disable-pip-version-check -q install --no-deps --no-build-isolation -e .
	@touch $@

spark: $(SPARK)/.ready  ## the independent recount with Spark against ours; needs Java 17
	$(SPARK)/bin/python -m pytest --timeout 1200 tests/spark

$(FUZZ)/.ready: requirements/fuzz.txt pyproject.toml
	$(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/fuzz.txt
	$(FUZZ)/bin/python -m pip --disable-pip-version-check -q install --no-deps --no-build-isolation -e .
	@touch $@

fuzz: $(FUZZ)/.ready  ## hostile bytes for every parser, ten minutes each; FUZZ_RUN="native --seconds 60"
	$(FUZZ)/bin/python -m tests.fuzz $(FUZZ_RUN)

$(AUDIT)/.ready: requirements/audit.txt
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/audit.txt
	@touch $@

# Strict: where no source of advisories can be reached it fails, since nothing was audited then.
audit: $(AUDIT)/.ready  ## known vulnerabilities of what is pinned, and its bill of materials, dist/sbom.json
	mkdir -p dist
	$(AUDIT)/bin/cyclonedx-py requirements requirements/runtime.txt --output-reproducible -o dist/sbom.json
	$(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/runtime.txt

wheel: $(VENV)/.dev  ## build the wheel and try it in an environment of its own, outside the checkout
	rm -rf dist .wheel-venv
	$(PIP) wheel -q --no-deps --no-build-isolation -w dist .
	$(PYTHON) -m venv .wheel-venv
	.wheel-venv/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/runtime.txt
	.wheel-venv/bin/python -m pip --disable-pip-version-check -q install --no-deps dist/tocsin-*.whl
	cd / && "$(CURDIR)/.wheel-venv/bin/tocsin" demo > /dev/null
	cd / && "$(CURDIR)/.wheel-venv/bin/tocsin" validate > /dev/null
	rm -rf .wheel-venv

lock: $(VENV)/.dev  ## resolve the pinned, hashed requirements again
	@$(PIP) install "uv>=0.9"
	$(BIN)/uv pip compile -q --python-version 3.11 pyproject.toml requirements/build.in --universal --generate-hashes --no-header --no-annotate -o requirements/runtime.txt
	$(BIN)/uv pip compile -q --python-version 3.11 pyproject.toml requirements/build.in --group dev --extra tracing --universal --generate-hashes --no-header --no-annotate -c requirements/runtime.txt -o requirements/dev.txt
	$(BIN)/uv pip compile -q --python-version 3.11 pyproject.toml requirements/build.in --group dev --extra spark --extra tracing --universal --generate-hashes --no-header --no-annotate -c requirements/dev.txt -o requirements/spark.txt
	$(BIN)/uv pip compile -q --python-version 3.11 pyproject.toml requirements/build.in --group dev --group fuzz --universal --generate-hashes --no-header --no-annotate -c requirements/dev.txt -o requirements/fuzz.txt
	$(BIN)/uv pip compile -q --python-version 3.11 --group audit --universal --generate-hashes --no-header --no-annotate -o requirements/audit.txt
	$(BIN)/uv pip compile -q --python-version 3.11 pyproject.toml requirements/build.in --group bench --universal --generate-hashes --no-header --no-annotate -c requirements/dev.txt -o requirements/bench.txt

clean:  ## remove the environment and caches
	rm -rf $(VENV) $(BENCH) $(SPARK) $(FUZZ) $(AUDIT) .fuzz .wheel-venv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
