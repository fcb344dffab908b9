/* SPDX-License-Identifier: Apache-2.0 */
/* Dialling: when again, for how long, and what a switch without the controller that it dials does.
 */
#include "tests/unit/openflow-fixture.h"

#include <ftw.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "ctl/lab-ca.h"
#include "ctl/of-method.h"
#include "ctl/openflow.h"

/* A path that a controller may listen at, and the one method that dials it. */
struct place {
	struct bench *t;
	struct openflow *of;
	struct of_method *m;
	struct sockaddr_un un;
	char dir[32];
};

static struct place place_new(void)
{
	struct place pl = {.t = bench_new(), .un.sun_family = AF_UNIX};
	struct refusal r;
	char method[80];

	strcpy(pl.dir, "/tmp/sluice-dial-XXXXXX");
	assert_non_null(mkdtemp(pl.dir));
	snprintf(pl.un.sun_path, sizeof pl.un.sun_path, "%s/s", pl.dir);
	snprintf(method, sizeof method, "unix:%s/s", pl.dir);
	pl.of = openflow_create(pl.t->base, pl.t->o);
	assert_int_equal(openflow_add(pl.of, method, "", &r), 0);
	pl.m = pl.of->methods;
	return pl;
}

static int place_listen(struct place *pl)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	unlink(pl->un.sun_path);
	assert_int_equal(bind(fd, (void *)&pl->un, sizeof pl->un), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* With certificates of a laboratory. */
static void tls_on(struct place *pl)
{
	char lab[48], key[80], cert[80], ca[80];
	const struct tls_files files = {key, cert, ca, NULL};
	const struct lab_machine machine = {lab, "switch", NULL, 1};
	struct refusal r;

	snprintf(lab, sizeof lab, "%s/lab", pl->dir);
	snprintf(key, sizeof key, "%s/switch/key.pem", lab);
	snprintf(cert, sizeof cert, "%s/switch/cert.pem", lab);
	snprintf(ca, sizeof ca, "%s/switch/ca.pem", lab);
	assert_int_equal(lab_ca_make(lab, 1, &r), 0);
	assert_int_equal(lab_machine_make(&machine, &r), 0);
	assert_int_equal(tls_set(pl->of->tls, &files, &r), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void place_end(struct place *pl)
{
	openflow_destroy(pl->of);
	assert_int_equal(nftw(pl->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	bench_end(pl->t);
}

static uint64_t now_ms(void)
{
	struct timeval tv;

	gettimeofday(&tv, NULL);
	return (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000;
}

/* A timer's time has come. */
static void fire(struct place *pl, struct event *e)
{
	event_active(e, EV_TIMEOUT, 1);
	turn(pl->t);
}

/* Another try, which fails; it rests from `least` to `most` ms then.  However slow the machine: the
 * pause began between the two looks at the clock. */
static void fails_and_rests(struct place *pl, unsigned least, unsigned most)
{
	uint64_t before = now_ms(), due;
	struct timeval tv;

	fire(pl, pl->m->again);
	assert_true(event_pending(pl->m->again, EV_TIMEOUT, &tv));
	due = (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000;
	assert_in_range(due, before + least - 2, now_ms() + most + 2);
}

static int controller_accepts(struct place *pl, int listener)
{
	int fd;

	fire(pl, pl->m->again);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	turn(pl->t);
	return fd;
}

static void pauses_double_until_there_was_a_hello(void **state)
{
	struct place pl = place_new();
	uint8_t octets[64];
	int listener, fd;

	(void)state;
	turn(pl.t); /* the first try */
	assert_int_equal(pl.m->n_failures, 1);
	fails_and_rests(&pl, 1500, 2000);
	fails_and_rests(&pl, 3000, 4000);
	fails_and_rests(&pl, 6000, 8000);
	fails_and_rests(&pl, 6000, 8000);

	/* One that hangs up without a word is no success. */
	listener = place_listen(&pl);
	fd = controller_accepts(&pl, listener);
	assert_int_equal(recv(fd, octets, sizeof octets, 0), 16);
	close(fd);
	turn(pl.t);
	assert_string_equal(pl.m->last_error, "it hung up before any hello");
	assert_int_equal(pl.m->n_failures, 6);

	/* One that says hello is. */
	fd = controller_accepts(&pl, listener);
	assert_int_equal(write(fd, "\4\0\0\10\0\0\0\1", 8), 8);
	turn(pl.t);
	assert_int_equal(pl.m->conn->state, OFCONN_READY);
	close(fd);
	turn(pl.t);
	assert_int_equal(pl.m->n_failures, 1);
	close(listener);
	place_end(&pl);
}

/* Who takes the connection and says nothing is given up: here the handshake of TLS has no end. */
static void dialling_has_a_deadline(void **state)
{
	struct place pl = place_new();
	int listener = place_listen(&pl), fd;

	(void)state;
	pl.m->method.tls = true; /* over the same socket */
	tls_on(&pl);
	fd = controller_accepts(&pl, listener);
	assert_non_null(pl.m->dialling);
	assert_true(event_pending(pl.m->deadline, EV_TIMEOUT, NULL));
	fire(&pl, pl.m->deadline);
	assert_string_equal(pl.m->last_error, "no answer");
	assert_null(pl.m->dialling);
	assert_false(event_pending(pl.m->deadline, EV_TIMEOUT, NULL));
	assert_true(event_pending(pl.m->again, EV_TIMEOUT, NULL));
	close(fd);
	close(listener);
	place_end(&pl);
}

/* With fail-after=0: alone as soon as nobody is there, and no more once hellos are exchanged. */
static void a_switch_is_alone_without_the_one_it_dials(void **state)
{
	struct place pl = place_new();
	char method[80];
	struct refusal r;
	int listener, fd;

	(void)state;
	assert_false(pl.t->o->standalone);
	turn(pl.t);
	assert_true(pl.t->o->standalone);
	listener = place_listen(&pl);
	fd = controller_accepts(&pl, listener);
	assert_true(pl.t->o->standalone); /* it is connected, but has said nothing */
	assert_int_equal(write(fd, "\4\0\0\10\0\0\0\1", 8), 8);
	turn(pl.t);
	assert_false(pl.t->o->standalone);
	close(fd);
	turn(pl.t);
	assert_true(pl.t->o->standalone);
	/* The second hand looks, too. */
	assert_true(event_pending(pl.of->tick, EV_TIMEOUT, NULL));
	pl.t->o->settings.fail_secure = true;
	fire(&pl, pl.of->tick);
	assert_false(pl.t->o->standalone);
	pl.t->o->settings.fail_secure = false;
	fire(&pl, pl.of->tick);
	assert_true(pl.t->o->standalone);
	assert_int_equal(openflow_del(pl.of, pl.m->text, &r), 0);
	assert_false(pl.t->o->standalone);
	close(listener);
	/* Who listens misses nobody. */
	snprintf(method, sizeof method, "punix:%s/s", pl.dir);
	unlink(pl.un.sun_path);
	assert_int_equal(openflow_add(pl.of, method, "", &r), 0);
	fire(&pl, pl.of->tick);
	assert_false(pl.t->o->standalone);
	place_end(&pl);
}

/* The switch says hello, and gets one. */
static int says_hello(struct place *pl, int listener)
{
	uint8_t octets[64];
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	assert_true(fd >= 0);
	turn(pl->t);
	assert_int_equal(recv(fd, octets, sizeof octets, 0), 16);
	assert_int_equal(write(fd, "\4\0\0\10\0\0\0\1", 8), 8);
	turn(pl->t);
	return fd;
}

/* What came, at most so much of it. */
static ssize_t heard(struct place *pl, int fd, uint8_t *octets, size_t room)
{
	turn(pl->t);
	return recv(fd, octets, room, 0);
}

static void ask(struct place *pl, int fd, const char *hex, const char *want)
{
	uint8_t octets[256], wanted[256];
	size_t size = octets_of(hex, octets, sizeof octets);

	assert_int_equal(write(fd, octets, size), size);
	assert_int_equal(heard(pl, fd, octets, sizeof octets),
			 octets_of(want, wanted, sizeof wanted));
	assert_memory_equal(octets, wanted, octets_of(want, wanted, sizeof wanted));
}

static struct place place_with_auxiliaries(int *listener, int fd[3])
{
	struct place pl = place_new();
	struct refusal r;
	char method[80];

	snprintf(method, sizeof method, "%s", pl.m->text);
	assert_int_equal(openflow_del(pl.of, method, &r), 0);
	*listener = place_listen(&pl);
	assert_int_equal(openflow_add(pl.of, method, "aux=2", &r), 0);
	pl.m = pl.of->methods;
	turn(pl.t);
	turn(pl.t);
	assert_null(pl.m->aux[0]->conn); /* not before the main one is there */
	assert_null(pl.m->aux[0]->dialling);
	for (unsigned i = 0; i < 3; i++)
		fd[i] = says_hello(&pl, *listener);
	assert_int_equal(accept4(*listener, NULL, NULL, SOCK_NONBLOCK), -1);
	return pl;
}

static void auxiliaries_are_one_channel(void **state)
{
	int listener, fd[3];
	struct place pl = place_with_auxiliaries(&listener, fd);
	struct event_packet_in *pi = calloc(1, sizeof *pi + 16);
	unsigned n[3] = {0}, before;
	uint8_t octets[4096];

	(void)state;
	for (unsigned i = 0; i < 3; i++) { /* which of them it is, and a barrier of its own */
		ask(&pl, fd[i], "04 14 0008 00000007", "04 15 0008 00000007");
		assert_int_equal(write(fd[i], "\4\5\0\10\0\0\0\2", 8), 8);
		assert_int_equal(heard(&pl, fd[i], octets, sizeof octets), 32);
		assert_int_equal(octets[8 + 13], i);
	}
	/* The role, and what is heard, are the channel's. */
	ask(&pl, fd[1], "04 18 0018 00000001 00000003 00000000 0000000000000005",
	    "04 19 0018 00000001 00000003 00000000 0000000000000005");
	assert_int_equal(pl.m->conn->role, OFPCR_ROLE_SLAVE);
	ask(&pl, fd[2], "04 0f 0010 00000005 0000 00 00 00000007",
	    "04 01 001c 00000005 0001 000a 04 0f 0010 00000005 0000 00 00 00000007");
	ask(&pl, fd[0], "04 18 0018 00000001 00000002 00000000 0000000000000005",
	    "04 19 0018 00000001 00000002 00000000 0000000000000005");
	assert_int_equal(write(fd[2],
			       "\4\x1c\0\x20\0\0\0\1\0\0\0\7\0\0\0\0\0\0\0\7\0\0\0\7"
			       "\0\0\0\0\0\0\0\0",
			       32),
			 32);
	turn(pl.t);
	assert_true(pl.t->o->tell_invalid_ttl);
	/* Packet-ins go by the others, those of a flow by one; each once. */
	pi->total_len = pi->held = pi->max_len = 16;
	pi->reason = OFPR_ACTION;
	for (unsigned i = 0; i < 64; i++) {
		pi->key.du.tp_src = htobe16((uint16_t)i);
		before = n[2];
		for (unsigned k = 0; k < 2; k++) {
			pi->key.du.ip_ttl = (uint8_t)(k + 1);
			async_packet_in(&pl.of->server, pi, NULL);
			for (unsigned f = 0; f < 3; f++)
				n[f] += heard(&pl, fd[f], octets, sizeof octets) > 0;
		}
		assert_true(n[2] - before != 1);
	}
	assert_int_equal(n[0], 0);
	assert_int_equal(n[1] + n[2], 128);
	assert_true(n[1] && n[2]);
	/* Without them, by the main one. */
	close(fd[1]);
	close(fd[2]);
	turn(pl.t);
	async_packet_in(&pl.of->server, pi, NULL);
	assert_true(heard(&pl, fd[0], octets, sizeof octets) > 16);
	free(pi);
	close(fd[0]);
	close(listener);
	place_end(&pl);
}

static void auxiliaries_live_with_their_main(void **state)
{
	int listener, fd[3];
	struct place pl = place_with_auxiliaries(&listener, fd);
	uint8_t octets[64];
	struct refusal r;

	(void)state;
	/* One that ends is dialled again. */
	close(fd[2]);
	turn(pl.t);
	assert_null(pl.m->aux[1]->conn);
	assert_null(pl.m->conn->aux[1]);
	assert_true(event_pending(pl.m->aux[1]->again, EV_TIMEOUT, NULL));
	fire(&pl, pl.m->aux[1]->again);
	fd[2] = says_hello(&pl, listener);
	assert_ptr_equal(pl.m->conn->aux[1], pl.m->aux[1]->conn);
	/* With the main one all end, also who was about to come back. */
	close(fd[2]);
	turn(pl.t);
	close(fd[0]);
	turn(pl.t);
	assert_int_equal(recv(fd[1], octets, sizeof octets, 0), 0);
	assert_null(pl.m->aux[0]->conn);
	assert_int_equal(pl.of->server.n_conns, 0);
	for (unsigned i = 0; i < 2; i++)
		assert_false(event_pending(pl.m->aux[i]->again, EV_TIMEOUT, NULL));
	/* And with their method, whatever they do. */
	close(fd[1]);
	fire(&pl, pl.m->again);
	fd[0] = says_hello(&pl, listener);
	fd[1] = says_hello(&pl, listener);
	assert_int_equal(pl.of->server.n_conns, 3);
	assert_int_equal(openflow_del(pl.of, pl.m->text, &r), 0);
	assert_int_equal(pl.of->server.n_conns, 0);
	close(fd[0]);
	close(fd[1]);
	close(listener);
	place_end(&pl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_until_there_was_a_hello),
		cmocka_unit_test(dialling_has_a_deadline),
		cmocka_unit_test(a_switch_is_alone_without_the_one_it_dials),
		cmocka_unit_test(auxiliaries_are_one_channel),
		cmocka_unit_test(auxiliaries_live_with_their_main),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
