# SPDX-License-Identifier: Apache-2.0
# One entry for every task. `make demo` and `make test` are all a newcomer needs.

SHELL := /bin/bash
DEBUG := .build/debug
RELEASE := .build/release
PREFIX ?= /usr/local
# What users run; the frontends stand beside kiln, and nowhere else.
PRODUCTS := kiln kiln-frontend-dockerfile kiln-frontend-llb kiln-frontend-yaml

.PHONY: demo test build release install sdk docs setup fmt check tsan fuzz bench corpus messages clean

## Installs what is missing, builds, and shows a multi-stage build and its cached rebuild.
demo: setup release
	dev/demo $(RELEASE)

## Installs what is missing and runs every test.
test: setup build sdk
	# One test a core: more at once only wait for each other, and time limits then measure the queue.
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$$(nproc) KILN_BIN=$(CURDIR)/$(DEBUG) swift test --skip-build

## Debug build of everything, tests included.
build:
	swift build --build-tests
	dev/build-sandbox $(DEBUG)

## Release build of what users run.
release:
	for product in $(PRODUCTS); do \
		swift build -c release --static-swift-stdlib -Xlinker -s --product $$product || exit 1; \
	done
	dev/build-sandbox $(RELEASE)

## Copies what users run to one directory, and beside it what `kiln frontend new` makes packages of: make install
## PREFIX=/usr/local
install: release
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/kiln
	install -m 755 $(addprefix $(RELEASE)/,$(PRODUCTS) kiln-sandbox) $(DESTDIR)$(PREFIX)/bin
	cp -R Frontends/templates Frontends/sdk $(DESTDIR)$(PREFIX)/share/kiln

## Tests of the SDKs for frontends, of those languages that are at hand.
sdk:
	dev/test-sdks

## FrontendKit's documentation; fails on a link that leads nowhere.
docs: build
	dev/check-docc $(DEBUG) .build/documentation

setup:
	dev/setup

fmt:
	swift format --in-place --recursive --parallel Package.swift Sources Frontends Fuzz Tests

## Style and module map; seconds, no build of the engine.
check:
	swift format lint --strict --recursive --parallel Package.swift Sources Frontends Fuzz Tests
	dev/check-imports

## Unit tests under ThreadSanitizer.
tsan:
	swift test --sanitize=thread --scratch-path .build-tsan --filter 'SolverTests|SimulationTests|FrontendProtocolTests'

## Feeds one reader, or each in turn, with what libFuzzer makes up: make fuzz ENTRY=yaml SECONDS=300
ENTRY ?= all
SECONDS ?= 60
fuzz:
	dev/fuzz $(ENTRY) --seconds $(SECONDS)

bench: release
	Benchmarks/bench $(RELEASE)
	Benchmarks/frontends $(RELEASE)

## The exam: make corpus CORPUS=DIR
corpus:
	swift build -c release --product kiln-corpus
	$(RELEASE)/kiln-corpus $(CORPUS)

## Regenerates the protobuf messages from Protocol/ and fails when they differ.
messages:
	dev/generate-messages --check

clean:
	swift package clean
