# Two commands for a start: `make demo` and `make test`. Both do their own set-up.

AUDIO ?=
HOURS ?= 24
MIC ?=
BIN := .venv/bin

.PHONY: help demo install test test-arm test-homeassistant check format bench soak model deb lock audit clean

help:
	@echo "make demo [AUDIO=some.wav | MIC=1]   hear and see the whole line at work"
	@echo "make test                            all tests"
	@echo "make test-homeassistant              our sensors in Home Assistant itself (320 MB, minutes)"
	@echo "make test-arm                        on emulated 64-bit Arm, Debian 12 and 13 (root; half an hour)"
	@echo "make install                         .venv with all extras"
	@echo "make check                           linters, types, import rules"
	@echo "make bench                           speed and memory, as ratios in one run"
	@echo "make soak HOURS=720                  weeks of audio through faults, as fast as it goes"
	@echo "make deb                             a Debian package for this release and architecture"
	@echo "make lock [HASHES=1]                 renew the pinned versions, or only the hashes of those that stand there"
	@echo "make audit                           known vulnerabilities of the pinned versions"
	@echo "make model                           train, judge and export a successor of the bundled model (about two hours on two cores)"

.venv/.set-up-device: locks/device.txt pyproject.toml scripts/setup
	@sh scripts/setup device

.venv/.set-up-all: locks/all.txt locks/torch.txt pyproject.toml scripts/setup
	@sh scripts/setup all

install: .venv/.set-up-all

demo: .venv/.set-up-device
	@$(BIN)/dawnchorus demo $(if $(AUDIO),--audio "$(AUDIO)") $(if $(MIC),--mic)

test: install
	$(BIN)/pytest --numprocesses=2 --dist=loadfile --cov

# The program on 64-bit Arm, emulated: both Debian releases, and its scores against this machine's.
test-arm: install
	sh scripts/arm

# What the rules in tests/house.py say of Home Assistant, seen by itself; this is its newest version for Python 3.11.
test-homeassistant: install
	[ -x build/homeassistant/bin/hass ] || python3 -m venv build/homeassistant
	build/homeassistant/bin/pip install --quiet --no-compile homeassistant==2024.3.3 paho-mqtt==1.6.1 janus==1.0.0
	DAWNCHORUS_HOMEASSISTANT=build/homeassistant $(BIN)/pytest tests/test_homeassistant_itself.py

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install
	$(BIN)/python benchmarks/front_end.py
	$(BIN)/python benchmarks/offline.py
	$(BIN)/python benchmarks/daemon.py
	$(BIN)/python benchmarks/capture.py
	$(BIN)/python benchmarks/long_run.py --hours 2
	$(BIN)/python benchmarks/family.py
	$(BIN)/python benchmarks/batch.py
	$(BIN)/python benchmarks/backlog.py
	$(BIN)/python benchmarks/disk_wear.py
	$(BIN)/python benchmarks/fleet.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/web.py

soak: install
	$(BIN)/python benchmarks/soak.py --hours $(HOURS)

# Networks that never heard each fold, and one of everything, all as the device runs them. Three begin with photographs, each with
# another seed; the first goes on under the three as teachers, and the mean of where it was and where that led is what ships. Those
# of the folds, each judged by its fold, set calibration and thresholds of the one of everything, which is asked, too, what it takes
# for a bird.
TRAIN := $(BIN)/dawnchorus-training train --steps 1500
SEEDS := build/seed1 build/seed2 build/seed3
FOLDS := --fold 0 --fold 1 --fold 2 --fold 3

model: install
	for seed in 1 2 3; do for left_out in "$(FOLDS)" ""; do \
		$(TRAIN) --from imagenet --seed $$seed $$left_out --out build/seed$$seed || exit 1; done; done
	for left_out in "$(FOLDS)" ""; do \
		$(TRAIN) --from build/seed1 $(SEEDS:%=--teacher %) --rate 1e-3 --seed 4 $$left_out --out build/taught || exit 1; done
	$(BIN)/dawnchorus-training blend build/seed1 build/taught --out build/training
	for network in fold0 fold1 fold2 fold3 all; do $(BIN)/dawnchorus-export model --name $$network \
		--checkpoint build/training/$$network.pt --out build/training/$$network.onnx || exit 1; done
	$(BIN)/dawnchorus-training evaluate --networks int8
	$(BIN)/dawnchorus-export model --name dawnchorus-starter-6 --evaluation build/training/evaluation.json --choices docs/choices.csv

deb:
	sh scripts/deb

lock:
	sh scripts/lock $(if $(HASHES),hashes)

audit:
	sh scripts/audit

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
