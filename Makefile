# `make` lists the targets. Everything runs in .venv; `make setup PYTHON=/path/to/python3.12` picks the interpreter.
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONHASHSEED := 0
PYTHON ?=
CONTRACTS = $(shell git ls-files --cached --others --exclude-standard 'contracts/*.vy' 'contracts/*.vyi')
# hands arguments on as they came: they look unused
FORWARDING = contracts/governance/Bounties.vy

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos coverage lint format bench gas devnet network clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*##  *\(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 10

setup:  ## Python packages and the devnet node, both pinned; returns at once when up to date
	@PYTHON="$(PYTHON)" scripts/setup.sh

demo: setup  ## the whole protocol on a fresh devnet over recorded market data: build/demo/report.html
	@ape run demo

test: setup  ## every test
	@pytest -n 2 --dist loadfile -q

chaos: setup  ## every fault on a network of processes, and 200 blocks of all of them at once; for a quiet machine
	@CHAOS=1 pytest -v tests/chaos

coverage: setup  ## statements and branches of the contracts that the tests execute; too slow for every commit
	@python -m tests.coverage

lint: setup  ## format, style, types, layers, spelling
	ruff check .
	ruff format --check .
	mypy
	mamushi -l 120 --check $(CONTRACTS)
	natrix lint $(filter-out contracts/mocks/% $(FORWARDING),$(CONTRACTS))
	natrix lint $(FORWARDING) --disable NTX10
	lint-imports
	codespell

format: setup  ## rewrite Python and Vyper files in the project's format
	ruff check --fix .
	ruff format .
	mamushi -l 120 $(CONTRACTS)

bench: setup  ## time pricing and margins beside other packages: build/bench.json
	@tests/benchmarks/setup.sh
	.build/bench-venv/bin/python -m tests.benchmarks

gas: setup  ## measure transactions on anvil and rewrite tests/snapshots/gas.json
	python -m scripts.snapshot gas

devnet: setup  ## a local chain on port 8545 with the protocol deployed on it
	@python -m scripts.devnet

network: setup  ## every keeper as a process of its own, with PostgreSQL and Prometheus where they are installed
	@plimsoll topology run keeper/operations/topology.toml

clean:  ## everything that setup, tests and demo have made
	rm -rf .venv .build build dist node_modules .node .hypothesis .mypy_cache .pytest_cache .ruff_cache \
	  .import_linter_cache *.egg-info deployments/31337.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
