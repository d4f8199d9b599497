# SPDX-License-Identifier: GPL-2.0-or-later
# One non-recursive makefile. V=1 shows commands. BUILD= moves the output.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.DELETE_ON_ERROR:
.SUFFIXES:
# Objects of tests are no intermediate files: they are kept.
.SECONDARY:
.DEFAULT_GOAL := all

ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
PKG_CONFIG := pkg-config
BUILD ?= build
Q := $(if $(V),,@)
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@printf '  %-7s %s\n' $(1) $(2))

CFLAGS ?= -O2 -g
# _GNU_SOURCE: Linux interfaces (memfd, move_pages, vfork) are the subject here.
# -ffile-prefix-map: the agent is part of the guest image, which must not depend on the clone's place.
HB_CFLAGS := -std=gnu11 -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -D_GNU_SOURCE -I. \
	-ffile-prefix-map=$(CURDIR)=. \
	-I/usr/include/postgresql -pthread

HOST_LIBS := -ljansson -linih -lgsl -lgslcblas -lhwloc -lelf -lcrypto -lz -lm
AGENT_LIBS := -ljansson -lnuma -lpq -lz -lm

BASE_SRC := $(wildcard bench/base/*.c)
HOST_SRC := $(filter-out $(BASE_SRC),$(wildcard bench/*.c bench/*/*.c))
AGENT_SRC := $(wildcard workloads/*.c workloads/*/*.c)
TEST_SRC := $(wildcard tests/*_test.c)

BASE_OBJ := $(BASE_SRC:%.c=$(BUILD)/%.o)
HOST_OBJ := $(HOST_SRC:%.c=$(BUILD)/%.o)
AGENT_OBJ := $(AGENT_SRC:%.c=$(BUILD)/%.o)
TEST_OBJ := $(TEST_SRC:%.c=$(BUILD)/%.o)
TESTS := $(TEST_SRC:tests/%.c=$(BUILD)/tests/%)
SLURM_TEST := $(BUILD)/tests/slurm_test
KVM_TEST := $(BUILD)/tests/kvm_test
METAL_TEST := $(BUILD)/tests/metal_server_test

# Unit tests link everything of a side except its main().
HOST_LIB_OBJ := $(filter-out $(BUILD)/bench/main.o,$(HOST_OBJ)) $(BASE_OBJ)
AGENT_LIB_OBJ := $(filter-out $(BUILD)/workloads/agent/agent.o,$(AGENT_OBJ)) $(BASE_OBJ)

.PHONY: all
all: $(BUILD)/hugebench $(BUILD)/hugebench-agent

$(BUILD)/hugebench: $(HOST_OBJ) $(BASE_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(HB_CFLAGS) -o $@ $^ $(HOST_LIBS)

$(BUILD)/hugebench-agent: $(AGENT_OBJ) $(BASE_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(HB_CFLAGS) -o $@ $^ $(AGENT_LIBS)

# Order only: what is missing is installed before the first file is compiled.
$(BUILD)/%.o: %.c | deps
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(HB_CFLAGS) -MMD -MP -c -o $@ $<

# What tests of the host's side share.
TEST_HELPER_OBJ := $(addprefix $(BUILD)/tests/,cost.o leftovers.o put.o run_command.o synthetic.o)

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(TEST_HELPER_OBJ) $(HOST_LIB_OBJ)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(HB_CFLAGS) -o $@ $^ -lcmocka $(HOST_LIBS)

# What a commit measures comes from the test; the rest of the search is as users have it.
$(BUILD)/tests/bisect_test: private CFLAGS += -Wl,--wrap=own_run_show

# Static: it is the init of a guest that has nothing else.
$(BUILD)/tests/fake_guest: tests/fake_guest.c bench/base/wire.h
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(HB_CFLAGS) -static -o $@ $<

$(BUILD)/tests/session_test $(BUILD)/tests/e2e_vm_test $(BUILD)/tests/run_test $(BUILD)/tests/blocks_test $(BUILD)/tests/workers_test $(SLURM_TEST): | $(BUILD)/tests/fake_guest
$(BUILD)/tests/run_test $(BUILD)/tests/blocks_test $(SLURM_TEST): | $(BUILD)/hugebench

# tests/guest_*_test.c are about the agent's side.
$(BUILD)/tests/guest_%: $(BUILD)/tests/guest_%.o $(AGENT_LIB_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(HB_CFLAGS) -o $@ $^ -lcmocka $(AGENT_LIBS)

# Unit tests first, then those that boot guests.
E2E_TESTS := $(filter $(BUILD)/tests/e2e_%,$(TESTS))
# Seeds of the fuzzers, and injected faults.
HOSTILE_TESTS := $(BUILD)/san/replay $(BUILD)/tests/inject/faults
UNIT_TESTS := $(filter-out $(E2E_TESTS) $(SLURM_TEST) $(KVM_TEST) $(METAL_TEST),$(TESTS))

$(BUILD)/run_tests: $(BUILD)/tests/run_tests.o $(BUILD)/tests/leftovers.o $(BASE_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(HB_CFLAGS) -o $@ $^ -ljansson -lz -lm

.PHONY: unit test
unit: $(BUILD)/run_tests $(UNIT_TESTS)
	$(Q)$(BUILD)/run_tests -t 10m $(UNIT_TESTS)

# A real Slurm, which only this test needs. Its daemons are the test's own.
.PHONY: slurm-deps test-slurm
slurm-deps: | deps
	$(Q)$(MAKE) -s deps DEPS='slurmctld slurmd slurm-client munge'

test-slurm: all slurm-deps $(BUILD)/run_tests $(SLURM_TEST)
	$(Q)$(BUILD)/run_tests -t 10m $(SLURM_TEST)

# Mode kvm inside an emulated machine that has it; builds a kernel of its own for that machine.
.PHONY: test-kvm
test-kvm: all $(BUILD)/run_tests $(KVM_TEST)
	$(Q)$(BUILD)/hugebench kernels kvm-host base hinode
	$(Q)$(BUILD)/run_tests -t 30m $(KVM_TEST)

# Mode metal on an emulated server, which panics, hangs and loses its power.
.PHONY: test-metal
test-metal: all $(BUILD)/run_tests $(METAL_TEST)
	$(Q)$(BUILD)/hugebench kernels metal-base metal-hinode
	$(Q)$(BUILD)/run_tests -t 30m $(METAL_TEST)

# All compilers at once where nothing else was said; then the kernels: building them takes minutes,
# and shows progress here.
test: deps slurm-deps
	$(Q)$(MAKE) --no-print-directory $(if $(filter -j% --jobs%,$(MAKEFLAGS)),,-j$$(nproc)) \
		all $(BUILD)/run_tests $(TESTS) $(HOSTILE_TESTS)
	$(Q)$(BUILD)/hugebench kernels base hinode debug-hinode
	$(Q)$(BUILD)/tests/e2e_exact_test kernel
	$(Q)$(BUILD)/run_tests -t 30m $(UNIT_TESTS) $(HOSTILE_TESTS) $(SLURM_TEST) $(E2E_TESTS)

# Injected faults: N of them, the kinds in turn. `make test` has a hundred.
N ?= 100
FAULT_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/inject/preload.c,$(wildcard tests/inject/*.c)))
$(BUILD)/tests/inject/preload.so: tests/inject/preload.c
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(HB_CFLAGS) -fPIC -shared -o $@ $< -ldl

$(BUILD)/tests/inject/faults: $(FAULT_OBJ) $(BUILD)/tests/leftovers.o $(HOST_LIB_OBJ) | \
		$(BUILD)/hugebench $(BUILD)/tests/fake_guest $(BUILD)/tests/inject/preload.so
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(HB_CFLAGS) -o $@ $(filter %.o,$^) $(HOST_LIBS)

.PHONY: faults
faults: $(BUILD)/tests/inject/faults
	$(Q)$< $(N)

# Parsers of what others wrote. `make test` replays the kept seeds under gcc's sanitizers; `make fuzz`
# looks for new ones with clang's libFuzzer, TIME for each target.
SANITIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZED_SRC := $(filter-out tests/fuzz/libfuzzer.c tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)) \
	$(filter-out bench/main.c,$(HOST_SRC)) $(BASE_SRC) workloads/postgres/log.c workloads/postgres/summary.c
REPLAY_OBJ := $(patsubst %.c,$(BUILD)/san/%.o,tests/fuzz/replay.c $(FUZZED_SRC))
FUZZ_OBJ := $(patsubst %.c,$(BUILD)/fuzz/%.o,tests/fuzz/libfuzzer.c $(FUZZED_SRC))
FUZZ_TARGETS := $(notdir $(wildcard tests/fuzz/seeds/*))
FUZZ_CC ?= clang
TIME ?= 1m

$(BUILD)/san/%.o: %.c | deps
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZE) $(HB_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/san/replay: $(REPLAY_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZE) $(HB_CFLAGS) -o $@ $^ $(HOST_LIBS)

$(BUILD)/fuzz/%.o: %.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(SANITIZE) -fsanitize=fuzzer-no-link $(HB_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/fuzz: $(FUZZ_OBJ)
	$(call say,LD,$@)
	$(Q)$(FUZZ_CC) $(SANITIZE) -fsanitize=fuzzer $(HB_CFLAGS) -o $@ $^ $(HOST_LIBS)

.PHONY: fuzz
fuzz: $(BUILD)/fuzz/fuzz
	$(Q)t=$(TIME); case $$t in *h) s=$$(($${t%h} * 3600));; *m) s=$$(($${t%m} * 60));; *) s=$${t%s};; esac; \
	for f in $(FUZZ_TARGETS); do \
		mkdir -p $(BUILD)/fuzz/corpus/$$f; echo "fuzz $$f, $$s s"; \
		TARGET=$$f $< -max_total_time=$$s -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 \
			-artifact_prefix=$(BUILD)/fuzz/$$f- $(BUILD)/fuzz/corpus/$$f tests/fuzz/seeds/$$f \
			>$(BUILD)/fuzz/$$f.log 2>&1 || { tail -40 $(BUILD)/fuzz/$$f.log; exit 1; }; \
		sed -n 's/^stat::number_of_executed_units: */  inputs: /p' $(BUILD)/fuzz/$$f.log; \
	done

# What a newcomer has: DEBIAN=12 or 13 from nothing in a chroot, and both README commands in it.
.PHONY: test-bare
DEBIAN ?=
test-bare:
	$(if $(DEBIAN),,$(error $@ needs DEBIAN=12 or DEBIAN=13))
	$(Q)tests/bare_root.sh $(DEBIAN)

# What a bare Debian 12 lacks, found and installed. `deps` is quick when nothing is missing. PostgreSQL
# is not in the list: installing the server package would create and start a cluster, so
# `hugebench image` unpacks it into the cache when the host has none.
DEPS := gcc libc6-dev make git libjansson-dev libinih-dev libgsl-dev libhwloc-dev libnuma-dev libelf-dev \
	libssl-dev zlib1g-dev libpq-dev libcmocka-dev
# for building kernels, making images and booting them
DEPS += flex bison bc xz-utils debian-archive-keyring e2fsprogs kmod busybox qemu-system-x86 gnuplot-nox

.PHONY: deps
deps:
	$(Q)have=" $$(dpkg-query -W -f='$${Package}=$${db:Status-Status} ' $(DEPS) 2>/dev/null)"; missing=; \
	for p in $(DEPS); do case "$$have" in *" $$p=installed "*) ;; *) missing="$$missing $$p";; esac; done; \
	[ -n "$$missing" ] || exit 0; \
	install="apt-get update && apt-get install -y --no-install-recommends$$missing"; \
	if [ "$$(id -u)" = 0 ]; then as=; \
	elif sudo -n true 2>/dev/null; then as='sudo -n'; \
	else echo "packages are missing; as root: $$install" >&2; exit 3; fi; \
	echo "installing$$missing"; \
	log=$$(mktemp) && $$as env DEBIAN_FRONTEND=noninteractive sh -ec "$$install" >$$log 2>&1 && rm -f $$log || \
		{ cat $$log; exit 1; }

