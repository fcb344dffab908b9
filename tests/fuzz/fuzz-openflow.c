/* SPDX-License-Identifier: Apache-2.0 */
/* Octets of a stranger into an OpenFlow connection: the first one says how the rest is cut up, and
 * whether hellos were exchanged before.  Behind it is a whole ofproto, offline: what it accepts is
 * compiled, published and taken out again. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/msg.h"
#include "lib/log.h"
#include "ofproto/groups.h"
#include "ofproto/limiters.h"
#include "ofproto/ofproto.h"
#include "ofproto/sets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ofserver server;

static void server_init(void)
{
	static const char *const port[] = {"p1", "type=dummy"};
	const struct ofproto_config config = {.offline = true, .n_workers = 1};
	struct refusal r;

	signal(SIGPIPE, SIG_IGN);
	log_configure("err", NULL);
	server.base = event_base_new();
	server.ofproto = ofproto_create(&config, &r);
	if (!server.base || !server.ofproto ||
	    ofproto_add_port(server.ofproto, (struct words){2, port}, NULL, &r))
		abort();
}

/* Every input begins with the same tables. */
static void forget_rules(void)
{
	struct flow_mod fm;

	flow_mod_init(&fm);
	fm.command = OFPFC_DELETE;
	fm.table = OFPTT_ALL;
	if (ofproto_flow_mod(server.ofproto, &fm, NULL, NULL))
		abort();
	flow_mod_free(&fm);
	ofproto_sync(server.ofproto, NULL);
}

/* … and without groups. */
static void forget_groups(void)
{
	const struct group_mod gm = {.command = OFPGC_DELETE, .spec = {.id = OFPG_ALL}};

	if (ofproto_group_mod(server.ofproto, &gm, NULL, NULL))
		abort();
	ofproto_sync(server.ofproto, NULL);
}

struct noted_sets {
	struct set_visit visit;
	unsigned n;
	char name[SETS_MAX][SET_NAME];
};

static void note_set(struct set_visit *v, const struct set_state *s)
{
	struct noted_sets *names = container_of(v, struct noted_sets, visit);

	strcpy(names->name[names->n++], s->name);
}

/* … and without sets. */
static void forget_sets(void)
{
	static struct noted_sets names;

	names = (struct noted_sets){.visit.set = note_set};
	ofproto_sets(server.ofproto, &names.visit);
	while (names.n--)
		if (ofproto_del_set(server.ofproto, names.name[names.n], NULL, NULL))
			abort();
	ofproto_sync(server.ofproto, NULL);
}

struct first_limiter {
	struct limiter_visit visit;
	char name[LIMITER_NAME];
};

static int note_limiter(struct limiter_visit *v, const struct limiter *l)
{
	strcpy(container_of(v, struct first_limiter, visit)->name, l->name);
	return 1;
}

/* … and without limits by key. */
static void forget_limiters(void)
{
	for (unsigned kind = 0; kind < N_LIMITER_KINDS; kind++) {
		struct first_limiter first = {{note_limiter}, ""};

		for (;;) {
			first.name[0] = '\0';
			ofproto_limiters(server.ofproto, kind, &first.visit);
			if (!first.name[0])
				break;
			if (ofproto_del_limiter(server.ofproto, kind, first.name, NULL, NULL))
				abort();
		}
	}
	ofproto_sync(server.ofproto, NULL);
}

static void turn(void)
{
	for (unsigned i = 0; i < 4; i++) {
		event_base_loop(server.base, EVLOOP_NONBLOCK);
		ofproto_run(server.ofproto);
	}
}

static void say(int fd, const uint8_t *data, size_t size)
{
	uint8_t drain[65536];

	if (send(fd, data, size, MSG_DONTWAIT) < 0)
		return;
	turn();
	while (recv(fd, drain, sizeof drain, MSG_DONTWAIT) > 0)
		turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cut, n;
	int fd[2];

	if (!size)
		return 0;
	if (!server.base)
		server_init();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd))
		abort();
	ofconn_create(&server, bufferevent_socket_new(server.base, fd[0], BEV_OPT_CLOSE_ON_FREE),
		      "fuzz", "fuzz");
	if (data[0] & 1)
		say(fd[1], (const uint8_t *)"\4\0\0\10\0\0\0\1", 8);
	cut = data[0] & 2 ? (size_t)(data[0] >> 2) + 1 : SIZE_MAX;
	for (data++, size--; size; data += n, size -= n) {
		n = MIN(size, cut);
		say(fd[1], data, n);
	}
	close(fd[1]);
	turn();
	while (server.conns)
		ofconn_end(server.conns, "");
	forget_rules();
	forget_groups();
	forget_sets();
	forget_limiters();
	return 0;
}
