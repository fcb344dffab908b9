noinst_LIBRARIES += datapath/libdatapath.a
datapath_libdatapath_a_SOURCES = \
	datapath/act-connlimit.c \
	datapath/act-clamp-mss.c \
	datapath/act-limit.c \
	datapath/cond-bpf.c \
	datapath/act-limiter.c \
	datapath/act-meter.c \
	datapath/cond-range.c \
	datapath/cond-set.c \
	datapath/cond.c \
	datapath/cond.h \
	datapath/conds.def \
	datapath/act-copy-ttl.c \
	datapath/act-group.c \
	datapath/act-mpls.c \
	datapath/act-pbb.c \
	datapath/act-set-queue.c \
	datapath/act-output.c \
	datapath/act-reject.c \
	datapath/act-sample.c \
	datapath/act-set-field.c \
	datapath/act-set-add.c \
	datapath/act-ttl.c \
	datapath/act-vlan.c \
	datapath/action-form.c \
	datapath/action-text.c \
	datapath/action-wire.c \
	datapath/action.c \
	datapath/action.h \
	datapath/actions.c \
	datapath/actions.def \
	datapath/afxdp-io.c \
	datapath/afxdp.h \
	datapath/aggfrag.c \
	datapath/aggfrag.h \
	datapath/bpf-words.c \
	datapath/bpf-words.h \
	datapath/bpf.c \
	datapath/bpf.h \
	datapath/answer.c \
	datapath/answer.h \
	datapath/bucket.c \
	datapath/bucket.h \
	datapath/cache.c \
	datapath/cache.h \
	datapath/collect.c \
	datapath/conn.c \
	datapath/conn.h \
	datapath/datapath.c \
	datapath/datapath.h \
	datapath/decap.c \
	datapath/drops.def \
	datapath/early-stage.c \
	datapath/early.c \
	datapath/encap-iptfs.c \
	datapath/encaps.def \
	datapath/esp.c \
	datapath/esp.h \
	datapath/fib.c \
	datapath/fib.h \
	datapath/field-family.c \
	datapath/field-family.h \
	datapath/field-text.c \
	datapath/fields.def \
	datapath/forward.c \
	datapath/frame.c \
	datapath/frame.h \
	datapath/group-make.c \
	datapath/group.c \
	datapath/group.h \
	datapath/handoff.c \
	datapath/handoff.h \
	datapath/iptfs-rx.c \
	datapath/iptfs-tx.c \
	datapath/iptfs.h \
	datapath/key.h \
	datapath/keyed-by.c \
	datapath/keyed-by.h \
	datapath/keyed-conns.c \
	datapath/keyed-conns.h \
	datapath/keyed.c \
	datapath/keyed.h \
	datapath/limiter.c \
	datapath/limiter.h \
	datapath/marks.c \
	datapath/marks.h \
	datapath/maglev.c \
	datapath/maglev.h \
	datapath/match-oxm.c \
	datapath/match-relate.c \
	datapath/match-text.c \
	datapath/match-word.c \
	datapath/match.c \
	datapath/match.h \
	datapath/meter.c \
	datapath/meter.h \
	datapath/netdev.c \
	datapath/netdev.h \
	datapath/normal.c \
	datapath/parse.c \
	datapath/parse.h \
	datapath/pkt.c \
	datapath/pkt.h \
	datapath/port-afxdp.c \
	datapath/port-copy.c \
	datapath/port-copy.h \
	datapath/port-dummy.c \
	datapath/port-dummy.h \
	datapath/port-pcap.c \
	datapath/port-pcap.h \
	datapath/port-tun.c \
	datapath/port.c \
	datapath/port.h \
	datapath/ports.def \
	datapath/prereq.c \
	datapath/prereq.h \
	datapath/range.h \
	datapath/reorder.c \
	datapath/reorder.h \
	datapath/replay.c \
	datapath/replay.h \
	datapath/rules.c \
	datapath/sample.c \
	datapath/sample.h \
	datapath/secrets.c \
	datapath/secrets.h \
	datapath/set-key.c \
	datapath/set-table.c \
	datapath/set.c \
	datapath/set.h \
	datapath/prefixes.c \
	datapath/prefixes.h \
	datapath/shape.c \
	datapath/shape.h \
	datapath/spine.c \
	datapath/spine.h \
	datapath/steer-abi.h \
	datapath/steer.c \
	datapath/steer.h \
	datapath/table.c \
	datapath/table.h \
	datapath/timer.c \
	datapath/timer.h \
	datapath/trace.c \
	datapath/trace.h \
	datapath/traces.def \
	datapath/tuple-filter.c \
	datapath/tuple-search.h \
	datapath/tuple.c \
	datapath/tuple.h \
	datapath/worker.c \
	datapath/worker.h \
	datapath/write-field.c \
	datapath/xsk.c \
	datapath/xsk.h

# The XDP program: compiled by clang for BPF, carried in the daemon as a skeleton.  The multiarch
# folder is where Debian keeps <asm/types.h>.
BPF_CPPFLAGS = -I$(top_srcdir) -I$(top_builddir) \
	-idirafter /usr/include/$$($(BPF_CLANG) -print-multiarch 2>/dev/null || echo .)
EXTRA_DIST += datapath/sluice.bpf.c
BUILT_SOURCES += datapath/sluice.skel.h
CLEANFILES += datapath/sluice.bpf.o datapath/sluice.skel.h

datapath/sluice.bpf.o: datapath/sluice.bpf.c datapath/steer-abi.h
	@$(MKDIR_P) $(@D)
	$(AM_V_CC)$(BPF_CLANG) -target bpf -O2 -g -Wall -Werror $(BPF_CPPFLAGS) -c $< -o $@

datapath/sluice.skel.h: datapath/sluice.bpf.o
	$(AM_V_GEN)$(BPFTOOL) gen skeleton $< name sluice_bpf >$@.tmp && mv $@.tmp $@

datapath/steer.$(OBJEXT): datapath/sluice.skel.h
