/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles, octet for octet: opened, filled, closed, committed, discarded, refused and bounded, in
 * the ONF's form and in OpenFlow 1.4's. */
#include "tests/unit/openflow-fixture.h"

#include "ctl/bundle.h"
#include "lib/openflow.h"

/* Bundle 1, atomic and ordered; what differs is the form. */
#define ONF_CONTROL "04 04 0018 000000%02x 4f4e4600 000008fc 00000001 %04x 0003"
#define V14_CONTROL "04 21 0010 000000%02x 00000001 %04x 0003"

#define V14_REPLY "04 21 0010 00000001 00000001 0005 0003"

#define DROP_IP                                                                               \
	"04 0e 0040 00000020 0000000000000007 0000000000000000 00 00 0000 0000 0005 ffffffff" \
	"ffffffff ffffffff 0000 0000 0001 000a 80000a02 0800 000000000000"
#define DROP_IP_SIZE 0x40

/* `message` in an add to bundle 1, with its xid. */
static const char *add(const char *message, bool onf)
{
	static char text[512];
	uint8_t octets[256];
	size_t n = octets_of(message, octets, sizeof octets);

	snprintf(text, sizeof text,
		 onf ? "04 04 %04zx %08x 4f4e4600 000008fd 00000001 0000 0003 %s"
		     : "04 22 %04zx %08x 00000001 0000 0003 %s",
		 n + (onf ? 24 : 16), get_be32(octets + 4), message);
	return text;
}

static const char *control(bool onf, unsigned xid, unsigned type)
{
	static char text[128];

	if (onf)
		snprintf(text, sizeof text, ONF_CONTROL, xid, type);
	else
		snprintf(text, sizeof text, V14_CONTROL, xid, type);
	return text;
}

static void ask(struct peer *p, bool onf, unsigned xid, unsigned type)
{
	peer_send(p, control(onf, xid, type));
	EXPECT(p, control(onf, xid, type + 1));
}

/* What was sent is refused with OFPBFC_* `code`. */
static void refused_at(struct peer *p, const char *message, unsigned code, int line)
{
	uint8_t octets[256];
	size_t n = octets_of(message, octets, sizeof octets), head;
	bool onf = octets[1] == OFPT_EXPERIMENTER;
	char want[1024];

	head = onf ? 16 : 12;
	snprintf(want, sizeof want, "04 01 %04zx %08x %04x %04x %s", MIN(n, (size_t)64) + head,
		 get_be32(octets + 4), onf ? 0xffff : 17, onf ? 2300 + code : code,
		 onf ? "4f4e4600" : "");
	for (size_t i = 0; i < MIN(n, (size_t)64); i++)
		snprintf(want + strlen(want), sizeof want - strlen(want), "%02x", octets[i]);
	peer_send(p, message);
	expect_at(p, want, line);
}
#define REFUSED(P, MESSAGE, CODE) refused_at(P, MESSAGE, CODE, __LINE__)

static void all_at_the_commit(void **state)
{
	for (unsigned onf = 0; onf < 2; onf++) {
		struct bench *t = bench_new();
		struct peer p = peer_ready(t);

		(void)state;
		ask(&p, onf, 1, OFPBCT_OPEN_REQUEST);
		peer_send(&p, add(DROP_IP, onf));
		peer_send(&p, add("04 0f 0010 00000021 0000 00 00 00000005", onf));
		peer_send(&p, add("04 1d 0010 00000022 0002 0000 ffffffff", onf));
		EXPECT(&p, "");
		ask(&p, onf, 2, OFPBCT_CLOSE_REQUEST);
		assert_int_equal(t->o->n_flow_mods + t->o->n_group_mods, 0);
		t->o->defer = true;
		peer_send(&p, control(onf, 3, OFPBCT_COMMIT_REQUEST));
		assert_int_equal(t->o->n_flow_mods, 1);
		assert_int_equal(t->o->n_group_mods, 1);
		assert_int_equal(t->o->last.cookie, 7);
		assert_int_equal(t->o->n_committed, 1);
		EXPECT(&p, ""); /* not before it is done */
		stub_done(t->o, 0);
		assert_int_equal(t->o->n_dones, 1); /* and waits once */
		EXPECT(&p, control(onf, 3, OFPBCT_COMMIT_REPLY));
		t->o->defer = false;
		/* It is gone: the number can be used again. */
		ask(&p, onf, 4, OFPBCT_OPEN_REQUEST);
		peer_end(&p);
		assert_int_equal(t->o->n_abandoned, 0);
		bench_end(t);
	}
}

