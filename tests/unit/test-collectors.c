/* SPDX-License-Identifier: Apache-2.0 */
/* Where samples go: datagrams of at most 1,400 octets to UDP and to the local socket, flushed when
 * full or old, and none of it in anybody's way. */
#include "tests/unit/switch.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/collectors.h"
#include "ctl/sample-socket.h"
#include "datapath/sample.h"
#include "lib/sflow.h"
#include "ofproto/state.h"

static struct event_base *base;
static struct ofproto *o;
static struct collectors *cs;
static char dir[] = "/tmp/sl-collectors-XXXXXX", path[64];
static char kept[COLLECTOR_TEXT];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir + sizeof dir - 7, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/samples.sock", dir);
	base = event_base_new();
	o = switch_up(NULL);
	cs = collectors_create(base, o, path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	collectors_destroy(cs);
	ofproto_destroy(o);
	event_base_free(base);
	unlink(path);
	return rmdir(dir);
}

static void give(uint8_t flags)
{
	static union {
		struct sample_record s;
		uint8_t room[sizeof(struct sample_record) + 64];
	} r;

	r.s = (struct sample_record){.every = 64, .pool = 640, .in_port = 1, .flags = flags};
	r.s.size = 34;
	r.s.length = 100;
	o->listeners->sample(o->listeners, 0, &r.s);
}

/* A UDP socket of the loopback, and its address as a collector. */
static int udp(int family, char text[64])
{
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_addr = {htobe32(INADDR_LOOPBACK)}};
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t size = family == AF_INET ? sizeof a4 : sizeof a6;
	struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6;

	assert_int_equal(bind(fd, a, size), 0);
	assert_int_equal(getsockname(fd, a, &size), 0);
	if (family == AF_INET)
		snprintf(text, 64, "127.0.0.1:%u", be16toh(a4.sin_port));
	else
		snprintf(text, 64, "[::1]:%u", be16toh(a6.sin6_port));
	return fd;
}

