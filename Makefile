# Leasehold. What there is to make:
#
#   make run          build (release) and serve on 127.0.0.1:31818 and your own socket; ARGS="--port 4000" is passed on
#   make test         everything that is checked before a change is merged; ends with "N passed, N failed"
#   make build        the release build only: .build/release/leasehold
#   make lint         swift format, shellcheck, Tests/Tidy
#   make live         Tests/Live: the running service over HTTP (debug build)
#   make delayed      the same, over an engine that takes 0, 20 and 200 ms for each call; nine minutes
#   make browser      Tests/Browser: the dashboard, and pages of others, in a real Chromium (debug build)
#   make cli          Tests/Cli: the commands, as a shell runs them (debug build)
#   make interop      Tests/Interop: real PHP and Perl beside the running service (debug build)
#   make distributed  Tests/Distributed: several hosts, by one service or by etcd (debug build)
#   make fuzz         Tests/Fuzz for ten minutes (debug build)
#   make contract     Tests/Contract: the running service against openapi.yaml (debug build)
#   make contract-full     the same, until each operation was asked 400 times in each way
#   make clients      the tests of the libraries below clients: Python, Node, ..; what tools they need is installed
#   make conformance  the same faults for all libraries, as a table: docs/clients-conformance.md
#   make clients-generated clients that generators make of openapi.yaml, used; Java and Go are installed
#   make footprint    Tests/Footprint: instructions and cache misses of a cycle, kernel calls, an idle daemon (release)
#   make robustness   Tests/Robustness, short: kill -9, failing calls, dying clients, a stalled log, many waiters
#   make sweep        Tests/Robustness/sweep.py, long: each call of libc fails with each errno of its man page
#   make upgrade      leases of an older program live on under this one; OLD=REVISION says which (HEAD)
#   make mutants      Tests/Mutants: faults put in on purpose, each noticed by the tests (debug build); half an hour
#   make soak         Tests/Robustness, long: a thousand kills and the rest; fifty minutes
#   make examples     the snippets of the README, docs/clients.md and docs/recipes.md, against the running service
#   make reference    docs/http.md and the page of GET /docs, from openapi.yaml
#   make man          docs/man, from what the commands say of themselves (debug build)
#   make pictures     docs/pictures, from the running service (debug build); chromium and tmux
#   make bench        Benchmarks/run.py; BENCH_ARGS="--quick" is passed on
#   make asan tsan    the Swift tests with a sanitizer; CONTRIBUTING.md says how to read tsan
#   make dense        what code requests run, counted anew: Tools/dense.txt, by which release builds are laid out
#   make project      write what packaging/project.env and VERSION say to the places that name it
#   make deb          the Debian package, checked by lintian: .build/deb/leasehold_VERSION_ARCH.deb
#   make release      dist/: package, tarball with its libraries, sources, bill of materials, checksums; of a commit
#   make release-again     the same in another folder, compared with dist/, byte for byte
#   make release-test what is in dist/ used in bare containers, its papers checked; as root, with podman
#   make image        the image, IMAGE:VERSION; DOCKER=podman takes another engine
#   make containers   the Debian package, the image, the pod, really used: podman, from stand-in bases; as root
#   make clean        remove what was built
#
# What is missing (Debian packages, Swift) is installed when you are root, else named: see Tools/need.
# SWIFT=/path/to/swift uses another compiler, JOBS=2 limits the build.

SWIFT ?= swift
ARGS ?=
BENCH_ARGS ?=
JOBS ?=
BUILD = $(SWIFT) build $(if $(JOBS),-j $(JOBS))
# How a release build is made: with the libraries of Swift and C++ inside, which Debian has not, and laid out by counts.
RELEASED = $$(Tools/static $1) $$(Tools/dense $1)
# The Swift tests make semaphores: in an IPC namespace of their own, the host's stay untouched.
APART = $(if $(filter 0,$(shell id -u)),unshare -i,unshare -Ur -i)
export SWIFT JOBS

