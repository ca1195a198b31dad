# Two commands do all the set-up: `make demo` and `make test`.
.DEFAULT_GOAL := help
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/installed.lock

.PHONY: help demo serve test coverage test-library lint bench clean

help: ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

$(READY): requirements.lock requirements-dev.lock requirements-cuda.lock pyproject.toml scripts/setup.sh
	@echo "making $(VENV) from the pinned locks (2-3 minutes) ..."
	@rm -rf $(VENV)
	@sh scripts/setup.sh $(VENV)
	@touch $(READY)

demo: $(READY) ## analyse a real video: JSON, annotated MP4 and a picture in out/demo/
	@$(BIN)/mmpose-service demo $(DEMO_VIDEO) --out out/demo

serve: $(READY) ## the graph on 127.0.0.1:8003
	@$(BIN)/mmpose-service serve

test: $(READY) ## lint, types, import contracts, and all tests
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest -m "not serial" -n 2 --dist loadfile --no-loadscope-reorder $(COV)
	@$(BIN)/python -m pytest -m serial $(COV)

coverage: $(READY) ## all tests, and which lines they did not run
	@rm -f .coverage
	@$(MAKE) --no-print-directory test COV="--cov --cov-append --cov-report="
	@$(BIN)/coverage report

test-library: $(READY) ## the tests of biomech where numpy and scipy alone can be imported
	@PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest --noconftest -p pytest_timeout \
	  -p tests.support.numpy_and_scipy_alone tests/unit/biomech

lint: $(READY) ## ruff, mypy --strict, import contracts
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

bench: $(READY) ## stage times per frame and fps on the shared videos
	@$(BIN)/python -m bench.stages

clean: ## remove what was made
	rm -rf $(VENV) out *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
