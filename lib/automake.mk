noinst_LIBRARIES += lib/libsl.a
lib_libsl_a_SOURCES = \
	lib/addr.c \
	lib/addr.h \
	lib/base.h \
	lib/crash.c \
	lib/crash.h \
	lib/crc32c.c \
	lib/crc32c.h \
	lib/csum.c \
	lib/csum.h \
	lib/cursor.c \
	lib/cursor.h \
	lib/hash.c \
	lib/hash.h \
	lib/log.c \
	lib/log.h \
	lib/openflow-ext.h \
	lib/openflow-wire.h \
	lib/openflow.h \
	lib/options.c \
	lib/options.h \
	lib/panic.c \
	lib/panic.h \
	lib/rcu.c \
	lib/rcu.h \
	lib/refusals.def \
	lib/refuse.c \
	lib/refuse.h \
	lib/ring.c \
	lib/ring.h \
	lib/pages.c \
	lib/pages.h \
	lib/rmap.c \
	lib/rmap.h \
	lib/sflow.h
