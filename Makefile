# Plain `make` prints the targets. `make run` and `make test` are the two to know.
# ONCE=1 ends `make run` after its table; FUZZTIME is per fuzz target.
FUZZTIME ?= 10s
RACE = ./ring/... ./pdu/session/... ./ledger/journal/... ./ledger/replica/... ./dataplane/... ./egress/...

.PHONY: help build run test race lint fuzz e2e codec bench profile rings check deps
help:  ## print this
	@sed -n 's/^\([a-z0-9]*\):.*## /\1|/p' Makefile | awk -F'|' '{printf "  make %-6s %s\n", $$1, $$2}'

build: ## bin/smsplane and bin/smsbench
	go build -trimpath -o bin/ ./cmd/...

run: build ## appliance, carriers and 10,000 messages in ./demo; stays up unless ONCE=1
	bin/smsbench run --dir demo $(if $(filter 1,$(ONCE)),--once)

test: deps lint ## everything: lint, unit tests, races, third-party peers, kill -9
	go test ./...
	$(MAKE) --no-print-directory race e2e

race: ## the packages that share memory, under the race detector
	CGO_ENABLED=1 go test -race -short $$(go list $(RACE))

lint: ## go vet, gofmt, import direction, forbidden words
	go vet -tags e2e ./...
	go test -count 1 ./cmd

fuzz: ## each fuzz target for FUZZTIME
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*:func | |' | while read -r dir name; do \
	  echo "$$dir $$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$dir" || exit 1; done

e2e: deps build codec ## the built binaries against npm smpp, Net::SMPP, gosmpp, Kannel, tshark, raw sockets, kill -9
	go test -tags e2e -count 1 -timeout 9m ./bench/e2e
	go test -tags e2e -count 1 -timeout 9m ./bench/failover

codec: deps ## our encoder against tshark, npm smpp and two Go libraries, PDU by PDU
	cd bench/codec && go vet ./... && go test -count 1 ./...

bench: ## every micro benchmark
	go test -run '^$$' -bench . -benchmem ./...

rings: ## the ring beside a channel, another library's and Boost's, in one run
	cd bench/ring && go test -run '^$$' -bench . -count 5

profile: build ## CPU, allocation, mutex and off-core profiles of a loaded appliance, in ./profiles
	bin/smsbench profile --out profiles

check: lint ## what to run before a commit
	go test -short ./...

deps:
	@bench/e2e/deps.sh
