# Each target works on a fresh clone: the first thing it does is make .venv.
.DEFAULT_GOAL := help
PYTHON ?= python3.11
BIN := .venv/bin
.PHONY: .venv help demo test dev lint bench docs clean

help:
	@echo "make demo   draw scenes, ingest them, ask questions, write demo-report/index.html"
	@echo "make test   all tests"
	@echo "make dev    Dagster UI, daemon and a local Milvus, until Ctrl-C"
	@echo "make lint   ruff, mypy and the import contract"
	@echo "make docs   docs/commands.md and docs/settings.md, from the code"
	@echo "make bench  ingest of a 30,000 x 30,000 px scene: memory, patches a second, overhead"

# The mark is made last, so an interrupted install is not taken for one; it is older than pyproject.toml after a change.
.venv/installed: pyproject.toml
	$(if $(shell command -v $(PYTHON)),$(PYTHON),python3) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 torchvision==0.28.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

.venv: .venv/installed

demo: .venv/installed
	$(BIN)/imagerag demo --out demo-report

test: .venv/installed
	$(BIN)/python -m pytest

dev: .venv/installed
	$(BIN)/imagerag dev

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: .venv/installed
	$(BIN)/python benchmarks/ingest_large.py

docs: .venv/installed
	$(BIN)/python docs/make.py

clean:
	rm -rf .imagerag demo-report .pytest_cache .mypy_cache .ruff_cache