.PHONY: kernels image
KERNELS ?=
SCALE ?=
kernels: all
	$(Q)$(BUILD)/hugebench kernels $(if $(KERNELS),'$(KERNELS)')

image: all
	$(Q)$(BUILD)/hugebench image $(if $(SCALE),--scale $(SCALE))

# Correctness of the kernels on debug builds: a table of bugs and kernels. KERNELS=a,b narrows it.
# oracle: the search for a deadlock, for BUDGET.
.PHONY: check-kernels oracle selftests
check-kernels: all
	$(Q)$(BUILD)/hugebench check $(if $(KERNELS),-k '$(KERNELS)')

oracle: all
	$(Q)$(BUILD)/hugebench oracle $(if $(KERNELS),-k '$(KERNELS)') $(if $(BUDGET),-b $(BUDGET)) $(if $(MODE),-m $(MODE))

selftests: all
	$(Q)$(BUILD)/hugebench selftests $(if $(KERNELS),-k '$(KERNELS)')

# The promises of the statistics, simulated; seeded, so the figures are the same every time.
.PHONY: check-stats
check-stats: $(BUILD)/tests/stats_sim
	$(Q)$<

# What hugebench itself costs: the timed path of the agent, and the report; README's table of scale
# is bench-scale's (BLOCKS=N: with fewer).
.PHONY: bench-self bench-scale
bench-scale: $(BUILD)/tests/scale_bench
	$(Q)$< $(BLOCKS)

