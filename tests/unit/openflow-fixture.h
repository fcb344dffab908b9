/* SPDX-License-Identifier: Apache-2.0 */
/* What the units of OpenFlow share: a connection over a socket pair, octets in and out as
 * hexadecimal with spaces anywhere.  Each unit includes it once. */
#ifndef SLUICE_TESTS_OPENFLOW_FIXTURE_H
#define SLUICE_TESTS_OPENFLOW_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "ctl/msg.h"
#include "tests/unit/stub-ofproto.h"

#define HELLO "04 00 0010 00000001 0001 0008 00000010"

struct bench {
	struct event_base *base;
	struct ofproto *o;
	struct ofserver server;
};

struct peer {
	struct bench *bench;
	struct ofconn *c;
	int fd;
};

static struct bench *bench_new(void)
{
	struct bench *t = calloc(1, sizeof *t);

	assert_non_null(t);
	signal(SIGPIPE, SIG_IGN);
	t->base = event_base_new();
	t->o = stub_create();
	t->server = (struct ofserver){.base = t->base, .ofproto = t->o};
	return t;
}

static bool somebody_rests(const struct bench *t)
{
	for (const struct ofconn *c = t->server.conns; c; c = c->next)
		if (turn_waits(&c->turn))
			return true;
	return false;
}

/* Lets the loop do what is ready, waiting only for who had so large a piece that he rests. */
static void turn(struct bench *t)
{
	do {
		for (unsigned i = 0; i < 8; i++)
			event_base_loop(t->base, EVLOOP_NONBLOCK);
	} while (somebody_rests(t) && !event_base_loop(t->base, EVLOOP_ONCE));
}

static void bench_end(struct bench *t)
{
	while (t->server.conns)
		ofconn_end(t->server.conns, "");
	commits_end(&t->server);
	turn(t);
	stub_destroy(t->o);
	assert_int_equal(t->server.n_conns, 0);
	assert_int_equal(t->server.dump_octets, 0);
	event_base_free(t->base);
	free(t);
}

static size_t octets_of(const char *hex, uint8_t *octets, size_t room)
{
	size_t n = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		assert_true(n < 2 * room && hex_digit(*hex) >= 0);
		octets[n / 2] =
			(uint8_t)(n % 2 ? octets[n / 2] | hex_digit(*hex) : hex_digit(*hex) << 4);
		n++;
	}
	assert_int_equal(n % 2, 0);
	return n / 2;
}

static void peer_write(struct peer *p, const void *octets, size_t size)
{
	assert_int_equal(write(p->fd, octets, size), size);
	turn(p->bench);
}

static void peer_send(struct peer *p, const char *hex)
{
	uint8_t octets[4096];

	peer_write(p, octets, octets_of(hex, octets, sizeof octets));
}

/* What has come, all of it; -1 after the end. */
static ssize_t peer_read(struct peer *p, uint8_t *octets, size_t room)
{
	size_t n = 0;
	ssize_t got;

	turn(p->bench);
	while (n < room && (got = recv(p->fd, octets + n, room - n, MSG_DONTWAIT)) != 0) {
		if (got < 0)
			return (ssize_t)n;
		n += (size_t)got;
	}
	return n ? (ssize_t)n : -1;
}

/* What has come is exactly this. */
#define EXPECT(P, HEX) expect_at(P, HEX, __LINE__)
static inline void expect_at(struct peer *p, const char *hex, int line)
{
	uint8_t octets[65536], want[8192];
	size_t size = octets_of(hex, want, sizeof want);
	ssize_t got = peer_read(p, octets, sizeof octets);

	if (got == (ssize_t)size && !memcmp(octets, want, size))
		return;
	fprintf(stderr, "line %d: %zd octets came instead of %zu:", line, got, size);
	for (ssize_t i = 0; i < got; i++)
		fprintf(stderr, "%s%02x", i % 4 ? "" : i % 32 ? " " : "\n\t", octets[i]);
	fprintf(stderr, "\n");
	fail();
}

/* The peer was told goodbye. */
static inline bool peer_ended(struct peer *p)
{
	uint8_t octets[4096];

	return peer_read(p, octets, sizeof octets) < 0;
}

/* Connected; our hello is on the wire. */
static struct peer peer_new(struct bench *t)
{
	struct peer p = {.bench = t};
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	p.fd = fd[1];
	p.c = ofconn_create(&t->server,
			    bufferevent_socket_new(t->base, fd[0], BEV_OPT_CLOSE_ON_FREE), "test",
			    "test");
	ofconn_ref(p.c);
	return p;
}

/* And hellos are exchanged. */
static inline struct peer peer_ready(struct bench *t)
{
	struct peer p = peer_new(t);

	peer_send(&p, HELLO);
	EXPECT(&p, HELLO);
	assert_int_equal(p.c->state, OFCONN_READY);
	return p;
}

static inline void peer_end(struct peer *p)
{
	close(p->fd);
	turn(p->bench);
	assert_int_equal(p->c->state, OFCONN_ENDED);
	assert_int_equal(p->c->n_waiters, 0); /* what was refused left none */
	ofconn_unref(p->c);
}

#endif
