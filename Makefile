# Every target sets up what it needs: uv (in .uv/ where the machine has none), Horovod compiled against TensorFlow
# (about two minutes, once), and hvdsweep itself.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --quiet
WORKERS ?= 2

.PHONY: install demo test check format bench docs clean
.DEFAULT_GOAL := install

install: $(filter .uv/bin/uv,$(UV))
	$(UV) sync

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9

demo: install          # a small real sweep on scikit-learn's digits, one part of it on two Horovod ranks, and its scaling curve
	$(RUN) hvdsweep demo --db demo.db
	@echo "(each through uv: $(UV) run hvdsweep ...)"

test: install
	$(RUN) pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: install         # format, lint, types
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy

format: install
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

clean:
	rm -rf .venv .uv demo.db demo.db-* demo.db.logs .mypy_cache .ruff_cache .pytest_cache .hypothesis
