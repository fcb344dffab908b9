/* SPDX-License-Identifier: Apache-2.0 */
/* Methods: their text, listeners and their files, dialling, and how many may come. */
#include "tests/unit/openflow-fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "ctl/method.h"
#include "ctl/of-method.h"
#include "ctl/openflow.h"

static void methods_are_read(void **state)
{
	static const struct {
		const char *text, *address; /* NULL: refused */
		uint16_t port;
		bool passive;
	} cases[] = {
		{"tcp:10.1.2.3", "10.1.2.3", 6653, false},
		{"tcp:10.1.2.3:6633", "10.1.2.3", 6633, false},
		{"tcp:[2001:db8::1]:6633", "2001:db8::1", 6633, false},
		{"tcp:[2001:db8::1]", "2001:db8::1", 6653, false},
		{"tcp:2001:db8::1", "2001:db8::1", 6653, false},
		{"ptcp:", "127.0.0.1", 6653, true},
		{"ptcp:6633", "127.0.0.1", 6633, true},
		{"ptcp:6633:0.0.0.0", "0.0.0.0", 6633, true},
		{"ptcp::192.0.2.1", "192.0.2.1", 6653, true},
		{"ptcp:6633:[::]", "::", 6633, true},
		{"tcp:", NULL, 0, 0},
		{"tcp:host", NULL, 0, 0},
		{"tcp:10.1.2.3:0", NULL, 0, 0},
		{"tcp:10.1.2.3:65536", NULL, 0, 0},
		{"tcp:10.1.2.3:x", NULL, 0, 0},
		{"tcp:[2001:db8::1", NULL, 0, 0},
		{"tcp:[2001:db8::1]6633", NULL, 0, 0},
		{"ptcp:x", NULL, 0, 0},
		{"ptcp:1:2:3", NULL, 0, 0},
		{"ptcp:1:127.0.0.1:2", NULL, 0, 0},
		{"ssl:10.1.2.3", "10.1.2.3", 6653, false},
		{"ssl:[2001:db8::1]:6633", "2001:db8::1", 6633, false},
		{"pssl:", "0.0.0.0", 6653, true},
		{"pssl:6633:127.0.0.1", "127.0.0.1", 6633, true},
		{"ssl:", NULL, 0, 0},
		{"ssl:controller.lab", NULL, 0, 0},
		{"pssl:x", NULL, 0, 0},
		{"sssl:10.1.2.3", NULL, 0, 0},
		{"unix:", NULL, 0, 0},
		{"", NULL, 0, 0},
		{"udp:10.1.2.3", NULL, 0, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct refusal r = {0};
		struct method m;
		char text[64] = "";
		uint16_t port;

		assert_int_equal(!method_parse(cases[i].text, &m, &r), cases[i].address != NULL);
		if (!cases[i].address) {
			assert_true(r.code != REFUSED_NOTHING && r.text[0]);
			continue;
		}
		port = m.address.any.sa_family == AF_INET
			       ? ((struct sockaddr_in *)&m.address)->sin_port
			       : ((struct sockaddr_in6 *)&m.address)->sin6_port;
		inet_ntop(m.address.any.sa_family,
			  m.address.any.sa_family == AF_INET
				  ? (void *)&((struct sockaddr_in *)&m.address)->sin_addr
				  : (void *)&((struct sockaddr_in6 *)&m.address)->sin6_addr,
			  text, sizeof text);
		assert_string_equal(text, cases[i].address);
		assert_int_equal(be16toh(port), cases[i].port);
		assert_int_equal(m.passive, cases[i].passive);
		assert_int_equal(m.tls, strstr(cases[i].text, "ssl:") != NULL);
		assert_false(m.local);
	}
}

/* Plain TCP that strangers reach is asked for by name; a certificate's name needs certificates. */
static void options_say_what_is_meant(void **state)
{
	static const struct {
		const char *method, *options;
		enum refusal_code code; /* REFUSED_NOTHING: accepted */
	} cases[] = {
		{"ptcp:6633", "", REFUSED_NOTHING},
		{"ptcp:6633:127.8.9.1", "", REFUSED_NOTHING},
		{"ptcp:6633:[::1]", "", REFUSED_NOTHING},
		{"ptcp:6633:[::ffff:127.0.0.1]", "", REFUSED_NOTHING},
		{"punix:/tmp/s", "", REFUSED_NOTHING},
		{"pssl:6633", "", REFUSED_NOTHING},
		{"tcp:192.0.2.1", "", REFUSED_NOTHING},
		{"ptcp:6633:0.0.0.0", "", REFUSED_NEEDS_FORCE},
		{"ptcp:6633:192.0.2.1", "", REFUSED_NEEDS_FORCE},
		{"ptcp:6633:192.0.2.1", "plain=no", REFUSED_NEEDS_FORCE},
		{"ptcp:6633:[::]", "", REFUSED_NEEDS_FORCE},
		{"ptcp:6633:[::ffff:192.0.2.1]", "", REFUSED_NEEDS_FORCE},
		{"ptcp:6633:0.0.0.0", "plain=yes", REFUSED_NOTHING},
		{"ptcp:6633:0.0.0.0", "plane=yes", REFUSED_UNKNOWN_WORD},
		{"ssl:192.0.2.1", "peer=controller", REFUSED_NOTHING},
		{"ssl:192.0.2.1", "peer=", REFUSED_BAD_VALUE},
		{"tcp:192.0.2.1", "peer=controller", REFUSED_BAD_VALUE},
		{"tcp:192.0.2.1", "aux=8", REFUSED_NOTHING},
		{"tcp:192.0.2.1", "aux=9", REFUSED_BAD_VALUE},
		{"ptcp:6653", "aux=0", REFUSED_NOTHING},
		{"ptcp:6653", "aux=1", REFUSED_BAD_VALUE},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct refusal r = {0};
		struct method m;
		const char *word = cases[i].options;
		int error;

		assert_int_equal(method_parse(cases[i].method, &m, &r), 0);
		error = method_options(&m, *word != 0, &word, &r);
		if (r.code != cases[i].code || !error != !r.code)
			fail_msg("%s %s: %s", cases[i].method, word, refusal_name(r.code));
	}
}

/* The pause doubles up to a bound, and chance makes it shorter, never by more than a quarter. */
static void pauses_grow_and_differ(void **state)
{
	static const unsigned most[] = {1000, 1000, 2000, 4000, 8000, 8000, 8000};

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(most); n++) {
		assert_int_equal(openflow_pause_ms(n, 0), most[n]);
		assert_in_range(openflow_pause_ms(n, UINT32_MAX), most[n] * 3 / 4,
				most[n] * 3 / 4 + 1);
		assert_in_range(openflow_pause_ms(n, 1u << 31), most[n] * 7 / 8, most[n] * 7 / 8);
	}
	assert_int_equal(openflow_pause_ms(1u << 31, 0), 8000);
}

