# Go and make are all that a fresh machine needs; `make` alone says what there is.

GO          ?= go
# Rounds of kill -9 in the kill loop: `make trials ROUNDS=200`.
ROUNDS      ?= 50
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.DEFAULT_GOAL := help
.PHONY: help build demo test lint bench trials soak clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/assent
	$(GO) build -trimpath -o bin/assent ./cmd/assent

demo: build ## an agency's first client, played through the real service
	@bin/assent demo

test: ## every test that fits a minute or two
	$(GO) test -timeout 10m ./...

lint: ## gofmt, vet, staticcheck, tidy modules, and who may import whom
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt -w is due on:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags trials ./cmd/assent
	$(GO) run $(STATICCHECK) ./...
	$(GO) run $(STATICCHECK) -tags trials ./cmd/assent
	$(GO) mod tidy -diff
	$(GO) test -run '^Test(House|Law)' ./cmd/assent

bench: build ## speed and memory beside raw JetStream, in ledgers of its own
	@bin/assent bench

# The trials of docs/trials.md that are tests of the program, and those of its floors.
PROGRAM_TRIALS := TestKillLoop|TestInitSurvivesKill|TestSubscriberCanDoNothingElse|TestFlips|TestADamagedLedgerIsRefusedAndMended|TestARollbackIsExposedByALaterCheckpoint|TestVerifyNamesTheEventThatAnExportHasOtherwise|TestNoGrantComesAfterItsRevocation|TestAnswersAreInTheOrderOfTime
COMMAND_TRIALS := TestLostAcksLoseNothing|TestNoJumpOfTheClockEndsARightOrPutsItsEndOff
REPLAY_TRIALS  := TestTheSameEventsMakeTheSameModels|TestAfterACrashTheStoreIsWholeAtAnEarlierEvent
DISK_TRIALS    := TestPowerCutsLoseNothing|TestTheMix|TestAPowerCutTakesWhatIsNotSynced|TestADiskThatTakesNothingHeals|TestOutOfMemoryIsAKill|TestAKillAtEachStepLosesNothing|TestAnErrorOfASyncIsNoAck|TestTornAndUnsyncedWritesLoseNothing|TestTheDiskOfOursTakesWhatAStreamDoesNotSync|TestAFileWrittenInPlaceIsTornAtSomeStep|TestAPowerCutOfOursTakesWhatIsNotSynced

trials: ## faults and abuse that fit a few minutes: kills (ROUNDS times), flipped bits, damage, races (docs/trials.md)
	$(GO) test -timeout 15m -count 1 -v -run '^($(PROGRAM_TRIALS))$$' ./cmd/assent -rounds $(ROUNDS) -flips 180 -damaged 14000 -races 2000 -histories 8
	$(GO) test -timeout 15m -count 1 -v -run '^($(COMMAND_TRIALS))$$' ./commands -lost-acks 2400
	$(GO) test -timeout 15m -count 1 -v -run '^($(REPLAY_TRIALS))$$' ./projections -replayed 1500
	$(GO) test -timeout 15m -count 1 -v -tags trials -run '^($(DISK_TRIALS))$$' ./cmd/assent -cuts 20 -steps 60 -syncs 40 -torn 100 -ooms 5 -mix-for 2m

soak: ## the long trials: the same, ten times as often and more
	$(GO) test -timeout 180m -count 1 -v -run '^($(PROGRAM_TRIALS))$$' ./cmd/assent -rounds $$(( $(ROUNDS) * 10 )) -flips 1800 -damaged 30000 -races 100000 -histories 80
	$(GO) test -timeout 60m -count 1 -v -run '^($(COMMAND_TRIALS))$$' ./commands -lost-acks 10000
	$(GO) test -timeout 60m -count 1 -v -run '^($(REPLAY_TRIALS))$$' ./projections -replayed 50000
	$(GO) test -timeout 180m -count 1 -v -tags trials -run '^($(DISK_TRIALS))$$' ./cmd/assent -cuts 100 -powered 3s -steps 2000 -syncs 1000 -torn 2000 -ooms 50 -mix-for 30m
	$(GO) test -timeout 60m -count 1 -v -run '^TestAMixedLedgerIsDerivedAgain$$' ./cmd/assent -mixed 100000

clean: ## remove what make built
	rm -rf bin
