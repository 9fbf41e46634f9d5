.DEFAULT_GOAL := help
.PHONY: help demo agents test test-slow faults lint bench screenshots

BIN := .venv/bin
export PYTHON
# The tests start programs of ours by the thousand: they are compiled once.
unexport PYTHONDONTWRITEBYTECODE

help: ## Show what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: ## Watch an agent fix a bug in a container; does everything needed by itself
	@scripts/prepare
	@if [ -t 0 ] && [ -t 1 ]; then exec $(BIN)/fumehood demo; else exec $(BIN)/fumehood demo --no-tui; fi

test: ## Run all tests: those of pure code first, then those with containers and terminals
	@scripts/prepare test
	@status=0; \
	$(BIN)/pytest -n 4 --dist worksteal -m "not docker and not terminal and not slow" || status=$$?; \
	$(BIN)/pytest -n 4 --dist worksteal -m "(docker or terminal) and not slow" || status=$$?; \
	exit $$status

# Where the agents for tests are kept from one run to the next: 0.4 GB each.
AGENTS := $(or $(FUMEHOOD_TEST_AGENTS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fumehood/test-agents)
# Those with an open licence, and so those that continuous integration tests.
NAMES := codex opencode

agents: ## Install agents for the tests with npm (NAMES="codex opencode claude"); make test skips what is not there
	@scripts/prepare venv
	@for agent in $(NAMES); do XDG_DATA_HOME="$(AGENTS)" $(BIN)/fumehood agent install $$agent || exit 1; done

test-slow: ## Run the tests that download for minutes: real projects, real agents
	@scripts/prepare test
	@$(MAKE) --no-print-directory agents NAMES="codex claude opencode"
	@FUMEHOOD_TEST_AGENTS="$(AGENTS)" $(BIN)/pytest -m slow

faults: ## Let every fault happen in every phase, cancel and kill at random, and print what became of each task
	@scripts/prepare test
	@status=0; \
	$(BIN)/python -m tests.faults.cancel --runs 100 || status=1; \
	$(BIN)/python -m tests.faults.matrix || status=1; \
	$(BIN)/python -m tests.faults.matrix --kills 200 || status=1; \
	$(BIN)/python -m tests.faults.ssh_cuts || status=1; \
	$(BIN)/python -m tests.faults.crowd --tasks 50 || status=1; \
	exit $$status

lint: ## Check style, types and the import rules
	@scripts/prepare venv
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	$(BIN)/mypy --strict engine tui || status=1; \
	$(BIN)/lint-imports --no-cache --no-logo || status=1; \
	exit $$status

screenshots: ## Take the pictures of the README, from recorded tasks
	@scripts/prepare venv
	@$(BIN)/python -m tests.screens.screenshots docs/pictures

bench: ## Measure the start of a task and of a command against docker's own, and the workbench against its peers
	@scripts/prepare
	@set -e; for file in $(filter-out %/tui.py,$(wildcard tests/bench/*.py)); do $(BIN)/python "$$file"; done
	@$(BIN)/python tests/bench/tui.py --quick
