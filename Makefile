# Every target sets up what it needs: uv (in .uv/ where the machine has none), Horovod compiled against TensorFlow, hvdsweep.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --quiet

.PHONY: install demo test check format bench docs clean

install: $(if $(filter .uv/bin/uv,$(UV)),.uv/bin/uv)
	$(UV) sync

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