bench-self: $(BUILD)/hugebench-agent $(BUILD)/tests/report_bench
	$(Q)$(BUILD)/hugebench-agent --self
	$(Q)$(BUILD)/tests/report_bench

# README's table is the short form of the report on results/reference/, between two marks. readme
# makes both anew from the raw data.
.PHONY: readme readme-check
$(BUILD)/readme.md: all
	$(Q)$(BUILD)/hugebench report results/reference --format md --section summary >$@

readme: $(BUILD)/readme.md
	$(Q)$(BUILD)/hugebench report --write results/reference
	$(Q)sed -i -e '/<!-- reference -->/,/<!-- \/reference -->/{//!d}' \
		-e '/<!-- reference -->/r $<' README.md

readme-check: $(BUILD)/readme.md
	$(Q)sed -n '/<!-- reference -->/,/<!-- \/reference -->/{//!p}' README.md | \
		diff -u --label README.md --label 'results/reference (make readme)' - $<
	$(Q)for f in $$(grep -o 'results/reference/plots/[a-z0-9-]*\.svg' README.md); do \
		[ -s $$f ] || { echo "README shows $$f, which is not there"; exit 1; }; done

.PHONY: bench report plots
SCENARIO ?= bench
BUDGET ?=
MODE ?=
RUN ?=
bench: all
	$(Q)$(BUILD)/hugebench run -s $(SCENARIO) $(if $(BUDGET),--budget $(BUDGET)) \
		$(if $(KERNELS),--kernels '$(KERNELS)') $(if $(MODE),--mode $(MODE)) $(if $(RUN),--name $(RUN))

