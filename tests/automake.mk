# A unit is one file under tests/unit, one CMocka program, one row here (more lines only if it is
# made of more than that file).
UNITS = \
	tests/unit/test-action \
	tests/unit/test-action-hostile \
	tests/unit/test-action-run \
	tests/unit/test-admit \
	tests/unit/test-afxdp \
	tests/unit/test-aggfrag \
	tests/unit/test-alert \
	tests/unit/test-aside \
	tests/unit/test-audit \
	tests/unit/test-bpf \
	tests/unit/test-bpf-match \
	tests/unit/test-cache \
	tests/unit/test-barrier \
	tests/unit/test-baseline \
	tests/unit/test-case \
	tests/unit/test-case-trouble \
	tests/unit/test-change \
	tests/unit/test-collectors \
	tests/unit/test-conformance \
	tests/unit/test-conformance-match \
	tests/unit/test-cond \
	tests/unit/test-prefixes \
	tests/unit/test-crash \
	tests/unit/test-disk \
	tests/unit/test-dial \
	tests/unit/test-drops \
	tests/unit/test-early \
	tests/unit/test-esp \
	tests/unit/test-fail-mode \
	tests/unit/test-fib \
	tests/unit/test-flow-json \
	tests/unit/test-flow-text \
	tests/unit/test-forger \
	tests/unit/test-flow-kinds \
	tests/unit/test-flows \
	tests/unit/test-guard-verbs \
	tests/unit/test-group \
	tests/unit/test-group-swap \
	tests/unit/test-groups \
	tests/unit/test-guard \
	tests/unit/test-handoff \
	tests/unit/test-iptfs \
	tests/unit/test-iptfs-frames \
	tests/unit/test-iptfs-send \
	tests/unit/test-journal \
	tests/unit/test-undo-later \
	tests/unit/test-kernel \
	tests/unit/test-keyed \
	tests/unit/test-lib \
	tests/unit/test-lib-log \
	tests/unit/test-lib-options \
	tests/unit/test-lib-shared \
	tests/unit/test-limit \
	tests/unit/test-limiter \
	tests/unit/test-maglev \
	tests/unit/test-clamp-mss \
	tests/unit/test-reject \
	tests/unit/test-marks \
	tests/unit/test-match \
	tests/unit/test-match-oxm \
	tests/unit/test-meter \
	tests/unit/test-mgmt \
	tests/unit/test-openflow-bundle \
	tests/unit/test-openflow-conn \
	tests/unit/test-openflow-flow \
	tests/unit/test-openflow-group \
	tests/unit/test-openflow-method \
	tests/unit/test-openflow-switch \
	tests/unit/test-output \
	tests/unit/test-panic \
	tests/unit/test-parse \
	tests/unit/test-path \
	tests/unit/test-pipeline \
	tests/unit/test-pkt \
	tests/unit/test-port-dummy \
	tests/unit/test-port-pcap \
	tests/unit/test-profile \
	tests/unit/test-port-mod \
	tests/unit/test-promises \
	tests/unit/test-protect \
	tests/unit/test-reorder \
	tests/unit/test-restart \
	tests/unit/test-replay \
	tests/unit/test-rules \
	tests/unit/test-sample \
	tests/unit/test-sample-headers \
	tests/unit/test-samples \
	tests/unit/test-secrets \
	tests/unit/test-sflow \
	tests/unit/test-sflow-read \
	tests/unit/test-set-rules \
	tests/unit/test-set-swap \
	tests/unit/test-set-table \
	tests/unit/test-signal \
	tests/unit/test-sketch \
	tests/unit/test-standalone \
	tests/unit/test-status \
	tests/unit/test-store \
	tests/unit/test-switch \
	tests/unit/test-table \
	tests/unit/test-timer \
	tests/unit/test-together \
	tests/unit/test-traffic \
	tests/unit/test-tuple \
	tests/unit/test-watch \
	tests/unit/test-watch-input \
	tests/unit/test-tls \
	tests/unit/test-top \
	tests/unit/test-turn \
	tests/unit/test-words