static int local(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static uint8_t datagram[2048];

/* The next datagram's size; 0: none is there. */
static size_t hear(int fd)
{
	ssize_t n = recv(fd, datagram, sizeof datagram, 0);

	return n < 0 ? 0 : (size_t)n;
}

static void add(const char *text)
{
	struct refusal r = {0};

	if (collectors_add(cs, text, kept, &r))
		fail_msg("%s: %s", text, r.text);
}

static struct collectors_stats stats(void)
{
	struct collectors_stats s;

	collectors_stats(cs, &s);
	return s;
}

static void full_datagrams(void **state)
{
	uint32_t n = 0, seq = 0;
	char text[64];
	int fd = udp(AF_INET, text);

	(void)state;
	add(text);
	for (unsigned i = 0; i < 20; i++)
		give(i == 3 ? SAMPLE_BY_RULE : 0);
	for (size_t size; (size = hear(fd));) {
		assert_true(size > 1000 && size <= SFLOW_DATAGRAM_MAX);
		assert_int_equal(get_be32(datagram), 5);
		assert_int_equal(get_be32(datagram + 8), INADDR_LOOPBACK);
		assert_int_equal(get_be32(datagram + 16), ++seq);
		if (!n) {
			/* The first sample: the worker's first, of its pool. */
			assert_int_equal(get_be32(datagram + 28 + 8), 1);
			assert_int_equal(get_be32(datagram + 28 + 12), 0x02000001);
			assert_int_equal(get_be32(datagram + 28 + 20), 640);
		}
		n += get_be32(datagram + 24);
	}
	assert_true(n > 12 && n < 20); /* the rest waits to be old or full */
	collectors_destroy(cs);
	assert_true(hear(fd));
	assert_int_equal(n + get_be32(datagram + 24), 20);
	cs = collectors_create(base, o, path);
	close(fd);
}

static void rules_are_a_source_of_their_own(void **state)
{
	char text[64];
	int fd = udp(AF_INET, text);

	(void)state;
	add(text);
	give(SAMPLE_BY_RULE);
	give(SAMPLE_BY_RULE);
	event_base_loop(base, EVLOOP_ONCE); /* the timer: FLUSH_MS */
	assert_true(hear(fd));
	assert_int_equal(get_be32(datagram + 24), 2);
	assert_int_equal(get_be32(datagram + 28 + 12), 0x02010001);
	assert_int_equal(get_be32(datagram + 28 + 20), 64); /* its pool is what it stands for */
	close(fd);
}

static void nobody_there(void **state)
{
	(void)state;
	give(0);
	assert_int_equal(stats().unheard, 1);
	assert_int_equal(stats().samples, 0);
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
}

static void the_watcher_comes_and_goes(void **state)
{
	int fd = local();

	(void)state;
	give(0);
	assert_true(stats().watched);
	event_base_loop(base, EVLOOP_ONCE);
	assert_true(hear(fd));
	assert_int_equal(get_be32(datagram + 8), INADDR_LOOPBACK);
	close(fd);
	unlink(path);
	give(0); /* it has gone: this one is lost, the next is not encoded */
	event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(stats().local_lost, 1);
	give(0);
	assert_int_equal(stats().unheard, 1);
	fd = local(); /* it is back: looked for once a second */
	give(0);
	assert_int_equal(stats().unheard, 2);
	ofproto_set_now(o, ofproto_now(o) + NSEC_PER_SEC);
	give(0);
	event_base_loop(base, EVLOOP_ONCE);
	assert_true(hear(fd));
	assert_int_equal(stats().local_sent, 2);
	close(fd);
}

/* It does not read: what the kernel does not take waits, what does not fit is lost; all that it was
 * given comes in order when it reads. */
static void a_slow_watcher(void **state)
{
	enum { MANY = 2 * SAMPLE_SOCKET_WAITING };
	struct collectors_stats before;
	uint32_t last = 0, n = 0;
	int fd = local();

	(void)state;
	while (stats().datagrams < MANY)
		give(0);
	before = stats();
	assert_true(before.local_lost > 0);
	assert_true(before.local_sent < SAMPLE_SOCKET_WAITING);
	for (; n < 3; n++) {
		assert_true(hear(fd));
		assert_int_equal(get_be32(datagram + 16), ++last);
	}
	while (stats().datagrams <= MANY) /* one more, while there is room: not before its turn */
		give(0);
	for (unsigned idle = 0; idle < 2;) {
		idle++;
		while (hear(fd)) {
			assert_true(get_be32(datagram + 16) > last);
			last = get_be32(datagram + 16);
			n++;
			idle = 0;
		}
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_true(n >= MANY - before.local_lost);
	assert_true(n >= SAMPLE_SOCKET_WAITING);
	close(fd);
}

static void refused(const char *text, enum refusal_code code)
{
	struct refusal r = {0};

	assert_int_not_equal(collectors_add(cs, text, kept, &r), 0);
	assert_int_equal(r.code, code);
}

static void agents(void **state)
{
	char first[64], second[64], with[128];
	int fd6 = udp(AF_INET6, first), fd4 = udp(AF_INET, second);
	struct refusal r = {0};

	(void)state;
	add(first);
	snprintf(with, sizeof with, "%s agent=192.0.2.9", second);
	add(with);
	assert_string_equal(kept, with);
	assert_true(collectors_there(cs, with));
	assert_false(collectors_there(cs, second));
	refused(second, REFUSED_EXISTS);
	refused("", REFUSED_SYNTAX);
	refused("192.0.2.1:0", REFUSED_BAD_VALUE);
	refused("192.0.2.1 agent=no", REFUSED_BAD_VALUE);
	refused("192.0.2.1 age=192.0.2.2", REFUSED_UNKNOWN_WORD);
	give(0);
	event_base_loop(base, EVLOOP_ONCE);
	assert_true(hear(fd6)); /* the first collector's route names the switch */
	assert_int_equal(get_be32(datagram + 4), 2);
	assert_memory_equal(datagram + 8, &in6addr_loopback, 16);
	assert_true(hear(fd4));
	assert_int_equal(get_be32(datagram + 4), 1);
	assert_int_equal(get_be32(datagram + 8), 0xc0000209);
	assert_int_equal(collectors_del(cs, second, kept, &r), 0);
	assert_string_equal(kept, with);
	assert_int_not_equal(collectors_del(cs, second, kept, &r), 0);
	assert_int_equal(r.code, REFUSED_NOT_FOUND);
	close(fd4);
	close(fd6);
}

/* With collectors there are counters of every port, and a bound on how many collectors. */
static void counter_samples(void **state)
{
	char text[64];
	int fd = udp(AF_INET, text);
	struct refusal r = {0};

	(void)state;
	switch_port(o, "p type=dummy ofport=7");
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
	add(text);
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 1);
	collectors_put_counters(cs);
	collectors_put_counters(cs);
	event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(hear(fd), 28 + 2 * 116);
	assert_int_equal(get_be32(datagram + 28), SFLOW_COUNTER_SAMPLE);
	assert_int_equal(get_be32(datagram + 28 + 12), 7);
	for (unsigned i = 1; i < COLLECTORS_MAX; i++) {
		char other[32];

		snprintf(other, sizeof other, "127.0.0.2:%u", 7000 + i);
		add(other);
	}
	refused("127.0.0.3", REFUSED_LIMIT);
	for (unsigned i = 1; i < COLLECTORS_MAX; i++) {
		char other[32];

		snprintf(other, sizeof other, "127.0.0.2:%u", 7000 + i);
		assert_int_equal(collectors_del(cs, other, kept, &r), 0);
	}
	assert_int_equal(collectors_del(cs, text, kept, &r), 0);
	assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(full_datagrams, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rules_are_a_source_of_their_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_watcher_comes_and_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_slow_watcher, set_up, tear_down),
		cmocka_unit_test_setup_teardown(agents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(counter_samples, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