/* Nothing of a bundle that is discarded, or whose connection ends, ever happens. */
static void discarded(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	peer_send(&p, add(DROP_IP, true)); /* opens it */
	assert_int_equal(t->server.bundle_octets, DROP_IP_SIZE);
	ask(&p, true, 1, OFPBCT_DISCARD_REQUEST);
	assert_int_equal(t->server.bundle_octets, 0);
	REFUSED(&p, control(true, 2, OFPBCT_COMMIT_REQUEST), OFPBFC_BAD_ID);
	peer_send(&p, add(DROP_IP, true));
	peer_end(&p);
	assert_int_equal(t->server.bundle_octets, 0);
	assert_int_equal(t->o->n_flow_mods, 0);
	bench_end(t);
}

/* The message that is refused is told why, the commit that it failed, and all is taken back. */
static void one_fails(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	peer_send(&p, add(DROP_IP, true));
	peer_send(&p, add("04 0f 0010 00000021 0001 00 00 00000005", true)); /* modify: unknown */
	peer_send(&p, add(DROP_IP, true));
	peer_send(&p, control(true, 2, OFPBCT_COMMIT_REQUEST));
	EXPECT(&p, "04 01 001c 00000021 0006 0008 04 0f 0010 00000021 0001 00 00 00000005"
		   "04 01 0028 00000002 ffff 0909 4f4e4600"
		   "04 04 0018 00000002 4f4e4600 000008fc 00000001 0004 0003");
	assert_int_equal(t->o->n_abandoned, 1);
	assert_int_equal(t->o->n_committed, 0);
	assert_int_equal(t->o->n_flow_mods, 1); /* those before it were staged, no more */
	REFUSED(&p, control(true, 3, OFPBCT_COMMIT_REQUEST), OFPBFC_BAD_ID);
	peer_end(&p);
	bench_end(t);
}

/* The disk refuses, later: the commit's own error; a peer that has gone meanwhile misses it. */
static void it_fails_late(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t), q = peer_ready(t);

	(void)state;
	t->o->defer = true;
	peer_send(&p, add(DROP_IP, false));
	peer_send(&p, control(false, 2, OFPBCT_COMMIT_REQUEST));
	peer_send(&q, add(DROP_IP, false));
	peer_send(&q, control(false, 2, OFPBCT_COMMIT_REQUEST));
	close(q.fd);
	turn(t);
	stub_done(t->o, -EIO);
	EXPECT(&p, "04 01 001c 00000002 0011 000d 04 21 0010 00000002 00000001 0004 0003");
	turn(t);
	assert_int_equal(q.c->state, OFCONN_ENDED);
	ofconn_unref(q.c);
	peer_end(&p);
	bench_end(t);
}

/* What did not fit its state or flags has ended bundle 1. */
#define GONE(P, ONF)                                                                \
	do {                                                                        \
		assert_int_equal((P)->c->n_bundles, 0);                             \
		REFUSED(P, control(ONF, 7, OFPBCT_DISCARD_REQUEST), OFPBFC_BAD_ID); \
	} while (0)

