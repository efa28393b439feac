# Every target sets up what it needs by itself, as root and as an ordinary user; `make help` lists them.
#   VENV=DIR   the Python environment (default .venv)     PYTHON=CMD  the Python that makes it (3.11 or newer)
#   JOBS=N     tests at once (default: one more than there are processors)

VENV    ?= .venv
BIN      = $(VENV)/bin
LINES    = 1000000
SECONDS  = 60
SEEDS    = 11,12,13
DAYS     = 14
KILLS    = 1000
TESTS    = tests
JOBS    ?= $(shell echo $$(( $$(nproc) + 1 )))
LOCALE   = src/monzen/show/locale
POT      = $(VENV)/monzen.pot
export VENV

.DEFAULT_GOAL := help
.PHONY: help try test lint bench bench-gate bench-guard crashtest arena fuzz deb locale formats pictures clean run-setup dev-setup

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

try: run-setup ## See what monzen makes of two sample logs; it only reads
	@scripts/try.sh

test: lint ## Lint, then run the tests (TESTS=tests/sources for some of them)
	@scripts/apt.sh unpack scripts/apt-tools.txt $(VENV)/tools
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal $(TESTS)

lint: dev-setup ## ruff, mypy --strict, and the arrows between packages
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: dev-setup ## Speed and memory beside fail2ban, sshguard and grep (LINES=1000000)
	@scripts/apt.sh unpack scripts/apt-bench.txt $(VENV)/peers
	@$(BIN)/python -m bench.read --lines $(LINES) --peers $(VENV)/peers
	@$(BIN)/python -m bench.flat --lines $(LINES)
	@$(BIN)/python -m bench.judge --events $(LINES)

bench-gate: dev-setup ## What denying costs: one decision, a million, a packet (as root, in a namespace of its own)
	@$(BIN)/python -m bench.gate

crashtest: dev-setup ## Kill the guard a thousand times while its log grows and is rotated (KILLS=1000)
	@$(BIN)/python -m tests.guard.crash --kills $(KILLS)

bench-guard: dev-setup ## How fast the guard is, and what it takes: idle, busy, in a flood (as root, in a sandbox of its own)
	@tests/lab/sandbox.sh --keep $(CURDIR) $(abspath $(BIN))/python -m bench.guard

arena: dev-setup ## The judge against simulated attacks (SEEDS=11,12,13 DAYS=14; needs ../shared/arena)
	@$(BIN)/python -m bench.arena --seeds $(SEEDS) --days $(DAYS)

fuzz: dev-setup ## Hostile bytes for the reader, new examples for each property of the tests (SECONDS=60 each)
	@$(BIN)/python -m tests.fuzz_properties --seconds $(SECONDS)
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS)
	@$(BIN)/python -m tests.fuzz_words --seconds $(SECONDS)

deb: run-setup ## Build dist/monzen_VERSION_all.deb, for Debian 12 and 13 and Ubuntu 24.04 (VERSION=)
	@scripts/deb.sh

locale: dev-setup ## Collect the messages, merge them into each language, compile
	@$(BIN)/pybabel -q extract -F pyproject.toml -k N_ -k plural:1,2 -c 'Translators:' --sort-by-file --add-location=file --no-wrap \
		--project=monzen --copyright-holder='The monzen authors' -o $(POT) src/monzen
	@for language in $$(ls $(LOCALE)); do \
		how="update --ignore-pot-creation-date"; \
		[ -f "$(LOCALE)/$$language/LC_MESSAGES/monzen.po" ] || how=init; \
		$(BIN)/pybabel -q $$how -D monzen -i $(POT) -d $(LOCALE) -l "$$language" --no-wrap || exit; \
	done
	@$(BIN)/pybabel compile -D monzen -d $(LOCALE) --statistics

clean: ## Remove what the other targets made
	@[ ! -e $(VENV)/pyvenv.cfg ] || rm -rf $(VENV)
	@rm -f src/*.so src/monzen/*/*.so src/monzen/compiled.json
	@rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests bench samples scripts -type d -name __pycache__ -exec rm -rf {} +

run-setup:
	@scripts/setup.sh run

dev-setup:
	@scripts/apt.sh install scripts/apt-test.txt
	@scripts/setup.sh dev

formats: dev-setup ## Renew docs/formats.md, real-mail.md, policy.md, metrics.md and reference.md from the program
	@$(BIN)/python scripts/formats.py
	@$(BIN)/python scripts/policy.py
	@$(BIN)/python scripts/metrics.py
	@$(BIN)/python scripts/reference.py

pictures: dev-setup ## Draw docs/pictures anew: what the program prints and its report page, in both languages, light and dark
	@$(BIN)/python scripts/pictures.py
