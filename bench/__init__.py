"""Matched-pair benchmarks: CPU time of processes, interleaved, published as data (`results/`), figures (`summary.json`) and plots.

Run with `make bench`, or `python -m bench NAME...`. Times are CPU seconds from the kernel's scheduler accounting, not wall
time: the machines are shared and noisy. No test asserts a time.
"""