check_PROGRAMS += $(UNITS)
TESTS += $(UNITS)
UNIT_LIBS = $(LDADD)

FRAME_TEXT = tests/unit/frame-text.c tests/unit/frame-text.h
tests_unit_test_action_hostile_SOURCES = tests/unit/test-action-hostile.c $(FRAME_TEXT)
tests_unit_test_action_hostile_LDADD = $(UNIT_LIBS)
tests_unit_test_conformance_SOURCES = tests/unit/test-conformance.c tests/unit/conformance-path.def tests/unit/conformance-push.def tests/unit/conformance-set.def tests/unit/conformance-ttl.def $(FRAME_TEXT)
tests_unit_test_conformance_LDADD = $(UNIT_LIBS)
tests_unit_test_conformance_match_SOURCES = tests/unit/test-conformance-match.c tests/unit/conformance-match.def $(FRAME_TEXT)
tests_unit_test_conformance_match_LDADD = $(UNIT_LIBS)
tests_unit_test_esp_SOURCES = tests/unit/test-esp.c tests/unit/vector.c tests/unit/vector.h
tests_unit_test_esp_LDADD = $(UNIT_LIBS)
IPTFS_PEER = tests/unit/iptfs-bed.c tests/unit/iptfs-bed.h tests/unit/iptfs-peer.h tests/unit/vector.c tests/unit/vector.h
tests_unit_test_iptfs_SOURCES = tests/unit/test-iptfs.c $(IPTFS_PEER)
tests_unit_test_iptfs_LDADD = $(UNIT_LIBS)
tests_unit_test_iptfs_frames_SOURCES = tests/unit/test-iptfs-frames.c $(IPTFS_PEER)
tests_unit_test_iptfs_frames_LDADD = $(UNIT_LIBS)
STUB_OFPROTO = tests/unit/openflow-fixture.h tests/unit/stub-ofproto.c tests/unit/stub-ofproto.h
tests_unit_test_openflow_conn_SOURCES = tests/unit/test-openflow-conn.c $(STUB_OFPROTO)
tests_unit_test_openflow_conn_LDADD = $(UNIT_LIBS)
tests_unit_test_openflow_flow_SOURCES = tests/unit/test-openflow-flow.c $(STUB_OFPROTO)
tests_unit_test_openflow_flow_LDADD = $(UNIT_LIBS)
tests_unit_test_openflow_bundle_SOURCES = tests/unit/test-openflow-bundle.c $(STUB_OFPROTO)
tests_unit_test_openflow_bundle_LDADD = $(UNIT_LIBS)
tests_unit_test_openflow_group_SOURCES = tests/unit/test-openflow-group.c $(STUB_OFPROTO)
tests_unit_test_openflow_group_LDADD = $(UNIT_LIBS)
tests_unit_test_openflow_method_SOURCES = tests/unit/test-openflow-method.c $(STUB_OFPROTO)
tests_unit_test_openflow_method_LDADD = $(UNIT_LIBS)
tests_unit_test_openflow_switch_SOURCES = tests/unit/test-openflow-switch.c $(STUB_OFPROTO)
tests_unit_test_openflow_switch_LDADD = $(UNIT_LIBS)
tests_unit_test_turn_LDADD = $(UNIT_LIBS)
tests_unit_test_tls_SOURCES = tests/unit/test-tls.c tests/unit/tls-bed.h $(STUB_OFPROTO)
tests_unit_test_tls_LDADD = $(UNIT_LIBS)
tests_unit_test_dial_SOURCES = tests/unit/test-dial.c $(STUB_OFPROTO)
tests_unit_test_dial_LDADD = $(UNIT_LIBS)
tests_unit_test_fail_mode_SOURCES = tests/unit/test-fail-mode.c $(STUB_OFPROTO)
tests_unit_test_fail_mode_LDADD = $(UNIT_LIBS)
tests_unit_test_marks_SOURCES = tests/unit/test-marks.c
tests_unit_test_marks_LDADD = $(UNIT_LIBS)
tests_unit_test_iptfs_send_SOURCES = tests/unit/test-iptfs-send.c tests/unit/iptfs-bed.c tests/unit/iptfs-bed.h
tests_unit_test_iptfs_send_LDADD = $(UNIT_LIBS)
tests_unit_test_forger_SOURCES = tests/unit/test-forger.c tests/unit/iptfs-bed.c tests/unit/iptfs-bed.h
tests_unit_test_forger_LDADD = $(UNIT_LIBS)
tests_unit_test_secrets_SOURCES = tests/unit/test-secrets.c
tests_unit_test_secrets_LDADD = $(UNIT_LIBS)
tests_unit_test_reorder_SOURCES = tests/unit/test-reorder.c
tests_unit_test_reorder_LDADD = $(UNIT_LIBS)

