# SPDX-License-Identifier: Apache-2.0
# A table of contents: every target is one line around ./hean or a script. Plain `make` prints it.
.PHONY: help demo dev test setup build check sim bench docs topology crash clean
SEEDS ?= 300
KILLS ?= 100

help:   ## print this table
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
demo:   ## trade a generated market on this machine, no key needed
	@./hean demo
dev:    ## API, page from its sources and monitoring, for work on them
	@./hean setup && .venv/bin/python scripts/dev.py
test:   ## run every test: Rust, Python, integration
	@./hean test
setup:  ## install packages and build the native core, nothing else
	@./hean setup
build:  ## build the release wheel into dist/, with the page in it
	@./hean setup && scripts/build_wheel.sh
check:  ## format, lint, types, import contracts, tidy; under a minute
	@./hean setup dev && .venv/bin/python scripts/check.py
sim:    ## trade in a world where everything goes wrong; SEEDS=300
	@./hean sim --seeds $(SEEDS)
bench:  ## measure HEAN beside its peers; results in bench/results
	@./hean setup bench && .venv/bin/python bench/run.py
docs:   ## write anew every document that a program makes
	@./hean setup dev && .venv/bin/python scripts/write_docs.py
topology: ## what runs in which process of deploy/, and what crosses between them
	@./hean topology deploy/*.toml
crash:  ## kill real trading processes, KILLS=100 times, and compare ledgers
	@./hean setup dev && PYTHONPATH=tests .venv/bin/python -m crash.kill_processes --kills $(KILLS)
clean:  ## remove the environment, build products and caches
	@rm -rf .venv .hean .cache .*_cache .hypothesis target dist src/hean/_core*.so
