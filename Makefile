# Everything from a fresh clone: Python 3.11 or later, nothing else installed.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test test-fast cluster faults faults-quick browser check format bench clean

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[app,bulk,dev,media,onnx,ray,slurm,transformers]'
	# timm asks for a torchvision that fits torch, which is not always to be had, and its networks do without.
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps timm
	# What the tests see others add to cohear.
	$(BIN)/pip install --quiet --no-deps --editable tests/plugin
	touch $@

demo: .venv/.installed       ## train the four methods on made-up sounds, about ninety seconds
	$(BIN)/cohear demo

test: .venv/.installed       ## every test, on both cores
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal

test-fast: .venv/.installed  ## the part that takes under a minute
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m "not slow"

cluster: .venv/.installed    ## grids on a SLURM of this machine, about three minutes; Debian, as root
	OMP_NUM_THREADS=1 tests/cluster/slurm.sh $(BIN)/pytest --quiet tests/cluster || [ $$? -eq 77 ]

faults: .venv/.installed     ## kills, full disks, strangers' files, over an hour; FILE keeps the table as JSON
	cd tests && PYTHONPATH=.. ../$(BIN)/python -m faults $(if $(FILE),--json $(abspath $(FILE)))

faults-quick: .venv/.installed  ## a few of each, about ninety seconds
	cd tests && PYTHONPATH=.. ../$(BIN)/python -m faults --quick

browser:                     ## Chromium, for the tests of the page; Debian, as root
	command -v chromium >/dev/null || { apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends chromium; }

check: .venv/.installed      ## linters and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/codespell

format: .venv/.installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Not all of constraints.txt: audiomentations needs a soxr below 1.
.venv-bench/.installed: pyproject.toml constraints.txt benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	grep '^torch==' constraints.txt > .venv-bench/constraints.txt
	.venv-bench/bin/pip install --quiet --constraint .venv-bench/constraints.txt --editable . \
		--requirement benchmarks/requirements.txt
	touch $@

bench: .venv-bench/.installed  ## speed, memory and accuracy beside other libraries, under ten minutes
	.venv-bench/bin/python -m benchmarks --out benchmarks/RESULTS.md

clean:
	rm -rf .venv .venv-bench dist build .pytest_cache .ruff_cache .import_linter_cache
