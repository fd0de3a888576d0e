# make            build and test
# make help       list the targets

BIN    ?= node
PREFIX ?= /usr/local
GO     ?= go

# Time for each fuzz target, and for each Go benchmark.
FUZZTIME  ?= 30s
BENCHTIME ?= 1s
# Time limit for the tests of one package. Two idle cores need four minutes for all
# packages, so a machine that is ten times slower stays within the limit.
TESTTIME  ?= 60m
# Folder for the front ends that make test-fronts installs from npm.
FRONTS ?= $(HOME)/.cache/swarmnode-fronts
# Arguments of the transfer comparison, as in: make bench BENCHFLAGS='-size 2048'
BENCHFLAGS ?=
# Arguments of the comparison of torrent makers, as in: make bench CREATEFLAGS='-size 512'
CREATEFLAGS ?=
# Arguments of the measurements on modelled links, as in: make lab LABFLAGS='-only home'
LABFLAGS ?=
# Arguments of the announcements of many torrents: the DHT rate that so many need.
MANYFLAGS ?= -rate 534
# Arguments of the measurement of a daemon, as in: make bench DAEMONFLAGS='-with node'
DAEMONFLAGS ?=

.PHONY: plots all help build test test-fronts lint race fuzz bench lab sim sim-table soak cover demo install man packages packages-check \
  release container container-check test-platforms clean

all: build test

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## build     compile bin/node, one static binary, and the examples
build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/node ./cmd/node
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./examples/...

## test      vet, staticcheck, the simulated swarms that would be too slow with the
##           race detector, then all tests with it. Tests with real clients skip when
##           a client is absent, or fail with SWARM_REQUIRE_CLIENTS=1. A test that
##           fails beside a client runs once more, alone
test: lint
	$(GO) test -timeout $(TESTTIME) ./swarm/sim
	$(GO) test -race -timeout $(TESTTIME) ./...

## lint      gofmt, go vet and staticcheck
lint:
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "not formatted: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

## test-fronts  our own page, checked by tsc and eslint and used in a browser, and front ends of
##           Transmission beside node daemon, in a browser and on a screen of their own. What
##           npm has of them is installed into FRONTS first. As root, or where users may make
##           network namespaces
test-fronts:
	./.ci/fronts "$(FRONTS)"
	SWARM_FRONTS="$(FRONTS)" $(GO) test -count 1 -timeout $(TESTTIME) -run 'Front' ./cmd/node \
	  ./daemon/web

## race      the tests again, uncached, in random order
race:
	$(GO) test -race -count 1 -shuffle on -timeout $(TESTTIME) ./...

## fuzz      each fuzz target for FUZZTIME, one after the other
fuzz:
	@grep -rl --include='*_test.go' '^func Fuzz' . | sort | while read -r file; do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
	    echo "$$(dirname "$$file") $$target"; \
	    GO=$(GO) ./.ci/fuzz "$$(dirname "$$file")" "$$target" $(FUZZTIME) </dev/null || exit 1; \
	  done || exit 1; \
	done

## bench     Go benchmarks; torrents made beside other programs (CREATEFLAGS); the
##           transfer beside other clients and the machine's limit (BENCHFLAGS); how
##           soon a magnet link has its metadata; memory under its ceiling with many
##           torrents, peers, files or pieces; how 10,000 torrents are announced in a
##           DHT (MANYFLAGS); a daemon that holds as many, beside transmission-daemon
##           (DAEMONFLAGS); the node in a mixed swarm, with libtorrent in the same
##           seat; how soon it recovers from moves and outages; how soon each
##           discovery leads to a first connection; a player that reads while the film
##           is being fetched, beside libtorrent's deadlines
bench: build
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...
	$(GO) run ./bench/create -node bin/node $(CREATEFLAGS)
	$(GO) run ./bench/transfer -node bin/node $(BENCHFLAGS)
	$(GO) run ./bench/start -node bin/node
	$(GO) run ./bench/ceiling -node bin/node
	$(GO) run ./bench/many -node bin/node $(MANYFLAGS)
	$(GO) run ./bench/daemon -node bin/node $(DAEMONFLAGS)
	$(GO) run ./bench/seats -node bin/node
	$(GO) run ./bench/moves -node bin/node -with node
	$(GO) run ./bench/discovery -node bin/node
	$(GO) run ./bench/stream
	$(GO) run ./bench/watch -node bin/node
	./.ci/fronts "$(FRONTS)"
	$(GO) run ./bench/web -node bin/node -fronts "$(FRONTS)"

## lab       clients on modelled links between network namespaces, beside each other: one
##           long path with and without losses, a swarm of ten on home lines, a home line that
##           is full of seeding, idle uTP connections, pairs of homes behind NAT, relays, mapped
##           ports, and changes of addresses in mid-download
##           (LABFLAGS, as in '-only long -runs 3'). As root, within two hours
lab: build
	$(GO) run ./bench/lab -node bin/node $(LABFLAGS)

## sim       the swarm simulations
sim:
	$(GO) test -count 1 -timeout 30m -v ./swarm/sim -args -large

## sim-table  rewrite the figures in docs/design/simulation.md, in a minute or two
sim-table:
	$(GO) test -count 1 -timeout 30m -v -run '^TestTable$$' ./swarm/sim -args -table

## plots     draw the pictures of the documents from the figures in their tables; only
##           this program depends on the plotting library
plots: build
	cd internal/plots && $(GO) run .
	bin/node sim mixed --quiet --svg docs/pictures/mixed.svg

## soak      the long tests (SWARM_SOAK=1), among them 1,000 kills of a download (or
##           SWARM_TEST_KILLS), about four minutes, and 200 of a whole "node add"
soak:
	SWARM_SOAK=1 $(GO) test -count 1 -timeout 60m ./...

## cover     statement coverage of the whole tree, per function in cover.out
cover:
	$(GO) test -coverpkg ./... -coverprofile cover.out ./...
	@$(GO) tool cover -func cover.out | tail -n 1

## demo      a private DHT, a seeder and a downloader on loopback
demo: build
	@demo/run.sh bin/node

## install   copy the binary to PREFIX/bin/BIN; warns if another node in PATH is
##           Node.js, and never replaces one
install: build
	@./.ci/beside "$(DESTDIR)$(PREFIX)/bin" "$(BIN)"
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 bin/node $(DESTDIR)$(PREFIX)/bin/$(BIN)

## man       write the manual pages into bin/man
man: build
	rm -rf bin/man
	bin/node man --dir bin/man

## packages  deb, rpm and apk packages named swarmnode, in dist (ARCHS='amd64 arm64')
packages:
	GO=$(GO) packaging/build dist

## release   static binaries for Linux, macOS, Windows and FreeBSD, with SHA256SUMS, in dist
##           (PLATFORMS='linux/amd64 darwin/arm64')
release:
	GO=$(GO) packaging/release dist

## packages-check  packages and binaries of two folders are the same, and hold what they should
packages-check:
	GO=$(GO) packaging/check

## container  the image swarmnode, by buildah (CONTAINER='podman build')
container:
	GO=$(GO) packaging/container

## container-check  a container of the image fetches from another one; as root, by buildah
container-check:
	GO=$(GO) packaging/container-check

## test-platforms  the demo, a killed fetch and odd names as linux/386, as linux/arm64 by
##           qemu-user-static, and (without the demo) as windows/amd64 by Wine
test-platforms:
	GO=$(GO) packaging/platforms

## clean     remove what the other targets built
clean:
	rm -rf bin dist cover.out