.PHONY: run test build lint live delayed cli browser interop fuzz contract contract-full clients-generated
.PHONY: clients robustness soak sweep mutants upgrade footprint examples bench tsan asan deb release release-again
.PHONY: release-test image project dense conformance distributed containers man pictures reference clean

run: build
	exec .build/release/leasehold serve --unix own $(ARGS)

test:
	@Tools/need build test
	@Tools/need clients || echo "make: without their tools some tests of the clients are skipped" >&2
	@Tools/need browser || echo "make: without Chromium the tests of Tests/Browser are skipped" >&2
	@Tools/need promtool || echo "make: without promtool the metrics and docs/grafana are checked less" >&2
	@Tools/need nginx || echo "make: without nginx its settings in docs/deployment.md are not tried" >&2
	@Tools/need others || echo "make: without Qt, uWSGI, httpd and the like their tests in Tests/Interop are skipped" >&2
	@python3 Tests/run.py all

build:
	@Tools/need build
	@Tools/version write
	$(BUILD) -c release --product leasehold $(call RELEASED,.build)

browser:
	@Tools/need build test browser
	@python3 Tests/run.py browser

live delayed:
	@Tools/need build test
	@Tools/need promtool || echo "make: without promtool the metrics and docs/grafana are checked less" >&2
	@Tools/need nginx || echo "make: without nginx its settings in docs/deployment.md are not tried" >&2
	@python3 Tests/run.py $@

clients-generated:
	@Tools/need build test clients
	@python3 Tests/run.py clients-generated

clients conformance:
	@Tools/need build test clients
	@python3 Tests/run.py $@

distributed:
	@Tools/need build test
	@Tools/need etcd || echo "make: without etcd 3.5.1 only Debian's etcd is tried" >&2
	@python3 Tests/run.py distributed

lint cli fuzz contract contract-full footprint robustness soak sweep mutants upgrade examples:
	@Tools/need build test
	@python3 Tests/run.py $@

interop:
	@Tools/need build test
	@Tools/need others || echo "make: without Qt, uWSGI, httpd and the like their tests in Tests/Interop are skipped" >&2
	@python3 Tests/run.py interop

bench: build
	@Tools/need bench
	python3 Benchmarks/run.py --leasehold .build/release/leasehold $(BENCH_ARGS)

tsan:
	@Tools/need build test
	$(BUILD) --build-tests --sanitize=thread --scratch-path .build_tsan
	$(APART) $(SWIFT) test --skip-build --sanitize=thread --scratch-path .build_tsan

asan:
	@Tools/need build test
	$(BUILD) --build-tests --sanitize=address --scratch-path .build_asan
	ASAN_OPTIONS=detect_leaks=0 $(APART) $(SWIFT) test --skip-build --sanitize=address --scratch-path .build_asan

deb:
	@Tools/need build deb
	@Tools/version write
	$(BUILD) -c release --product leasehold --scratch-path .build_deb \
	  $(call RELEASED,.build_deb) -Xlinker -s
	packaging/build-deb .build_deb/release/leasehold

release:
	@Tools/need build deb release
	@Tools/release.py

release-again:
	@Tools/need build deb release
	@Tools/release.py --again

dense:
	@Tools/need build test
	@Tools/version write
	@Tools/dense.py

release-test:
	@Tests/Release/run.sh

project:
	@Tools/project.py

image:
	@Tools/image

man:
	$(BUILD) --product leasehold
	Tools/man.py .build/debug/leasehold docs/man

pictures:
	@Tools/need build test browser pictures
	$(BUILD) --product leasehold
	LEASEHOLD=.build/debug/leasehold Tests/Browser/pictures.py

reference:
	Tools/http_reference.py

containers:
	@Tests/Containers/run.sh

clean:
	rm -rf .build .build_tsan .build_asan .build_deb .build_dense .build_release dist
