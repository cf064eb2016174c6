PYTHON ?= python3
PORT ?= 8501
PYTEST_ARGS ?=
BIN := .venv/bin

.DEFAULT_GOAL := run
.PHONY: run test check benchmark

# Start the daemon and, beside it, the board, for this machine only (PORT=8501)
run: .venv/runtime
	@$(BIN)/python -m lib.daemon --detach &
	@echo "Quarterdeck: http://localhost:$(PORT)"
	@$(BIN)/streamlit run dashboard.py --server.address=127.0.0.1 --server.port=$(PORT) \
		--server.allowedHosts=localhost --server.allowedHosts=127.0.0.1

# Everything: lint, types, import rules and all tests, with Chromium and PostgreSQL (PYTEST_ARGS).
# Three tests at a time: most wait for browsers and servers. Those may miss a moment on a busy
# machine: what failed is tried once more, one at a time, and then counts
test: .venv/development
	$(BIN)/python -m tests.system_tools
	$(MAKE) check
	$(BIN)/pytest -n 3 --dist worksteal $(PYTEST_ARGS) || \
		$(BIN)/pytest --last-failed --last-failed-no-failures none $(PYTEST_ARGS)

# What takes seconds: lint, format, types, import contracts, house rules
check: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest --quiet tests/test_house_rules.py

# Speed and memory beside other tools, on generated session files
benchmark: .venv/development
	$(BIN)/python -m benchmarks

# The environment to run in, installed anew only when the pins changed
.venv/runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Quarterdeck needs Python 3.11 or newer, and $(PYTHON) is not." >&2; \
		echo "Name another one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# The same with the tools of the checks and tests
.venv/development: .venv/runtime requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