static void every_refusal(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	for (unsigned onf = 0; onf < 2; onf++) {
		REFUSED(&p, control(onf, 1, OFPBCT_CLOSE_REQUEST), OFPBFC_BAD_ID);
		REFUSED(&p, control(onf, 1, OFPBCT_DISCARD_REQUEST), OFPBFC_BAD_ID);
		REFUSED(&p, control(onf, 1, OFPBCT_OPEN_REPLY), OFPBFC_BAD_TYPE);
		REFUSED(&p, control(onf, 1, 8), OFPBFC_BAD_TYPE);
		ask(&p, onf, 1, OFPBCT_OPEN_REQUEST);
		REFUSED(&p, control(onf, 1, OFPBCT_OPEN_REQUEST), OFPBFC_BUNDLE_EXIST);
		GONE(&p, onf);
		ask(&p, onf, 1, OFPBCT_OPEN_REQUEST);
		/* What is inside has another xid, no header, a length of its own, a wrong type. */
		REFUSED(&p,
			onf ? "04 04 0028 00000009 4f4e4600 000008fd 00000001 0000 0003"
			      "04 0f 0010 00000008 0002 00 00 00000005"
			    : "04 22 0020 00000009 00000001 0000 0003"
			      "04 0f 0010 00000008 0002 00 00 00000005",
			OFPBFC_MSG_BAD_XID);
		REFUSED(&p,
			onf ? "04 04 001c 00000009 4f4e4600 000008fd 00000001 0000 0003 040f0004"
			    : "04 22 0014 00000009 00000001 0000 0003 040f0004",
			OFPBFC_MSG_BAD_LEN);
		REFUSED(&p, add("04 0f 0018 00000009 0002 00 00 00000005", onf),
			OFPBFC_MSG_BAD_LEN);
		REFUSED(&p, add("04 0f 0007 00000009 0002 00 00 00000005", onf),
			OFPBFC_MSG_BAD_LEN);
		REFUSED(&p, add("04 14 0008 00000009", onf), OFPBFC_MSG_UNSUP);
		REFUSED(&p, add("04 63 0008 00000009", onf), OFPBFC_MSG_UNSUP);
		REFUSED(&p, add("04 0f 0010 00000009 0002 00 00 00000005 0001 0004 00000000", onf),
			OFPBFC_UNKNOWN);
		ask(&p, onf, 2, OFPBCT_CLOSE_REQUEST);
		REFUSED(&p, control(onf, 2, OFPBCT_CLOSE_REQUEST), OFPBFC_BUNDLE_CLOSED);
		GONE(&p, onf);
		ask(&p, onf, 1, OFPBCT_OPEN_REQUEST);
		ask(&p, onf, 2, OFPBCT_CLOSE_REQUEST);
		REFUSED(&p, add(DROP_IP, onf), OFPBFC_BUNDLE_CLOSED);
		GONE(&p, onf);
	}
	peer_end(&p);
	bench_end(t);
}

/* Flags that nobody knows, and others than it was opened with; properties. */
static void flags_and_properties(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	REFUSED(&p, "04 21 0010 00000001 00000001 0000 0004", OFPBFC_BAD_FLAGS);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const others[] = {
			"04 21 0010 00000001 00000001 0002 0001",
			"04 21 0010 00000001 00000001 0004 0001",
			("04 22 0020 00000009 00000001 0000 0000"
			 "04 0f 0010 00000009 0002 00 00 00000005"),
		};

		ask(&p, false, 1, OFPBCT_OPEN_REQUEST);
		REFUSED(&p, others[i], OFPBFC_BAD_FLAGS);
		GONE(&p, false);
	}
	REFUSED(&p, "04 21 0018 00000001 00000002 0000 0000 0001 0008 00000000", OFPBFC_UNKNOWN);
	ask(&p, false, 1, OFPBCT_OPEN_REQUEST);
	ask(&p, false, 1, OFPBCT_COMMIT_REQUEST); /* open as it is, and empty */
	assert_int_equal(t->o->n_flow_mods + t->o->n_group_mods, 0);
	peer_end(&p);
	bench_end(t);
}

/* Malformed messages are refused as they are outside, when they are added, and stay out. */
static void malformed_inside(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	peer_send(&p, add("04 0e 0038 00000020 0000000000000000 0000000000000000 00 07 0000 0000"
			  "0005 ffffffff ffffffff ffffffff 0000 0000 0001 0004 00000000",
			  false));
	EXPECT(&p, "04 01 004c 00000020 0005 0006 04 22 0048 00000020 00000001 0000 0003"
		   "04 0e 0038 00000020 0000000000000000 0000000000000000 00 07 0000 0000"
		   "0005 ffffffff ffffffff ffffffff 0000 0000");
	peer_send(&p, add("04 0f 000c 00000020 0000 00 00", false)); /* BAD_LEN */
	EXPECT(&p, "04 01 0028 00000020 0001 0006 04 22 001c 00000020 00000001 0000 0003"
		   "04 0f 000c 00000020 0000 00 00");
	peer_send(&p, add("05 0f 0010 00000020 0000 00 00 00000005", false)); /* BAD_VERSION */
	EXPECT(&p, "04 01 002c 00000020 0001 0000 04 22 0020 00000020 00000001 0000 0003"
		   "05 0f 0010 00000020 0000 00 00 00000005");
	assert_int_equal(p.c->n_bundles, 0);
	peer_end(&p);
	bench_end(t);
}

