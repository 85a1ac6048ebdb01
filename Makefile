# make demo, make app, make test: each sets up .venv when that is needed and does nothing twice.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check

# Empty files, newer than what they stand for: the core installed, everything installed.
CORE := $(VENV)/.core-installed
FULL := $(VENV)/.full-installed

PICTURE := imagemusic/resources/examples/fire.jpg
OUT := out/demo

.PHONY: help demo app test lint clean

help:
	@echo 'make demo   compose music for a bundled picture'
	@echo 'make app    open the page on http://127.0.0.1:7860'
	@echo 'make test   install everything, check and test it'
	@echo 'make lint   ruff and mypy alone'
	@echo 'make clean  remove .venv, caches and what make demo wrote'

demo: $(CORE)
	@$(RUN) -m imagemusic compose $(PICTURE) --out $(OUT) --overwrite

app: $(CORE)
	@$(RUN) -m imagemusic app

test: lint
	$(RUN) -m pytest

lint: $(FULL)
	$(RUN) -m ruff check .
	$(RUN) -m mypy

$(CORE): pyproject.toml | $(RUN)
	@echo 'Installing the core into $(VENV): about 460 MB, half a minute on a fast line ...'
	@$(PIP) install --quiet --editable .
	@$(PIP) install --quiet --no-deps tinysoundfont 2> $(VENV)/tinysoundfont.log \
		|| echo 'note: tinysoundfont is not to be had here, so pieces are written as MIDI alone unless FluidSynth is installed'
	@touch $@

$(FULL): requirements.txt $(CORE)
	@echo 'Installing everything into $(VENV): several GB with torch, a few minutes ...'
	$(PIP) install --editable . --requirement requirements.txt
	@touch $@

$(RUN):
	@command -v $(PYTHON) > /dev/null \
		|| { echo '$(PYTHON) was not found; install it: sudo apt-get install python3 python3-venv'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed, $(PYTHON) is older; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null \
		|| { echo '$(PYTHON) cannot make virtual environments; install that: sudo apt-get install python3-venv'; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

clean:
	rm -rf $(VENV) $(OUT) *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
