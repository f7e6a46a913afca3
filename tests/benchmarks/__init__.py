"""Benchmarks against other packages: `make bench`, or `python -m tests.benchmarks` inside its environment."""
