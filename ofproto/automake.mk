noinst_LIBRARIES += ofproto/libofproto.a
ofproto_libofproto_a_SOURCES = \
	ofproto/change.c \
	ofproto/change.h \
	ofproto/conns.c \
	ofproto/flow-mod.c \
	ofproto/flow-text.c \
	ofproto/flows.c \
	ofproto/flows.h \
	ofproto/guard.c \
	ofproto/guard.h \
	ofproto/kept.c \
	ofproto/kernel-route.c \
	ofproto/kernel-tables.c \
	ofproto/kernel-tables.h \
	ofproto/kernel.c \
	ofproto/kernel.h \
	ofproto/memory.h \
	ofproto/objects.c \
	ofproto/objects.h \
	ofproto/ofproto.c \
	ofproto/ofproto.h \
	ofproto/packets.c \
	ofproto/ports.c \
	ofproto/restore.c \
	ofproto/routes.c \
	ofproto/samples.h \
	ofproto/settings.c \
	ofproto/shadow.c \
	ofproto/shadow.h \
	ofproto/state.h \
	ofproto/store.c \
	ofproto/store.h \
	ofproto/timeouts.c \
	ofproto/timeouts.h \
	ofproto/trace-packet.c \
	ofproto/trace.c \
	ofproto/trace.h
