# Link order follows the include order: utilities -> ctl -> ofproto -> datapath -> lib.
SLUICE_LIBS = ctl/libctl.a ofproto/libofproto.a datapath/libdatapath.a lib/libsl.a

sbin_PROGRAMS += utilities/sluiced utilities/sluice-watch
bin_PROGRAMS += utilities/sluice-ctl utilities/sluice-bench
noinst_PROGRAMS += utilities/make-docs

# What sluice-watch is made of, beside its main().
noinst_LIBRARIES += utilities/watch/libwatch.a
utilities_watch_libwatch_a_SOURCES = \
	utilities/watch/alert-command.c \
	utilities/watch/alert-way.h \
	utilities/watch/alert-web.c \
	utilities/watch/alert.c \
	utilities/watch/alert.h \
	utilities/watch/amplifiers.def \
	utilities/watch/attacks.def \
	utilities/watch/audit.c \
	utilities/watch/audit.h \
	utilities/watch/baseline.c \
	utilities/watch/baseline.h \
	utilities/watch/case-adopt.c \
	utilities/watch/case-rule.c \
	utilities/watch/case-say.c \
	utilities/watch/case-state.h \
	utilities/watch/case.c \
	utilities/watch/case.h \
	utilities/watch/classify.c \
	utilities/watch/classify.h \
	utilities/watch/decide.h \
	utilities/watch/detect.h \
	utilities/watch/flow-json.c \
	utilities/watch/guard-text.c \
	utilities/watch/guard-text.h \
	utilities/watch/input-lines.c \
	utilities/watch/input-lines.h \
	utilities/watch/input.c \
	utilities/watch/input.h \
	utilities/watch/pairs.c \
	utilities/watch/pairs.h \
	utilities/watch/pipeline.c \
	utilities/watch/pipeline.def \
	utilities/watch/pipeline.h \
	utilities/watch/policy.c \
	utilities/watch/policy.h \
	utilities/watch/pretend.c \
	utilities/watch/pretend.h \
	utilities/watch/profile.c \
	utilities/watch/recent.c \
	utilities/watch/recent.h \
	utilities/watch/replay.c \
	utilities/watch/rule.c \
	utilities/watch/run-replay.c \
	utilities/watch/run-replay.h \
	utilities/watch/sample.h \
	utilities/watch/sflow-read.c \
	utilities/watch/signal-config.c \
	utilities/watch/signal.c \
	utilities/watch/sketch.c \
	utilities/watch/sketch.h \
	utilities/watch/switch.c \
	utilities/watch/switch.h \
	utilities/watch/target.c \
	utilities/watch/traffic-file.c \
	utilities/watch/traffic-learn.c \
	utilities/watch/traffic.c \
	utilities/watch/traffic.h \
	utilities/watch/watch.c

utilities_sluiced_SOURCES = \
	utilities/help.c \
	utilities/help.h \
	utilities/process.c \
	utilities/process.h \
	utilities/sluiced.c
utilities_sluiced_LDADD = $(SLUICE_LIBS) $(LDADD)

utilities_sluice_ctl_SOURCES = \
	utilities/help.c \
	utilities/help.h \
	utilities/lab.c \
	utilities/lab.h \
	utilities/live.c \
	utilities/live.h \
	utilities/panic.c \
	utilities/panic.h \
	utilities/sluice-ctl.c
utilities_sluice_ctl_LDADD = $(SLUICE_LIBS) $(LDADD)

utilities_sluice_watch_SOURCES = \
	utilities/help.c \
	utilities/help.h \
	utilities/process.c \
	utilities/process.h \
	utilities/sluice-watch.c
utilities_sluice_watch_LDADD = utilities/watch/libwatch.a $(SLUICE_LIBS) $(LDADD)

# What a packet costs in memory: a scenario is a row of scenarios.def, a file and a line here.
utilities_sluice_bench_SOURCES = \
	utilities/bench/aggregates.c \
	utilities/bench/aggregates.h \
	utilities/bench/bed.c \
	utilities/bench/bench.h \
	utilities/bench/callgrind.c \
	utilities/bench/copy64.c \
	utilities/bench/decap-iptfs.c \
	utilities/bench/drop.c \
	utilities/bench/early.c \
	utilities/bench/forward.c \
	utilities/bench/group.c \
	utilities/bench/limiter.c \
	utilities/bench/meter.c \
	utilities/bench/lookup.c \
	utilities/bench/measure.c \
	utilities/bench/report.c \
	utilities/bench/rules.c \
	utilities/bench/scenarios.def \
	utilities/bench/set.c \
	utilities/bench/stage-rules.c \
	utilities/bench/traffic.c \
	utilities/bench/verdict.c \
	utilities/bench/worst.c \
	utilities/help.c \
	utilities/help.h \
	utilities/sluice-bench.c
utilities_sluice_bench_LDADD = $(SLUICE_LIBS) $(LDADD)

# Manual pages and completion come from the verbs' own rows.
utilities_make_docs_SOURCES = \
	utilities/help.c \
	utilities/help.h \
	utilities/make-docs.c
utilities_make_docs_LDADD = $(SLUICE_LIBS) $(LDADD)

GENERATED_DOCS = utilities/sluiced.8 utilities/sluice-ctl.8 utilities/sluice-watch.8 \
	utilities/sluice-bench.8 \
	utilities/sluice-ctl.completion
utilities/sluiced.8 utilities/sluice-ctl.8 utilities/sluice-watch.8 utilities/sluice-bench.8: utilities/make-docs$(EXEEXT)
	$(AM_V_GEN)utilities/make-docs $(@F) >$@.tmp && mv $@.tmp $@
utilities/sluice-ctl.completion: utilities/make-docs$(EXEEXT)
	$(AM_V_GEN)utilities/make-docs completion >$@.tmp && mv $@.tmp $@

man_MANS += utilities/sluiced.8 utilities/sluice-ctl.8 utilities/sluice-watch.8 utilities/sluice-bench.8
CLEANFILES += $(GENERATED_DOCS)
completiondir = $(datadir)/bash-completion/completions
completion_DATA = utilities/sluice-ctl.completion
install-data-hook:
	cd '$(DESTDIR)$(completiondir)' && mv -f sluice-ctl.completion sluice-ctl && \
	  ln -sf sluice-ctl sluiced && ln -sf sluice-ctl sluice-watch && \
	  ln -sf sluice-ctl sluice-bench
uninstall-hook:
	cd '$(DESTDIR)$(completiondir)' && rm -f sluice-ctl sluiced sluice-watch sluice-bench

# In words, for people; `make bench BENCH="--scenario drop --json"` chooses.
BENCH =
bench: utilities/sluice-bench$(EXEEXT)
	utilities/sluice-bench $(BENCH)
.PHONY: bench