report plots: all
	$(if $(RUN),,$(error $@ needs RUN=name; results/ holds the runs))
	$(Q)$(BUILD)/hugebench $@ $(RUN)

# Static checks: format, linters, licence lines, direction of the dependencies.
C_FILES := $(wildcard bench/*.[ch] bench/*/*.[ch] workloads/*.[ch] workloads/*/*.[ch] tests/*.[ch] tests/*/*.[ch])
BENCH_FILES := $(filter bench/%,$(C_FILES))
WORKLOAD_FILES := $(filter workloads/%,$(C_FILES))
BASE_FILES := $(filter bench/base/%,$(C_FILES))

.PHONY: check check-format check-lint check-tree
check: check-format check-tree check-lint

check-format:
	$(Q)clang-format --dry-run -Werror $(C_FILES)

# What cppcheck does not know: that HB_FREE and HB_FCLOSE release, that doc_row() takes over what it is
# given, what to make of HB_STEAL() among members.
CPPCHECK_UNKNOWN := memleak resourceLeak leakNoVarFunctionCall internalAstError

check-lint:
	$(Q)cppcheck -q --error-exitcode=1 --inline-suppr --enable=warning,portability \
		$(patsubst %,--suppress=%,checkersReport $(CPPCHECK_UNKNOWN)) -D_GNU_SOURCE -I. \
		--include=tests/cppcheck.h $(filter %.c,$(C_FILES))
	$(Q)printf '%s\n' $(filter %.c,$(C_FILES)) | \
		xargs -P $$(nproc) -I{} clang-tidy --quiet {} -- $(HB_CFLAGS) 2>/dev/null

# grep finds what must not be there; each line names the rule. The rooms are bench/README.md's.
check-tree: $(HOST_OBJ) $(AGENT_OBJ) $(BASE_OBJ)
	$(Q)sh tests/check_rooms.sh $(HOST_OBJ) $(BASE_OBJ)
	$(Q)sh tests/check_rooms.sh $(AGENT_OBJ) $(BASE_OBJ)
	$(Q)! git ls-files | grep -vE '^(COPYING|tests/golden/|tests/fuzz/seeds/|results/reference/)|\.(patch|svg|png)$$' | \
		xargs grep -L SPDX-License-Identifier | grep . || { echo 'no SPDX line'; exit 1; }
	$(Q)! grep -n 'include "workloads/' $(BENCH_FILES) || { echo 'bench/ uses workloads/'; exit 1; }
	$(Q)! grep -n 'include "bench/' $(WORKLOAD_FILES) $(BASE_FILES) | grep -v 'bench/base/[a-z_]*\.h"' || { echo 'only bench/base/ is shared'; exit 1; }
	$(Q)! grep -ln 'libpq-fe.h' $(filter-out workloads/postgres%,$(BENCH_FILES) $(WORKLOAD_FILES)) || \
		{ echo 'libpq outside the PostgreSQL workload'; exit 1; }
	$(Q)! grep -nE '\b(printf|fprintf|fopen|open|read|write)\(' bench/result/stats*.c || { echo 'stats does I/O'; exit 1; }
	$(Q)! grep -nE '\bexit\(' $(BENCH_FILES) $(WORKLOAD_FILES) | grep -vE '^(bench/main|workloads/agent/agent)\.c|_exit\(|->exit\(' || \
		{ echo 'only main exits'; exit 1; }

# README's commands, as they stand there.
.PHONY: help
help:
	$(Q)sed -En 's/^    ((make|build\/hugebench) )/\1/p' README.md

.PHONY: clean
clean:
	$(Q)rm -rf $(BUILD)

-include $(patsubst %.o,%.d,$(BASE_OBJ) $(HOST_OBJ) $(AGENT_OBJ) $(TEST_OBJ) $(FAULT_OBJ) $(REPLAY_OBJ) $(FUZZ_OBJ))
