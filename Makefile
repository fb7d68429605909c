# Everything needs Go; test needs nothing else. What a machine cannot run is
# skipped and listed with its reason. .ci/run does all of it.

GO          ?= go
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 60s
BENCH       ?= .
PLATFORMS   := linux/amd64 linux/arm64 linux/386 \
               darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 freebsd/amd64 freebsd/arm64 freebsd/386 windows/386

.PHONY: all test modules lint cross bench microbench fuzz peers examples

# Modules of their own, so that their dependencies are nobody else's.
MODULES     := bench/gopacket madcap/etcdstore rmt/norm/normprom

all: test lint

# The race detector needs cgo and a C compiler; a machine without goes without. Tests
# beside other people's programs live by the clock: where only such failed, on a busy
# machine, they are tried once more by themselves, and the end says which. So is a package
# in which the race detector itself broke down.
test:
	@race=; \
	if $(GO) build -race -buildvcs=false -o /dev/null ./internal/cmd/testsummary 2>/dev/null; then race=-race; \
	else echo 'note: the race detector does not build here (no C compiler?), testing without it'; fi; \
	$(GO) run ./internal/cmd/testsummary -again '/interop/' $$race -shuffle=on -timeout 8m ./...

# The nested modules. madcap/etcdstore needs Debian's etcd-server and Go 1.26, which
# the go command fetches.
modules:
	@for m in $(MODULES); do \
		echo "$$m"; \
		(cd $$m && $(GO) vet ./... && $(GO) run $(STATICCHECK) ./... && $(GO) test -count=1 -timeout 4m ./...) || exit 1; \
	done

lint:
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "not gofmt-clean:"; echo "$$files"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) test -count=1 ./internal/archtest

cross:
	@for p in $(PLATFORMS); do \
		echo "$$p"; \
		GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) build ./... || exit 1; \
		GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) vet ./... || exit 1; \
	done

# Side by side with raw UDP and the peers, in a lab of namespaces: needs root and
# Debian's uftp, udpcast, g++ and libnorm-dev. BENCHFLAGS: see go run ./bench -help.
bench:
	$(GO) run ./bench $(BENCHFLAGS)

# What single functions cost; BENCH=regexp for some.
microbench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

# Every fuzz target in turn, FUZZTIME each; all run, then any failure counts.
fuzz:
	@grep -rlE '^func Fuzz' --include='*_test.go' . | sort | { failed=; while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			echo "$$(dirname "$$file") $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$(dirname "$$file")" </dev/null || failed="$$failed $$target"; \
		done; \
	done; if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi; }

# The programs that tests hold ours against. The tests build them themselves; this
# shows early whether it can be done.
peers:
	MULTICAST_LAB=required $(GO) test -count=1 -run '^TestBuild$$' -v ./interop/...

# The examples' test builds and runs each of them, on lo.
examples:
	@$(GO) run ./internal/cmd/testsummary -count=1 -timeout 3m ./examples/...
