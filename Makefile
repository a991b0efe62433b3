# make app    set up and open the explorer
# make test   set up and run every test
# make check  lint, types and tests
# make train  set up what training needs

PYTHON ?= python3
PORT ?= 8501
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: app test check lint types train format clean

app: $(VENV)/.app
	$(BIN)/python -m streamlit run streamlit_app.py --server.port $(PORT) $(ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest $(ARGS)

check: lint types test

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train: $(VENV)/.train

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed, for example: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: requirements.txt | $(BIN)/python
	$(PIP) -r requirements.txt
	touch $@

$(VENV)/.train: requirements.txt requirements-train.txt | $(BIN)/python
	$(PIP) -r requirements-train.txt
	touch $@

$(VENV)/.test: requirements.txt requirements-train.txt requirements-test.txt | $(BIN)/python
	$(PIP) -r requirements-test.txt
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