# Units of the watcher.
WATCH_LIBS = utilities/watch/libwatch.a $(LDADD)
tests_unit_test_flow_json_LDADD = $(WATCH_LIBS)
tests_unit_test_sflow_read_LDADD = $(WATCH_LIBS)
tests_unit_test_watch_input_LDADD = $(WATCH_LIBS)
tests_unit_test_alert_LDADD = $(WATCH_LIBS)
tests_unit_test_audit_LDADD = $(WATCH_LIBS)
tests_unit_test_switch_LDADD = $(WATCH_LIBS)
tests_unit_test_signal_SOURCES = tests/unit/test-signal.c tests/unit/watch-bed.h tests/watch/signal-line.h
tests_unit_test_signal_LDADD = $(WATCH_LIBS)
tests_unit_test_baseline_SOURCES = tests/unit/test-baseline.c tests/unit/watch-bed.h tests/watch/signal-line.h
tests_unit_test_baseline_LDADD = $(WATCH_LIBS)
tests_unit_test_traffic_SOURCES = tests/unit/test-traffic.c tests/unit/watch-bed.h tests/watch/signal-line.h
tests_unit_test_traffic_LDADD = $(WATCH_LIBS)
tests_unit_test_sketch_SOURCES = tests/unit/test-sketch.c
tests_unit_test_sketch_LDADD = $(WATCH_LIBS)
CASE_BED = tests/unit/case-bed.h tests/unit/watch-bed.h
tests_unit_test_case_SOURCES = tests/unit/test-case.c $(CASE_BED)
tests_unit_test_case_trouble_SOURCES = tests/unit/test-case-trouble.c $(CASE_BED)
tests_unit_test_case_trouble_LDADD = $(WATCH_LIBS)
tests_unit_test_case_LDADD = $(WATCH_LIBS)
tests_unit_test_pipeline_SOURCES = tests/unit/test-pipeline.c tests/unit/watch-bed.h
tests_unit_test_pipeline_LDADD = $(WATCH_LIBS)
tests_unit_test_watch_SOURCES = tests/unit/test-watch.c tests/unit/watch-bed.h
tests_unit_test_watch_LDADD = $(WATCH_LIBS)
tests_unit_test_profile_SOURCES = tests/unit/test-profile.c tests/unit/watch-bed.h
tests_unit_test_profile_LDADD = $(WATCH_LIBS)

# Detection's score over labelled scenarios; the table of it by `make check-detection`.
check_PROGRAMS += tests/watch/score
TESTS += tests/watch/score
tests_watch_score_SOURCES = tests/watch/score.c tests/watch/subject-signals.c $(SCENARIO_SOURCES)
tests_watch_score_LDADD = $(WATCH_LIBS)
check-detection: tests/watch/score
	srcdir='$(srcdir)' tests/watch/score --table

# What a sample costs the watcher; the whole of it, and in instructions, by `make bench-watch`.
SCENARIO_SOURCES = tests/watch/attacks.c tests/watch/background.c tests/watch/kinds.def \
	tests/watch/peaks.c tests/watch/scenario.c tests/watch/scenario.h tests/watch/stream.c \
	tests/watch/stream.h tests/watch/subject.c tests/watch/subject.h