/* What was refused stays out; what was not is committed. */
static void the_rest_is_committed(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	ask(&p, true, 1, OFPBCT_OPEN_REQUEST);
	peer_send(&p, add(DROP_IP, true));
	REFUSED(&p, add("04 14 0008 00000009", true), OFPBFC_MSG_UNSUP);
	peer_send(&p, add("04 0f 000c 00000020 0000 00 00", true));
	EXPECT(&p, "04 01 0030 00000020 0001 0006 04 04 0024 00000020 4f4e4600 000008fd"
		   "00000001 0000 0003 04 0f 000c 00000020 0000 00 00");
	assert_int_equal(p.c->bundle_octets, DROP_IP_SIZE);
	ask(&p, true, 2, OFPBCT_COMMIT_REQUEST);
	assert_int_equal(t->o->n_flow_mods, 1);
	assert_int_equal(t->o->n_committed, 1);
	assert_int_equal(p.c->bundle_octets, 0);
	peer_end(&p);
	bench_end(t);
}

#define OUT(BUFFER, SIZE, FRAME)                                      \
	"04 0d " SIZE " 00000020" BUFFER "fffffffd 0010 000000000000" \
	"0000 0010 00000001 0000 000000000000" FRAME
#define OUT_FRAME "ffffffffffff 020000000001 88b5 0000"

/* A packet leaves when all else is in effect, and before the reply; one that cannot leave fails
 * the commit while nothing has happened. */
static void packets_leave_behind_it(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	REFUSED(&p, add(OUT("00000001", "0028", ""), true), OFPBFC_MSG_UNSUP); /* of a buffer */
	peer_send(&p, add(OUT("ffffffff", "0038", OUT_FRAME), true));
	peer_send(&p, add(DROP_IP, true));
	t->o->defer = true;
	peer_send(&p, control(true, 2, OFPBCT_COMMIT_REQUEST));
	assert_int_equal(t->o->n_flow_mods, 1);
	assert_int_equal(t->o->n_packet_outs, 0);
	assert_int_equal(t->server.bundle_octets, 0x38); /* the packet is still here */
	stub_done(t->o, 0);
	assert_int_equal(t->o->n_packet_outs, 1);
	assert_int_equal(t->o->last_out.size, 16);
	assert_int_equal(t->server.bundle_octets, 0);
	EXPECT(&p, control(true, 2, OFPBCT_COMMIT_REPLY));
	/* The disk is full: it stays here. */
	peer_send(&p, add(OUT("ffffffff", "0038", OUT_FRAME), true));
	peer_send(&p, control(true, 3, OFPBCT_COMMIT_REQUEST));
	stub_done(t->o, -EIO);
	assert_int_equal(t->o->n_packet_outs, 1);
	EXPECT(&p, "04 01 0028 00000003 ffff 0909 4f4e4600"
		   "04 04 0018 00000003 4f4e4600 000008fc 00000001 0004 0003");
	t->o->defer = false;
	/* No frame: seen at the commit, as what depends on the switch is. */
	peer_send(&p, add(DROP_IP, true));
	peer_send(&p, add(OUT("ffffffff", "0028", ""), true));
	peer_send(&p, control(true, 4, OFPBCT_COMMIT_REQUEST));
	EXPECT(&p, "04 01 0034 00000020 0001 000c" OUT(
			   "ffffffff", "0028",
			   "") "04 01 0028 00000004 ffff 0909 4f4e4600"
			       "04 04 0018 00000004 4f4e4600 000008fc 00000001 0004 0003");
	assert_int_equal(t->o->n_abandoned, 1);
	assert_int_equal(t->o->n_packet_outs, 1);
	assert_int_equal(t->server.bundle_octets, 0);
	peer_end(&p);
	bench_end(t);
}

/* Many packet-outs hold the control thread up: there are not many. */
static void packets_are_few(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		peer_send(&p, add(OUT("ffffffff", "0038", OUT_FRAME), true));
	EXPECT(&p, "");
	REFUSED(&p, add(OUT("ffffffff", "0038", OUT_FRAME), true), OFPBFC_MSG_TOO_MANY);
	peer_send(&p, add(DROP_IP, true));
	ask(&p, true, 2, OFPBCT_COMMIT_REQUEST);
	assert_int_equal(t->o->n_packet_outs, 256);
	peer_end(&p);
	bench_end(t);
}

#define PORT_MOD                                                                             \
	"04 10 0028 00000020 00000001 00000000 020000000001 0000 00000001 00000001 00000000" \
	"00000000"

