# What the README, CONTRIBUTING and the workflows call. CI is .ci/run.

.PHONY: help test short race lint generate bench perf ci

help: ## what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

test: ## every test; as root they make network namespaces, and skip what the machine lacks
	go test ./...

short: ## the tests that need no root, no namespace, no network and no other program
	go test -short ./...

race: ## every test but the end-to-end ones, with the race detector
	go test -race $$(go list ./... | grep -v -e /e2e -e /deploy)

lint: ## formatting, go vet and staticcheck, for every system
	.ci/lint

generate: ## write anew what is made from the code: manual pages, tables of the docs, golden files
	go test ./internal/cli ./internal/counters ./internal/connstat ./internal/watch ./netstat -update

bench: ## every benchmark once
	go test -run '^$$' -bench . -benchtime 1x ./...

perf: ## l4stat beside its peers, as root; 17 minutes
	go run -C perf .

ci: ## all that decides whether main is green
	CI=true .ci/run
