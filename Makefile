# Every command a person or CI runs. `make demo` and `make test` work on a machine with python3 and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --constraint constraints.txt

.PHONY: demo test vst3 midi live nightly soak lint types examples bench docs clean

demo: $(VENV)/.core
	@$(BIN)/python examples/demo.py demo

# A worker a core: numpy's own threads would only get in the way. What Python compiled is kept, since every
# worker and hundreds of processes would compile it again
test: $(VENV)/.all
	PYTHONDONTWRITEBYTECODE= OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -q

vst3: $(VENV)/.all
	$(BIN)/python -m pytest -q tests/vst3_plugins.py

# A JACK server, and nothing else beside it that it would have to wait for
midi: $(VENV)/.all
	$(BIN)/python -m pytest -q tests/midi_ports.py

# The same, with a rig that plays the microphone and records the phones
live: $(VENV)/.all
	$(BIN)/python -m pytest -q tests/live_devices.py tests/live_jack.py

# Ten million damaged packets over all codecs, or as many as there is time for
PACKETS ?= 1e7
nightly: $(VENV)/.all
	$(BIN)/python tests/damaged_packets.py $(PACKETS)

MINUTES ?= 30
soak: $(VENV)/.all
	$(BIN)/python benchmarks/soak.py $(MINUTES)

lint: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.all
	$(BIN)/mypy

examples: $(VENV)/.all
	rm -rf build/examples && mkdir -p build/examples
	set -e; here=$$PWD; cd build/examples; for example in $$here/examples/[a-z]*_*.py; do \
	  echo "== $$(basename $$example)"; $$here/$(BIN)/python -W error $$example; done

bench: $(VENV)/.all
	$(BIN)/python benchmarks/bench.py

docs: $(VENV)/.all
	$(BIN)/python docs/tables.py README.md

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .
	@$(BIN)/python -c 'import pedalboard' 2>/dev/null || tools/install-libatomic
	@touch $@

$(VENV)/.all: $(VENV)/.core
	$(PIP) --editable '.[all,dev]'
	@touch $@

clean:
	rm -rf $(VENV) build demo