struct place {
	struct bench *t;
	struct openflow *of;
	char dir[32], path[64], passive[80], active[80];
};

static struct place place_new(void)
{
	struct place pl = {.t = bench_new(), .dir = "/tmp/sluice-test-XXXXXX"};

	pl.of = openflow_create(pl.t->base, pl.t->o);
	assert_non_null(mkdtemp(pl.dir));
	snprintf(pl.path, sizeof pl.path, "%s/s", pl.dir);
	snprintf(pl.passive, sizeof pl.passive, "punix:%s", pl.path);
	snprintf(pl.active, sizeof pl.active, "unix:%s", pl.path);
	return pl;
}

static void place_end(struct place *pl)
{
	openflow_destroy(pl->of);
	unlink(pl->path);
	assert_int_equal(rmdir(pl->dir), 0);
	bench_end(pl->t);
}

/* A descriptor connected to the path, or -1. */
static int dial_path(const struct place *pl)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memcpy(un.sun_path, pl->path, strlen(pl->path));
	if (connect(fd, (void *)&un, sizeof un)) {
		close(fd);
		return -1;
	}
	return fd;
}

struct seen {
	unsigned n, n_connected;
	uint64_t n_turned_away, n_accept_failed;
	char last_error[160];
};

static void see(void *arg, const struct openflow_peer *p)
{
	struct seen *s = arg;

	s->n++;
	s->n_connected += p->connected;
	s->n_turned_away += p->n_turned_away;
	s->n_accept_failed += p->n_accept_failed;
	if (p->last_error)
		snprintf(s->last_error, sizeof s->last_error, "%s", p->last_error);
}