check_PROGRAMS += tests/watch/cost
TESTS += tests/watch/cost
tests_watch_cost_SOURCES = tests/watch/cost.c $(SCENARIO_SOURCES)
tests_watch_cost_LDADD = $(WATCH_LIBS)
bench-watch: tests/watch/cost
	srcdir='$(srcdir)' tests/watch/cost --sources 10000000
	@if command -v valgrind >/dev/null; then for n in 20000 40000; do \
	  srcdir='$(srcdir)' valgrind --tool=callgrind --callgrind-out-file=/dev/null \
	    tests/watch/cost --sources $$n --most 100000 2>&1 | sed -n 's/.*Collected : //p'; done | \
	  { read -r a; read -r b; echo "$$(((b - a) / 60000)) instructions a sample, making it included"; }; fi
.PHONY: check-detection bench-watch

tests_unit_test_path_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

# A fuzz target is one file tests/fuzz/fuzz-x.c with LLVMFuzzerTestOneInput(), a folder of inputs
# tests/fuzz/corpus/x and three lines here.  `make check` runs it over the inputs and their mutants;
# configured with --enable-fuzzing and CC=clang it is a libFuzzer program instead.
FUZZERS = \
	tests/fuzz/fuzz-aggfrag \
	tests/fuzz/fuzz-config \
	tests/fuzz/fuzz-flow-json \
	tests/fuzz/fuzz-flow-text \
	tests/fuzz/fuzz-openflow \
	tests/fuzz/fuzz-options \
	tests/fuzz/fuzz-oxm \
	tests/fuzz/fuzz-pipeline \
	tests/fuzz/fuzz-set-text \
	tests/fuzz/fuzz-sflow \
	tests/fuzz/fuzz-table
if FUZZING
FUZZ_MAIN =
LINK_FUZZER = $(AM_LDFLAGS) -fsanitize=fuzzer
else
FUZZ_MAIN = tests/fuzz/corpus.c
LINK_FUZZER = $(AM_LDFLAGS)
TESTS += tests/fuzz/corpora.sh
endif
check_PROGRAMS += $(FUZZERS)
noinst_HEADERS += tests/unit/bed.h tests/unit/faulty-disk.h tests/unit/ports-fixture.h \
	tests/unit/random-match.h tests/unit/random.h tests/unit/route-bed.h tests/unit/sample-bed.h \
	tests/unit/store-dir.h tests/unit/switch.h tests/unit/verb-bed.h
EXTRA_DIST += tests/fuzz/corpora.sh tests/fuzz/corpus tests/openflow
FUZZ_LIBS = $(SLUICE_LIBS) $(DEPS_LIBS)

tests_fuzz_fuzz_aggfrag_SOURCES = tests/fuzz/fuzz-aggfrag.c tests/unit/iptfs-bed.c \
	tests/unit/iptfs-bed.h $(FUZZ_MAIN)
tests_fuzz_fuzz_aggfrag_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_aggfrag_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz-config.c $(FUZZ_MAIN)
tests_fuzz_fuzz_config_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_config_LDFLAGS = $(LINK_FUZZER)

tests_fuzz_fuzz_flow_text_SOURCES = tests/fuzz/fuzz-flow-text.c $(FUZZ_MAIN)
tests_fuzz_fuzz_flow_text_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_flow_text_LDFLAGS = $(LINK_FUZZER)

tests_fuzz_fuzz_pipeline_SOURCES = tests/fuzz/fuzz-pipeline.c $(FUZZ_MAIN)
tests_fuzz_fuzz_pipeline_LDADD = utilities/watch/libwatch.a $(FUZZ_LIBS)
tests_fuzz_fuzz_pipeline_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_fuzz_oxm_SOURCES = tests/fuzz/fuzz-oxm.c $(FUZZ_MAIN)
tests_fuzz_fuzz_oxm_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_oxm_LDFLAGS = $(LINK_FUZZER)

tests_fuzz_fuzz_openflow_SOURCES = tests/fuzz/fuzz-openflow.c $(FUZZ_MAIN)
tests_fuzz_fuzz_openflow_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_openflow_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_fuzz_options_SOURCES = tests/fuzz/fuzz-options.c $(FUZZ_MAIN)
tests_fuzz_fuzz_options_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_options_LDFLAGS = $(LINK_FUZZER)