/* A port's configuration is beside the tables: with them, but not in one instant. */
static void port_mods_where_nothing_is_atomic(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	stub_port(t->o, 1, "p1");
	REFUSED(&p, add(PORT_MOD, false), OFPBFC_MSG_UNSUP); /* flags 3 */
	peer_send(&p, "04 22 0038 00000020 00000001 0000 0002" PORT_MOD);
	EXPECT(&p, "");
	assert_int_equal(t->o->port_mod.ofport, 0);
	peer_send(&p, "04 21 0010 00000002 00000001 0004 0002");
	EXPECT(&p, "04 21 0010 00000002 00000001 0005 0002");
	assert_int_equal(t->o->port_mod.ofport, 1);
	peer_end(&p);
	bench_end(t);
}

/* A bundle that nobody says anything of ends, and who opened it is told; one that is used stays. */
static void left_alone(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	ask(&p, true, 1, OFPBCT_OPEN_REQUEST);
	peer_send(&p, "04 22 0020 00000009 00000002 0000 0000"
		      "04 0f 0010 00000009 0002 00 00 00000005");
	for (unsigned i = 0; i < 10; i++) {
		event_active(p.c->timer, EV_TIMEOUT, 0);
		turn(t);
	}
	EXPECT(&p, "");
	peer_send(&p, add(DROP_IP, true));
	event_active(p.c->timer, EV_TIMEOUT, 0);
	turn(t);
	EXPECT(&p, "04 01 002c 00000009 0011 000e 04 22 0020 00000009 00000002 0000 0000"
		   "04 0f 0010 00000009 0002 00 00 00000005");
	assert_int_equal(p.c->n_bundles, 1);
	for (unsigned i = 0; i < 10; i++) {
		event_active(p.c->timer, EV_TIMEOUT, 0);
		turn(t);
	}
	EXPECT(&p, "04 01 0028 00000001 ffff 090a 4f4e4600"
		   "04 04 0018 00000001 4f4e4600 000008fc 00000001 0000 0003");
	assert_int_equal(p.c->n_bundles, 0);
	assert_int_equal(t->server.bundle_octets, 0);
	peer_end(&p);
	bench_end(t);
}

static void bounds(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t), q = peer_ready(t);
	char text[64];
	uint8_t big[16 + 4096] = {4, 0x22, 0x10, 0x10, 0,    0,    0, 9, 0, 0, 0, 1, 0,
				  0, 0,    0,    4,    0x0f, 0x10, 0, 0, 0, 0, 9, 0, 2};
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < OFCONN_BUNDLES; i++) {
		snprintf(text, sizeof text, "04 21 0010 00000001 %08x 0000 0000", i);
		peer_send(&p, text);
		snprintf(text, sizeof text, "04 21 0010 00000001 %08x 0001 0000", i);
		EXPECT(&p, text);
	}
	REFUSED(&p, "04 21 0010 00000001 00000063 0000 0000", OFPBFC_OUT_OF_BUNDLES);
	/* A connection's octets: 8 MB of group deletes with 4 kB each of what nobody looks at. */
	while (ofconn_output(p.c) == 0 && peer_read(&p, (uint8_t *)text, sizeof text) == 0 &&
	       n < 4096) {
		peer_write(&p, big, sizeof big);
		n++;
		while (turn_waits(&p.c->turn)) /* a turn that was long rests as long */
			turn(t);
	}
	assert_int_equal(n, 8 * 1024 * 1024 / 4096 + 1);
	assert_int_equal(p.c->n_errors, 2);
	assert_int_equal(p.c->bundle_octets, 8 * 1024 * 1024);
	/* Another has room of its own. */
	peer_write(&q, big, sizeof big);
	EXPECT(&q, "");
	assert_int_equal(q.c->bundle_octets, 4096);
	t->server.bundle_octets += 32 * 1024 * 1024; /* … until all have taken what there is */
	peer_write(&q, big, sizeof big);
	assert_int_equal(q.c->n_errors, 1);
	t->server.bundle_octets -= 32 * 1024 * 1024;
	peer_end(&p);
	assert_int_equal(t->server.bundle_octets, 4096);
	peer_end(&q);
	assert_int_equal(t->server.bundle_octets, 0);
	bench_end(t);
}

/* A bundle 1 of `n` messages, and its commit. */
static void commit_of(struct peer *p, unsigned n)
{
	while (n--)
		peer_send(p, add(DROP_IP, false));
	peer_send(p, control(false, 1, OFPBCT_COMMIT_REQUEST));
}

/* Large ones wait for what was asked for before, then for one another; only their own connections
 * wait with them. */