static struct seen peers(const struct place *pl)
{
	struct seen s = {0};

	openflow_peers(pl->of, see, &s);
	return s;
}

static void listeners_and_their_files(void **state)
{
	struct place pl = place_new();
	struct refusal r = {0};
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(openflow_add(pl.of, pl.passive, "", &r), 0);
	assert_int_equal(stat(pl.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_not_equal(openflow_add(pl.of, pl.passive, "", &r), 0);
	assert_int_equal(r.code, REFUSED_EXISTS);
	fd = dial_path(&pl);
	assert_true(fd >= 0);
	turn(pl.t);
	assert_int_equal(write(fd, "\4\0\0\10\0\0\0\1", 8), 8);
	turn(pl.t);
	assert_int_equal(peers(&pl).n_connected, 1);
	/* Another server may not take a path that is served, and a file is no socket. */
	struct openflow *other = openflow_create(pl.t->base, pl.t->o);
	assert_int_not_equal(openflow_add(other, pl.passive, "", &r), 0);
	assert_int_equal(r.code, REFUSED_OCCUPIED);
	/* Gone with its method, and so are its connections. */
	assert_int_equal(openflow_del(pl.of, pl.passive, &r), 0);
	assert_int_not_equal(stat(pl.path, &st), 0);
	assert_int_equal(peers(&pl).n, 0);
	assert_int_not_equal(openflow_del(pl.of, pl.passive, &r), 0);
	assert_int_equal(r.code, REFUSED_NOT_FOUND);
	close(fd);
	fd = open(pl.path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_not_equal(openflow_add(pl.of, pl.passive, "", &r), 0);
	assert_int_equal(r.code, REFUSED_OCCUPIED);
	assert_int_equal(stat(pl.path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	unlink(pl.path);
	/* A socket that nobody serves is replaced. */
	struct method m;
	assert_int_equal(method_parse(pl.passive, &m, &r), 0);
	fd = method_bind(&m, &r);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(stat(pl.path, &st), 0);
	assert_int_equal(openflow_add(other, pl.passive, "", &r), 0);
	openflow_destroy(other);
	place_end(&pl);
}

/* What a peer asked for last is done after its connection has ended, and knows the server still. */
static void what_waits_is_told_before_the_end(void **state)
{
	static const char octets[] =
		"04 00 0008 00000001 04 0e 0038 00000008 0000000000000000 0000000000000000"
		"00 00 0000 0000 0005 00000001 ffffffff ffffffff 0000 0000 0001 0004 00000000";
	struct place pl = place_new();
	uint8_t said[128];
	int fd;

	(void)state;
	assert_int_equal(openflow_add(pl.of, pl.passive, "", NULL), 0);
	assert_int_equal(packet_hold(&pl.of->server.buffers, 100, 1, "fourteen octets", 14), 1);
	fd = dial_path(&pl);
	turn(pl.t);
	pl.t->o->defer = true;
	assert_int_equal(write(fd, said, octets_of(octets, said, sizeof said)), 64);
	turn(pl.t);
	assert_non_null(pl.t->o->waiting);
	openflow_destroy(pl.of);
	stub_done(pl.t->o, 0);
	assert_int_equal(pl.t->o->n_packet_outs, 1);
	pl.of = NULL;
	close(fd);
	place_end(&pl);
}

static void dialling(void **state)
{
	struct place pl = place_new();
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct refusal r = {0};
	struct seen s;
	uint8_t octets[64];
	int listener, fd;

	(void)state;
	/* Nobody there: the reason is kept, another try is set. */
	assert_int_equal(openflow_add(pl.of, pl.active, "", &r), 0);
	turn(pl.t);
	s = peers(&pl);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.n_connected, 0);
	assert_string_equal(s.last_error, strerrordesc_np(ENOENT));
	assert_int_equal(openflow_del(pl.of, pl.active, &r), 0);

	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	memcpy(un.sun_path, pl.path, strlen(pl.path));
	assert_int_equal(bind(listener, (void *)&un, sizeof un), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(openflow_add(pl.of, pl.active, "", &r), 0);
	turn(pl.t);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	turn(pl.t);
	assert_int_equal(recv(fd, octets, sizeof octets, 0), 16);
	assert_int_equal(write(fd, "\4\0\0\10\0\0\0\1", 8), 8);
	turn(pl.t);
	s = peers(&pl);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.n_connected, 1);
	close(fd);
	turn(pl.t);
	s = peers(&pl);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.n_connected, 0);
	close(listener);
	place_end(&pl);
}

/* At the bound the oldest without a hello gives way; those who said hello stay. */
static void half_open_connections_give_way(void **state)
{
	enum { GOOD = 2, MORE = 300 };
	struct place pl = place_new();
	struct refusal r = {0};
	int good[GOOD], fd[MORE];
	struct rlimit limit = {4096, 4096};

	(void)state;
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(openflow_add(pl.of, pl.passive, "", &r), 0);
	for (unsigned i = 0; i < GOOD; i++) {
		good[i] = dial_path(&pl);
		assert_int_equal(write(good[i], "\4\0\0\10\0\0\0\1", 8), 8);
		turn(pl.t);
	}
	for (unsigned i = 0; i < MORE; i++) {
		fd[i] = dial_path(&pl);
		assert_true(fd[i] >= 0);
		turn(pl.t);
	}
	/* 256 connections, and the method itself. */
	assert_int_equal(peers(&pl).n, 256 + 1);
	assert_int_equal(peers(&pl).n_connected, GOOD);
	assert_int_equal(peers(&pl).n_turned_away, GOOD + MORE - 256);
	for (unsigned i = 0; i < GOOD; i++)
		close(good[i]);
	for (unsigned i = 0; i < MORE; i++)
		close(fd[i]);
	turn(pl.t);
	assert_int_equal(peers(&pl).n, 1);
	place_end(&pl);
}

/* Of a crowd some are let in and looked at before the next. */
static void a_crowd_comes_in_groups(void **state)
{
	enum { CROWD = 100, GROUP = 16 };
	struct place pl = place_new();
	struct refusal r = {0};
	int fd[CROWD];

	(void)state;
	assert_int_equal(openflow_add(pl.of, pl.passive, "", &r), 0);
	for (unsigned i = 0; i < CROWD; i++) {
		fd[i] = dial_path(&pl);
		assert_int_equal(write(fd[i], "\4\0\0\10\0\0\0\1", 8), 8);
	}
	event_base_loop(pl.t->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(peers(&pl).n, GROUP + 1);
	event_base_loop(pl.t->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_int_equal(peers(&pl).n_connected, GROUP);
	for (unsigned i = 0; i < CROWD / GROUP; i++)
		turn(pl.t);
	assert_int_equal(peers(&pl).n_connected, CROWD);
	for (unsigned i = 0; i < CROWD; i++)
		close(fd[i]);
	turn(pl.t);
	place_end(&pl);
}

/* Out of descriptors the listener rests; without that, turn() would never end. */
static void descriptors_run_out(void **state)
{
	struct place pl = place_new();
	struct refusal r = {0};
	struct rlimit limit, none;
	int fd;

	(void)state;
	assert_int_equal(openflow_add(pl.of, pl.passive, "", &r), 0);
	fd = dial_path(&pl);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turn(pl.t);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	turn(pl.t);
	assert_int_equal(peers(&pl).n, 1);
	assert_int_equal(peers(&pl).n_accept_failed, 1);
	assert_non_null(strstr(peers(&pl).last_error, "cannot accept"));
	close(fd);
	place_end(&pl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods_are_read),
		cmocka_unit_test(options_say_what_is_meant),
		cmocka_unit_test(pauses_grow_and_differ),
		cmocka_unit_test(listeners_and_their_files),
		cmocka_unit_test(what_waits_is_told_before_the_end),
		cmocka_unit_test(dialling),
		cmocka_unit_test(half_open_connections_give_way),
		cmocka_unit_test(a_crowd_comes_in_groups),
		cmocka_unit_test(descriptors_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