tests_fuzz_fuzz_flow_json_SOURCES = tests/fuzz/fuzz-flow-json.c $(FUZZ_MAIN)
tests_fuzz_fuzz_flow_json_LDADD = utilities/watch/libwatch.a $(FUZZ_LIBS)
tests_fuzz_fuzz_flow_json_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_fuzz_sflow_SOURCES = tests/fuzz/fuzz-sflow.c $(FUZZ_MAIN)
tests_fuzz_fuzz_sflow_LDADD = utilities/watch/libwatch.a $(FUZZ_LIBS)
tests_fuzz_fuzz_sflow_LDFLAGS = $(LINK_FUZZER)

tests_fuzz_fuzz_set_text_SOURCES = tests/fuzz/fuzz-set-text.c $(FUZZ_MAIN)
tests_fuzz_fuzz_set_text_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_set_text_LDFLAGS = $(LINK_FUZZER)
tests_fuzz_fuzz_table_SOURCES = tests/fuzz/fuzz-table.c $(FUZZ_MAIN)
tests_fuzz_fuzz_table_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_table_LDFLAGS = $(LINK_FUZZER)

# What sluice-bench measures is right: the verdicts of every scenario against the linear twin.
TESTS += tests/bench/verdicts.sh
EXTRA_DIST += tests/bench/verdicts.sh

# sluice beside its peers, over veth: root, and the machine for itself, for some minutes (docs/bench.md).
#   make bench-peers ROUNDS=7 PEERS='--only sluice'
BENCH_PEERS = tests/bench/flood tests/bench/rxloop
EXTRA_PROGRAMS += $(BENCH_PEERS)
CLEANFILES += $(BENCH_PEERS) tests/bench/flood.bpf.o tests/bench/flood.skel.h
EXTRA_DIST += tests/bench/flood.bpf.c tests/bench/flood.h tests/bench/peers.py
tests_bench_flood_SOURCES = tests/bench/flood.c
nodist_tests_bench_flood_SOURCES = tests/bench/flood.skel.h
tests_bench_flood_LDADD = $(DEPS_LIBS)
tests_bench_rxloop_SOURCES = tests/bench/rxloop.c
tests_bench_rxloop_LDADD = $(DEPS_LIBS)
tests/bench/flood.bpf.o: tests/bench/flood.bpf.c tests/bench/flood.h
	@$(MKDIR_P) $(@D)
	$(AM_V_CC)$(BPF_CLANG) -target bpf -O2 -g -Wall -Werror $(BPF_CPPFLAGS) -c $< -o $@
tests/bench/flood.skel.h: tests/bench/flood.bpf.o
	$(AM_V_GEN)$(BPFTOOL) gen skeleton $< name flood >$@.tmp && mv $@.tmp $@
tests/bench/flood.$(OBJEXT): tests/bench/flood.skel.h

# What a worker notices of changes to the rules (docs/bench.md).
EXTRA_PROGRAMS += tests/bench/publish
CLEANFILES += tests/bench/publish
tests_bench_publish_SOURCES = tests/bench/publish.c
tests_bench_publish_LDADD = $(UNIT_LIBS)
bench-publish: tests/bench/publish
	tests/bench/publish
.PHONY: bench-publish
# Flow-mods and one barrier, beside Open vSwitch, which runs without a datapath (docs/bench.md): no root.
EXTRA_DIST += tests/bench/flowmods.py
FLOWMODS =
bench-flowmods: all
	python3 '$(srcdir)/tests/bench/flowmods.py' $(FLOWMODS)
.PHONY: bench-flowmods
ROUNDS = 7
PEERS =
bench-peers: all $(BENCH_PEERS)
	flock /tmp/sl-system.lock python3 '$(srcdir)/tests/bench/peers.py' --rounds $(ROUNDS) $(PEERS)
.PHONY: bench-peers
check-local: utilities/sluice-bench$(EXEEXT)

