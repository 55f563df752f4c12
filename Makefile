# Every target sets up what it needs: uv (in .uv/ where the machine has none), Horovod compiled against TensorFlow
# (about two minutes, once), and hvdsweep itself. `make install GPU=1` builds for NVIDIA GPUs instead (docs/launching.md).
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --quiet
WORKERS ?= 2
VENV := $(or $(UV_PROJECT_ENVIRONMENT),.venv)
# The marker lies in the environment that holds Horovod with NCCL: later targets keep that build, GPU=0 leaves it.
MARKER := $(VENV)/built-with-nccl
GPU ?= $(if $(wildcard $(MARKER)),1,0)
# The architectures that Horovod's own two kernels are compiled for: T4 to B200. Later GPUs compile the last one's PTX.
GPU_ARCHITECTURES ?= 75,80,86,89,90,100

.PHONY: install gpu-install gpu-build demo test check docs format clean
.DEFAULT_GOAL := install

ifeq ($(GPU),1)
install: gpu-install
else
install: $(filter .uv/bin/uv,$(UV))
	$(UV) sync $(if $(wildcard $(MARKER)),--reinstall-package horovod)
	$(if $(wildcard $(MARKER)),rm $(MARKER))
endif

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9

# Horovod with NCCL from PyPI's packages alone: nvcc, its headers and NCCL into .uv/cuda, which has to stay where it is.
CUDA := $(abspath .uv/cuda/nvidia)
NVCC := nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.88 \
	"nvidia-cuda-cccl==13.0.*" nvidia-nccl-cu12==2.21.5

gpu-install: $(filter .uv/bin/uv,$(UV))
	$(if $(wildcard $(MARKER)),$(UV) sync --extra gpu,$(MAKE) $(MARKER))

$(MARKER): | $(filter .uv/bin/uv,$(UV))
	$(UV) pip install --quiet --no-deps --target .uv/cuda $(NVCC)
	ln -sfn lib $(CUDA)/cu13/lib64
	ln -sf libcudart.so.13 $(CUDA)/cu13/lib/libcudart.so
	ln -sf libnccl.so.2 $(CUDA)/nccl/lib/libnccl.so
	PATH="$(CUDA)/cu13/bin:$$PATH" CUDAToolkit_ROOT=$(CUDA)/cu13 HOROVOD_CUDA_HOME=$(CUDA)/cu13 \
		HOROVOD_BUILD_CUDA_CC_LIST=$(GPU_ARCHITECTURES) HOROVOD_GPU_OPERATIONS=NCCL HOROVOD_NCCL_LINK=SHARED \
		HOROVOD_NCCL_HOME=$(CUDA)/nccl $(UV) sync --extra gpu --refresh-package horovod --reinstall-package horovod
	$(UV) cache clean --quiet --force horovod # uv would take this build for the usual one in other environments
	touch $@

gpu-build: # the build for GPUs in an environment apart (.uv/gpu-build), and the tests of several ranks with it on the CPU
	UV_PROJECT_ENVIRONMENT=.uv/gpu-build $(MAKE) install GPU=1
	.uv/gpu-build/bin/python -c "import horovod.tensorflow as hvd; print('NCCL', hvd.nccl_built()); assert hvd.nccl_built()"
	CUDA_VISIBLE_DEVICES= .uv/gpu-build/bin/hvdsweep doctor --db .uv/gpu-build/none.db
	.uv/gpu-build/bin/pytest -q tests/training/test_ranks.py tests/launch/test_checks.py

demo: install          # a small real sweep on scikit-learn's digits, one part of it on two Horovod ranks, and its scaling curve
	$(RUN) hvdsweep demo --db demo.db
	@echo "(each through uv: $(UV) run hvdsweep ...)"

test: install
	$(RUN) pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: install         # format, lint, types
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy

docs: $(filter .uv/bin/uv,$(UV)) # the documentation as a site, in site/; a broken link is an error. Needs no install
	NO_MKDOCS_2_WARNING=1 $(RUN) --isolated --only-group docs mkdocs build --quiet

format: install
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

clean:
	rm -rf .venv .uv site demo.db demo.db-* demo.db.logs .mypy_cache .ruff_cache .pytest_cache .hypothesis
