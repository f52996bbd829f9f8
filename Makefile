# The two commands: `make demo` and `make test`. Both set up what they need (scripts/setup.sh says what, before it does it).
.PHONY: help demo test test-deep check bench lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

demo: ## set up, start a node with a simulated TEE, verify it, ask it, check the receipts
	@scripts/setup.sh demo
	@.venv/bin/python scripts/demo.py

test: ## set up and run every suite, long ones at smoke depth
	@scripts/setup.sh test
	@.venv-dev/bin/python scripts/suites.py

test-deep: ## the suites at full depth: fuzz, soak, all seeds
	@scripts/setup.sh test
	@.venv-dev/bin/python scripts/suites.py --deep

check: ## lint, types, tests with coverage, vectors, docs in sync
	@scripts/setup.sh test
	@scripts/check

bench: ## matched-pair benchmarks; writes bench/summary.json and the plots
	@scripts/setup.sh test
	@.venv-dev/bin/python -m bench

lock: ## rewrite the hash-pinned requirement files
	@scripts/setup.sh test
	@.venv-dev/bin/python scripts/lock.py

clean: ## undo demo and test: environments, caches, demo-out
	rm -rf .venv .venv-dev .venv-oldest .venv-wheel .venv-client .cache .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build demo-out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