# House rules: one file each, which first shows on made-up trees that it can fail.
HOUSE = \
	tests/house/atomics.py \
	tests/house/constructors.py \
	tests/house/drops.py \
	tests/house/essays.py \
	tests/house/includes.py \
	tests/house/layout.py \
	tests/house/leftovers.py \
	tests/house/limits.py \
	tests/house/namespaces.py \
	tests/house/refusals.py \
	tests/house/spdx.py \
	tests/house/verbs.py
TESTS += $(HOUSE) tests/iptfs-vectors.py
TEST_EXTENSIONS = .py .sh
SH_LOG_COMPILER = $(SHELL)
PY_LOG_COMPILER = python3
AM_PY_LOG_FLAGS = -B
EXTRA_DIST += $(HOUSE) tests/house/house.py .clang-format

# The two suites of autotest.  A file of tests is one line here and one m4_include in its suite.
LAYER_AT = tests/macros.at tests/layer.at tests/lib.sh tests/docs.py tests/pcap.py tests/limits.py tests/mistakes.py tests/mistakes.txt
TESTSUITE_AT = \
	tests/testsuite.at \
	tests/docs.at \
	tests/example.at \
	tests/groups.at \
	tests/guard.at \
	tests/meters.at \
	tests/mistakes.at \
	tests/mgmt.at \
	tests/limits.at \
	tests/lasts.at \
	tests/cond.at \
	tests/offline.at \
	tests/sets.at \
	tests/control.at \
	tests/openflow.at \
	tests/watch.at
SYSTEM_TESTSUITE_AT = tests/system.at
TESTSUITE = $(srcdir)/tests/testsuite
SYSTEM_TESTSUITE = $(srcdir)/tests/system-testsuite
EXTRA_DIST += $(LAYER_AT) $(TESTSUITE_AT) $(SYSTEM_TESTSUITE_AT) $(TESTSUITE) $(SYSTEM_TESTSUITE) \
	$(srcdir)/tests/package.m4
DISTCLEANFILES = tests/atconfig

$(srcdir)/tests/package.m4: $(top_srcdir)/configure.ac
	$(AM_V_GEN){ \
	  echo '# Signature of the package that the test suites belong to.'; \
	  echo 'm4_define([AT_PACKAGE_NAME], [$(PACKAGE_NAME)])'; \
	  echo 'm4_define([AT_PACKAGE_TARNAME], [$(PACKAGE_TARNAME)])'; \
	  echo 'm4_define([AT_PACKAGE_VERSION], [$(PACKAGE_VERSION)])'; \
	  echo 'm4_define([AT_PACKAGE_STRING], [$(PACKAGE_STRING)])'; \
	  echo 'm4_define([AT_PACKAGE_BUGREPORT], [$(PACKAGE_BUGREPORT)])'; \
	  echo 'm4_define([AT_PACKAGE_URL], [$(PACKAGE_URL)])'; \
	} >$@

AUTOTEST = $(AUTOM4TE) --language=autotest -I '$(top_srcdir)' -I '$(top_srcdir)/tests'
$(TESTSUITE): $(srcdir)/tests/package.m4 $(TESTSUITE_AT) $(LAYER_AT)
	$(AM_V_GEN)$(AUTOTEST) -o $@.tmp $(top_srcdir)/tests/testsuite.at && mv $@.tmp $@
$(SYSTEM_TESTSUITE): $(srcdir)/tests/package.m4 $(SYSTEM_TESTSUITE_AT) $(LAYER_AT)
	$(AM_V_GEN)$(AUTOTEST) -o $@.tmp $(top_srcdir)/tests/system.at && mv $@.tmp $@

# TESTSUITEFLAGS='-k layer' or '3-5' chooses groups, -v shows them.
check-local: tests/atconfig tests/atlocal $(TESTSUITE)
	$(SHELL) '$(TESTSUITE)' -C tests -j2 $(TESTSUITEFLAGS)

build-fuzzers: $(FUZZERS)
# Everything that check runs, without running it.
build-tests: $(BUILT_SOURCES) $(check_PROGRAMS) $(TESTSUITE) $(SYSTEM_TESTSUITE) $(CHECK_SYSTEM_TOOLS)
.PHONY: build-fuzzers build-tests