static void large_ones_go_one_at_a_time(void **state)
{
	enum { LARGE = BUNDLE_SMALL + 1 };
	struct bench *t = bench_new();
	struct peer p = peer_ready(t), q = peer_ready(t), other = peer_ready(t);

	(void)state;
	t->o->defer = true;
	peer_send(&other, DROP_IP);
	commit_of(&p, LARGE);
	peer_send(&p, "04 02 0008 00000009"); /* an echo request */
	commit_of(&q, LARGE);
	assert_int_equal(t->o->n_flow_mods, 1);
	stub_done(t->o, 0); /* what was before p's */
	turn(t);
	assert_int_equal(t->o->n_flow_mods, 1 + LARGE);
	assert_int_equal(t->o->n_committed, 1);
	EXPECT(&p, "");
	peer_send(&other, "04 02 0008 00000009");
	EXPECT(&other, "04 03 0008 00000009");
	commit_of(&other, BUNDLE_SMALL); /* joins what is on its way */
	assert_int_equal(t->o->n_committed, 2);
	assert_int_equal(t->o->n_flow_mods, 1 + LARGE + BUNDLE_SMALL);
	stub_done(t->o, 0);
	EXPECT(&p, V14_REPLY "04 03 0008 00000009");
	EXPECT(&other, V14_REPLY);
	assert_int_equal(t->o->n_committed, 2); /* q's waits for what was asked for before */
	stub_done(t->o, 0);
	turn(t);
	assert_int_equal(t->o->n_committed, 3);
	assert_int_equal(t->server.bundle_octets, 0);
	stub_done(t->o, -EIO);
	EXPECT(&q, "04 01 001c 00000001 0011 000d 04 21 0010 00000001 00000001 0004 0003");
	t->o->defer = false;
	peer_end(&p);
	peer_end(&q);
	peer_end(&other);
	bench_end(t);
}

/* Of commits that wait when the server ends nothing is left, and nothing happens. */
static void large_ones_end_with_the_server(void **state)
{
	(void)state;
	for (unsigned ready = 0; ready < 2; ready++) {
		struct bench *t = bench_new();
		struct peer p = peer_ready(t), q = peer_ready(t);

		t->o->defer = true;
		commit_of(&p, BUNDLE_SMALL + 1);
		commit_of(&q, BUNDLE_SMALL + 1);
		if (ready)
			stub_done(t->o, 0);
		ofconn_end(p.c, "");
		ofconn_end(q.c, "");
		commits_end(&t->server);
		assert_int_equal(t->server.bundle_octets, 0);
		stub_done(t->o, 0);
		turn(t);
		assert_int_equal(t->o->n_flow_mods, 0);
		assert_int_equal(p.c->refs, 1);
		assert_int_equal(q.c->refs, 1);
		peer_end(&p);
		peer_end(&q);
		bench_end(t);
	}
}

static void slaves_have_none(void **state)
{
	struct bench *t = bench_new();
	struct peer p = peer_ready(t);

	(void)state;
	peer_send(&p, add(DROP_IP, false));
	p.c->role = OFPCR_ROLE_SLAVE;
	peer_send(&p, "04 21 0010 00000001 00000001 0004 0003");
	EXPECT(&p, "04 01 001c 00000001 0001 000a 04 21 0010 00000001 00000001 0004 0003");
	peer_send(&p, "04 04 0018 00000001 4f4e4600 000008fc 00000001 0004 0003");
	EXPECT(&p, "04 01 0024 00000001 0001 000a"
		   "04 04 0018 00000001 4f4e4600 000008fc 00000001 0004 0003");
	assert_int_equal(t->o->n_flow_mods, 0);
	peer_end(&p);
	bench_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_at_the_commit),
		cmocka_unit_test(discarded),
		cmocka_unit_test(one_fails),
		cmocka_unit_test(it_fails_late),
		cmocka_unit_test(every_refusal),
		cmocka_unit_test(flags_and_properties),
		cmocka_unit_test(malformed_inside),
		cmocka_unit_test(the_rest_is_committed),
		cmocka_unit_test(packets_leave_behind_it),
		cmocka_unit_test(packets_are_few),
		cmocka_unit_test(port_mods_where_nothing_is_atomic),
		cmocka_unit_test(left_alone),
		cmocka_unit_test(bounds),
		cmocka_unit_test(large_ones_go_one_at_a_time),
		cmocka_unit_test(large_ones_end_with_the_server),
		cmocka_unit_test(slaves_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