# One group at a time: they own namespaces by name.
check-system: all $(CHECK_SYSTEM_TOOLS) tests/atconfig tests/atlocal $(SYSTEM_TESTSUITE)
	@rm -f tests/system-testsuite.dir/skipped; \
	status=0; $(SHELL) '$(SYSTEM_TESTSUITE)' -C tests $(TESTSUITEFLAGS) || status=$$?; \
	if test -s tests/system-testsuite.dir/skipped; then \
	  echo 'NOT TESTED HERE:'; cat tests/system-testsuite.dir/skipped; fi; exit $$status
.PHONY: check-system
# All of our cases by os-ken's switch tester, on sluice; TARGET=ovs TESTER=ovs on Open vSwitch (docs/openflow.md).
check-openflow: all
	abs_top_builddir='$(abs_top_builddir)' '$(abs_top_srcdir)/tests/system/tester.sh' whole
.PHONY: check-openflow

clean-local:
	test ! -f '$(TESTSUITE)' || $(SHELL) '$(TESTSUITE)' -C tests --clean
	test ! -f '$(SYSTEM_TESTSUITE)' || $(SHELL) '$(SYSTEM_TESTSUITE)' -C tests --clean
MAINTAINERCLEANFILES = $(TESTSUITE) $(SYSTEM_TESTSUITE) $(srcdir)/tests/package.m4

# What the tests over namespaces run.
CHECK_SYSTEM_TOOLS = \
	tests/system/hold \
	tests/system/impair \
	tests/system/repeat \
	tests/system/steer \
	tests/system/watch-print \
	tests/system/xskloop
EXTRA_PROGRAMS += $(CHECK_SYSTEM_TOOLS)
CLEANFILES += $(CHECK_SYSTEM_TOOLS)
tests_system_hold_SOURCES = tests/system/hold.c
tests_system_hold_LDADD =
tests_system_impair_SOURCES = tests/system/impair.c
tests_system_impair_LDADD =
tests_system_repeat_SOURCES = tests/system/repeat.c
nodist_tests_system_repeat_SOURCES = tests/system/repeat.skel.h
tests_system_repeat_LDADD = $(DEPS_LIBS)
CLEANFILES += tests/system/repeat.bpf.o tests/system/repeat.skel.h
tests/system/repeat.bpf.o: tests/system/repeat.bpf.c
	@$(MKDIR_P) $(@D)
	$(AM_V_CC)$(BPF_CLANG) -target bpf -O2 -g -Wall -Werror $(BPF_CPPFLAGS) -c $< -o $@
tests/system/repeat.skel.h: tests/system/repeat.bpf.o
	$(AM_V_GEN)$(BPFTOOL) gen skeleton $< name repeat >$@.tmp && mv $@.tmp $@
tests/system/repeat.$(OBJEXT): tests/system/repeat.skel.h
tests_system_steer_SOURCES = tests/system/steer.c
tests_system_watch_print_SOURCES = tests/system/watch-print.c
tests_system_watch_print_LDADD = $(WATCH_LIBS)
tests_system_xskloop_SOURCES = tests/system/xskloop.c
EXTRA_DIST += examples/flood.conf examples/flood.pcap examples/make-flood.py examples/pmacct examples/watch \
	tests/example.sh tests/watch/decisions.py tests/watch/recorded tests/demo
EXTRA_DIST += tests/system/common.sh tests/system/control.sh tests/system/disk.sh tests/system/forge.py \
	tests/system/guard.sh tests/system/idle.sh tests/system/iv-unique.py tests/system/kill9.sh \
	tests/system/mutate.py tests/system/mutate.sh tests/system/openflow.sh tests/system/panic.sh \
	tests/system/pmacct.sh tests/system/ports.sh tests/system/repeat.bpf.c tests/system/router.sh \
	tests/system/sflow.py tests/system/sflow.sh tests/system/steer.sh tests/system/tcp.sh tests/system/tester.sh \
	tests/system/verdicts.py tests/system/veth.sh tests/system/watch-kill.py tests/system/zerocopy.py \
	tests/system/zerocopy.sh
EXTRA_DIST += tests/vectors tests/iptfs-vectors.py
