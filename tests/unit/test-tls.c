/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of the control connections: who is let in on either side, which files are taken, what a
 * reload does, and what a handshake may cost. */
#include "tests/unit/tls-bed.h"

#include <openssl/pem.h>
#include <sys/stat.h>

#include "ctl/handshake.h"

/* ---- Who comes -------------------------------------------------------------------------- */

static void who_comes_is_let_in_by_certificate(void **state)
{
	static const struct {
		struct client_is is;
		const char *why; /* NULL: let in */
	} cases[] = {
		{{"good", NULL, TLS1_3_VERSION}, NULL},
		{{"good", NULL, TLS1_2_VERSION}, NULL},
		{{"good", NULL, TLS1_1_VERSION}, "TLS: unsupported protocol"},
		{{"good", NULL, TLS1_VERSION}, "TLS: unsupported protocol"},
		{{NULL, NULL, TLS1_3_VERSION}, "TLS: peer did not return a certificate"},
		{{NULL, NULL, TLS1_2_VERSION}, "TLS: peer did not return a certificate"},
		{{"other/stranger", NULL, TLS1_3_VERSION},
		 "the peer's certificate: unable to get local issuer certificate"},
		{{"other/stranger", NULL, TLS1_2_VERSION},
		 "the peer's certificate: unable to get local issuer certificate"},
		{{"old", NULL, 0}, "the peer's certificate: certificate has expired"},
		{{"revoked", NULL, 0}, "the peer's certificate: certificate revoked"},
	};
	struct lab l = lab_listening(), other = lab_other(&l);
	struct refusal r;

	(void)state;
	lab_machine(&other, "stranger", NULL, 10);
	lab_machine(&l, "good", NULL, 10);
	lab_machine(&l, "old", NULL, -1);
	lab_machine(&l, "revoked", NULL, 10);
	assert_int_equal(lab_machine_revoke(l.dir, "revoked", &r), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct client c = client_new(&l, &cases[i].is);
		bool in = client_hello(&c);
		struct seen s = lab_see(&l);

		assert_int_equal(in, !cases[i].why);
		assert_int_equal(s.n_connected, in);
		if (in) {
			assert_string_equal(s.subject, "CN=good,O=sluice laboratory");
			assert_non_null(strstr(s.remote, "ssl:127.0.0.1:"));
			assert_non_null(strstr(s.remote, " CN=good,"));
		} else if (!strstr(s.last_error, cases[i].why)) {
			fail_msg("case %u: %s", i, s.last_error);
		}
		client_end(&c);
	}
	assert_int_equal(lab_see(&l).n_turned_away, 8);
	lab_end(&l);
}

/* Each connection is looked at anew: what was agreed on before spares nobody his certificate. */
static void sessions_are_not_resumed(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct lab l = lab_listening();

	(void)state;
	lab_machine(&l, "good", NULL, 10);
	for (unsigned i = 0; i < ARRAY_SIZE(versions); i++) {
		const struct client_is is = {"good", NULL, versions[i]};
		struct client first = client_new(&l, &is), second;
		SSL_SESSION *session;

		assert_true(client_hello(&first));
		session = SSL_get1_session(first.ssl);
		second = client_new(&l, &is);
		SSL_set_session(second.ssl, session);
		assert_true(client_hello(&second));
		assert_false(SSL_session_reused(second.ssl));
		assert_false(SSL_SESSION_has_ticket(session));
		SSL_SESSION_free(session);
		client_end(&first);
		client_end(&second);
	}
	lab_end(&l);
}

/* peer=: not everyone of the CA. */
static void a_listener_may_want_one_name(void **state)
{
	struct lab l = lab_new();
	struct refusal r;

	(void)state;
	lab_machine(&l, "first", NULL, 10);
	lab_machine(&l, "second", NULL, 10);
	assert_int_equal(openflow_add(l.of, l.method, "peer=second", &r), 0);
	for (unsigned i = 0; i < 2; i++) {
		const struct client_is is = {i ? "second" : "first", NULL, 0};
		struct client c = client_new(&l, &is);

		assert_int_equal(client_hello(&c), i);
		if (!i)
			assert_non_null(strstr(lab_see(&l).last_error, "hostname mismatch"));
		client_end(&c);
	}
	lab_end(&l);
}

/* ---- Whom we dial ----------------------------------------------------------------------- */

static bool dialled_is_taken(struct lab *l, const struct client_is *is, const char *options)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(l->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1, fd;
	struct refusal r;
	struct client c;
	char method[40];
	bool taken;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	assert_int_equal(bind(listener, (void *)&in, sizeof in), 0);
	assert_int_equal(listen(listener, 4), 0);
	snprintf(method, sizeof method, "ssl:127.0.0.1:%u", l->port);
	if (openflow_add(l->of, method, options, &r))
		fail_msg("%s", r.text);
	turn(l->t);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	c = client_on(l, is, fd);
	SSL_set_accept_state(c.ssl);
	taken = client_hello(&c);
	assert_int_equal(lab_see(l).n_connected, taken);
	client_end(&c);
	if (!taken)
		assert_true(lab_see(l).last_error[0]);
	assert_int_equal(openflow_del(l->of, method, &r), 0);
	close(listener);
	return taken;
}

static void whom_we_dial_has_the_address_or_the_name(void **state)
{
	static const struct {
		const char *folder, *options;
		bool taken;
	} cases[] = {
		{"here", "", true},
		{"here", "peer=here", true},
		{"here", "peer=elsewhere", false},
		{"elsewhere", "", false},
		{"elsewhere", "peer=elsewhere", true},
		{"elsewhere", "peer=192.0.2.9", true},
		{"elsewhere", "peer=192.0.2.8", false},
		{"elsewhere", "peer=x.lab", true},
		{"old", "", false},
		{"revoked", "", false},
		{"other/here", "", false},
	};
	struct lab l = lab_new(), other = lab_other(&l);
	struct refusal r;

	(void)state;
	lab_machine(&other, "here", NULL, 10);
	lab_machine(&l, "here", NULL, 10);
	lab_machine(&l, "elsewhere", "192.0.2.9,x.lab", 10);
	lab_machine(&l, "old", NULL, -1);
	lab_machine(&l, "revoked", NULL, 10);
	assert_int_equal(lab_machine_revoke(l.dir, "revoked", &r), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct client_is is = {cases[i].folder, NULL, 0};

		if (dialled_is_taken(&l, &is, cases[i].options) != cases[i].taken)
			fail_msg("%s %s", cases[i].folder, cases[i].options);
	}
	lab_end(&l);
}

/* ---- Files ------------------------------------------------------------------------------ */

static void put_file(const struct lab *l, const char *name, const char *text, mode_t mode)
{
	char path[128];
	int fd = open(lab_file(l, name, path), O_CREAT | O_TRUNC | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void copy_file(const struct lab *l, const char *from, const char *to, mode_t mode)
{
	char text[8192] = "", path[128];
	int fd = open(lab_file(l, from, path), O_RDONLY);

	assert_true(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
	close(fd);
	put_file(l, to, text, mode);
}

/* The switch's, but with a pass phrase. */
static void put_locked_key(const struct lab *l)
{
	char path[128];
	FILE *from = fopen(lab_file(l, "switch/key.pem", path), "r");
	EVP_PKEY *key = PEM_read_PrivateKey(from, NULL, NULL, NULL);
	FILE *to = fopen(lab_file(l, "locked.pem", path), "w");

	assert_int_equal(PEM_write_PrivateKey(to, key, EVP_aes_128_cbc(), (const uint8_t *)"secret",
					      6, NULL, NULL),
			 1);
	fclose(from);
	fclose(to);
	EVP_PKEY_free(key);
	chmod(path, 0600);
}

static void bad_files_are_refused(void **state)
{
	static const struct {
		const char *key, *cert, *ca, *crl, *field;
	} cases[] = {
		{"switch/nothing", "switch/cert.pem", "switch/ca.pem", NULL, "private-key"},
		{"open.pem", "switch/cert.pem", "switch/ca.pem", NULL, "private-key"},
		{"good/key.pem", "switch/cert.pem", "switch/ca.pem", NULL, "private-key"},
		{"locked.pem", "switch/cert.pem", "switch/ca.pem", NULL, "private-key"},
		{"fifo", "switch/cert.pem", "switch/ca.pem", NULL, "private-key"},
		{"switch", "switch/cert.pem", "switch/ca.pem", NULL, "private-key"},
		{"switch/key.pem", "switch/key.pem", "switch/ca.pem", NULL, "certificate"},
		{"old/key.pem", "old/cert.pem", "switch/ca.pem", NULL, "certificate"},
		{"switch/key.pem", "switch/cert.pem", "empty.pem", NULL, "ca-cert"},
		{"switch/key.pem", "switch/cert.pem", "good/cert.pem", NULL, "ca-cert"},
		{"switch/key.pem", "switch/cert.pem", "switch/ca.pem", "empty.pem", "crl"},
		{"switch/key.pem", "switch/cert.pem", "switch/ca.pem", "other/ca/crl.pem", "crl"},
	};
	struct lab l = lab_new();
	struct tls *t = tls_create();
	char fifo[128];
	struct refusal r;

	(void)state;
	lab_machine(&l, "good", NULL, 10);
	lab_machine(&l, "old", NULL, -1);
	copy_file(&l, "switch/key.pem", "open.pem", 0644);
	put_file(&l, "empty.pem", "", 0600);
	put_locked_key(&l);
	lab_other(&l);
	assert_int_equal(mkfifo(lab_file(&l, "fifo", fifo), 0600), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char key[128], cert[128], ca[128], crl[128];
		const struct tls_files files = {
			lab_file(&l, cases[i].key, key), lab_file(&l, cases[i].cert, cert),
			lab_file(&l, cases[i].ca, ca),
			cases[i].crl ? lab_file(&l, cases[i].crl, crl) : NULL};

		r = (struct refusal){0};
		if (!tls_set(t, &files, &r) || strcmp(r.field, cases[i].field) ||
		    (i == 4 && !strstr(r.text, "no plain file")))
			fail_msg("case %u: %s: %s", i, r.field, r.text);
		assert_false(tls_is_set(t));
	}
	assert_null(tls_session(t, &(struct method){.tls = true, .passive = true}, &r));
	assert_int_equal(r.code, REFUSED_NOT_HERE);
	tls_destroy(t);
	lab_end(&l);
}

/* Keys are nobody else's from their first octet on, and what is there is not written over. */
static void the_laboratory_keeps_its_keys(void **state)
{
	static const char *const keys[] = {"ca/key.pem", "switch/key.pem"};
	struct lab l = lab_new();
	const struct lab_machine again = {l.dir, "switch", NULL, 10},
				 bad[] = {
					 {l.dir, "ca", NULL, 10},         {l.dir, "../x", NULL, 10},
					 {l.dir, "", NULL, 10},           {l.dir, "x", "a b", 10},
					 {l.dir, "x", "192.0.2.1\n", 10},
				 };
	struct refusal r;
	struct stat st;
	char path[128];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		assert_int_equal(stat(lab_file(&l, keys[i], path), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	assert_int_not_equal(lab_ca_make(l.dir, 10, &r), 0);
	assert_int_equal(r.code, REFUSED_EXISTS);
	assert_int_not_equal(lab_machine_make(&again, &r), 0);
	assert_int_equal(r.code, REFUSED_EXISTS);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_not_equal(lab_machine_make(&bad[i], &r), 0);
		assert_int_equal(r.code, REFUSED_BAD_VALUE);
		assert_int_not_equal(stat(lab_file(&l, "x", path), &st), 0);
	}
	lab_end(&l);
}

/* ---- Reload ----------------------------------------------------------------------------- */

/* What a new list says holds for who is connected, too, and for nobody else. */
static void a_new_list_ends_whom_it_names(void **state)
{
	static const struct client_is first = {"first", NULL, 0}, second = {"second", NULL, 0};
	struct lab l = lab_listening();
	struct client a, b, slow, again;
	struct refusal r;

	(void)state;
	lab_machine(&l, "first", NULL, 10);
	lab_machine(&l, "second", NULL, 10);
	a = client_new(&l, &first);
	b = client_new(&l, &second);
	assert_true(client_hello(&a) && client_hello(&b));
	slow = client_new(&l, &first); /* in the middle of its handshake meanwhile */
	assert_true(client_goes_on(&slow, SSL_do_handshake(slow.ssl)));
	assert_int_equal(lab_machine_revoke(l.dir, "first", &r), 0);
	assert_int_equal(lab_see(&l).n_connected, 2);
	assert_int_equal(tls_reload(openflow_tls(l.of), &r), 0);
	openflow_tls_changed(l.of);
	assert_int_equal(lab_see(&l).n_connected, 1);
	assert_string_equal(lab_see(&l).subject, "CN=second,O=sluice laboratory");
	assert_true(client_is_ended(&a));
	assert_false(client_is_ended(&b));
	assert_false(client_hello(&slow));
	client_end(&slow);
	again = client_new(&l, &first);
	assert_false(client_hello(&again));
	client_end(&again);
	client_end(&a);
	client_end(&b);
	lab_end(&l);
}

/* The next connection notices, without anybody's word. */
static void changed_files_are_noticed(void **state)
{
	static const struct client_is first = {"first", NULL, 0}, second = {"second", NULL, 0},
				      third = {"first", "other/ca/cert.pem", 0};
	struct lab l = lab_listening(), other = lab_other(&l);
	struct client a, c;
	struct refusal r;
	unsigned before;

	(void)state;
	lab_machine(&l, "first", NULL, 10);
	lab_machine(&l, "second", NULL, 10);
	a = client_new(&l, &first);
	assert_true(client_hello(&a));
	assert_int_equal(lab_machine_revoke(l.dir, "first", &r), 0);
	c = client_new(&l, &second);
	assert_true(client_hello(&c));
	assert_true(client_is_ended(&a));
	client_end(&c);
	client_end(&a);

	/* A file that is broken leaves what there was. */
	before = tls_generation(openflow_tls(l.of));
	copy_file(&l, "switch/cert.pem", "saved.pem", 0600);
	put_file(&l, "switch/cert.pem", "nothing", 0600);
	c = client_new(&l, &second);
	assert_true(client_hello(&c));
	client_end(&c);
	assert_int_not_equal(tls_reload(openflow_tls(l.of), &r), 0);
	assert_string_equal(r.field, "certificate");
	assert_int_equal(tls_generation(openflow_tls(l.of)), before);

	/* And another key and certificate in its place are shown to who comes then. */
	lab_machine(&other, "switch", NULL, 10);
	lab_machine(&l, "third", NULL, 10);
	copy_file(&l, "other/switch/cert.pem", "switch/cert.pem", 0600);
	copy_file(&l, "other/switch/key.pem", "switch/key.pem", 0600);
	assert_int_equal(tls_reload(openflow_tls(l.of), &r), 0);
	c = client_new(&l, &second);
	assert_false(client_hello(&c)); /* it trusts the first CA alone */
	client_end(&c);
	c = client_new(&l, &third);
	assert_false(client_hello(&c)); /* this one is revoked, but it came to that */
	assert_int_equal(SSL_get_verify_result(c.ssl), X509_V_OK);
	client_end(&c);
	lab_end(&l);
}

/* Out of the store: what is not there yet is found when somebody comes. */
static void files_may_come_later(void **state)
{
	static const struct client_is is = {"first", NULL, 0};
	struct lab l = lab_listening();
	char key[128], moved[128], cert[128], ca[128];
	const struct tls_files files = {lab_file(&l, "switch/key.pem", key),
					lab_file(&l, "switch/cert.pem", cert),
					lab_file(&l, "switch/ca.pem", ca), NULL};
	struct client c;

	(void)state;
	lab_machine(&l, "first", NULL, 10);
	assert_int_equal(rename(key, lab_file(&l, "moved", moved)), 0);
	tls_expect(openflow_tls(l.of), &files);
	assert_true(tls_is_set(openflow_tls(l.of)));
	c = client_new(&l, &is);
	assert_false(client_hello(&c));
	assert_non_null(strstr(lab_see(&l).last_error, "no TLS"));
	client_end(&c);
	assert_int_equal(rename(moved, key), 0);
	c = client_new(&l, &is);
	assert_true(client_hello(&c));
	client_end(&c);
	lab_end(&l);
}

/* ---- What it may cost ------------------------------------------------------------------- */

static bool hung_up(int fd)
{
	uint8_t octets[64];
	ssize_t n;

	while ((n = recv(fd, octets, sizeof octets, MSG_DONTWAIT)) > 0)
		;
	return !n || (n < 0 && errno == ECONNRESET);
}

/* However many begin and say nothing: the oldest go, and who does it properly gets in. */
static void half_open_handshakes_give_way(void **state)
{
	enum { MORE = HANDSHAKES_MAX + 36 };
	static const struct client_is is = {"good", NULL, 0};
	struct lab l = lab_listening();
	int fd[MORE];
	struct client c;
	unsigned n_gone = 0;

	(void)state;
	lab_machine(&l, "good", NULL, 10);
	for (unsigned i = 0; i < MORE; i++) {
		fd[i] = connect_to(&l);
		turn(l.t);
	}
	c = client_new(&l, &is);
	assert_true(client_hello(&c));
	for (unsigned i = 0; i < MORE; i++) {
		bool gone = hung_up(fd[i]);

		assert_int_equal(gone, i < MORE - HANDSHAKES_MAX + 1);
		n_gone += gone;
	}
	assert_int_equal(n_gone, lab_see(&l).n_turned_away);
	assert_int_equal(lab_see(&l).n_connected, 1);
	client_end(&c);
	for (unsigned i = 0; i < MORE; i++)
		close(fd[i]);
	while (lab_see(&l).n_turned_away < MORE)
		event_base_loop(l.t->base, EVLOOP_ONCE);
	assert_int_equal(lab_see(&l).n_turned_away, MORE);
	lab_end(&l);
}

struct told {
	unsigned n;
	char why[160];
};

static void tell(void *arg, struct bufferevent *bev, const char *remote, const char *why)
{
	struct told *told = arg;

	assert_null(bev);
	assert_string_equal(remote, "somebody");
	snprintf(told->why, sizeof told->why, "%s", why);
	told->n++;
}

/* The handshake's own timer, found by what it is called with. */
static int fire_deadline(const struct event_base *base, const struct event *e, void *handshake)
{
	(void)base;
	if (event_get_callback_arg(e) == handshake && event_pending(e, EV_TIMEOUT, NULL) &&
	    event_get_fd(e) < 0)
		event_active((struct event *)(uintptr_t)e, EV_TIMEOUT, 1);
	return 0;
}

static void handshakes_have_a_deadline(void **state)
{
	struct lab l = lab_new();
	struct told told = {0};
	const struct handshake_end end = {tell, &told};
	struct handshakes all;
	struct refusal r;
	int fd[2];

	(void)state;
	handshakes_init(&all, l.t->base);
	for (unsigned i = 0; i < 2; i++) {
		const struct method m = {.tls = true, .passive = true};

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
		handshake_begin(&all, fd[0], tls_session(openflow_tls(l.of), &m, &r), "somebody",
				&end);
		/* The beginning of a record, an octet at a time, does not prolong it. */
		assert_int_equal(write(fd[1], "\x16\x03", 2), 2);
		turn(l.t);
		assert_int_equal(all.n, 1);
		if (i) {
			handshakes_forget(&all, &told);
		} else {
			event_base_foreach_event(l.t->base, fire_deadline, all.first);
			turn(l.t);
			assert_string_equal(told.why, "the TLS handshake was not done in time");
		}
		assert_int_equal(all.n, 0);
		assert_int_equal(told.n, 1);
		turn(l.t);
		assert_true(hung_up(fd[1]));
		close(fd[1]);
	}
	handshakes_free(&all);
	lab_end(&l);
}

/* Some are ready, and for now none gets its step. */
static bool rests(struct event_base *base, const struct handshakes *all)
{
	unsigned n = all->n_ready;

	event_base_loop(base, EVLOOP_NONBLOCK);
	return n && all->n_ready == n;
}

/* A whole ClientHello of each has come: a round answers some, and then there is a rest. */
static void handshakes_go_step_by_step(void **state)
{
	enum { N = HANDSHAKES_READY + 8 };
	struct lab l = lab_new();
	struct told told = {0};
	const struct handshake_end end = {tell, &told};
	const struct method m = {.tls = true, .passive = true};
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct handshakes all;
	struct refusal r;
	SSL *client[N];
	bool rested = false;
	int fd[2];

	(void)state;
	handshakes_init(&all, l.t->base);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
		client[i] = SSL_new(ctx);
		SSL_set_fd(client[i], fd[1]);
		assert_int_equal(SSL_connect(client[i]), -1);
		handshake_begin(&all, fd[0], tls_session(openflow_tls(l.of), &m, &r), "somebody",
				&end);
	}
	event_base_loop(l.t->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert_true(handshakes_busy(&all));
	while (all.n_ready) {
		event_base_loop(l.t->base, EVLOOP_ONCE);
		rested |= rests(l.t->base, &all);
	}
	assert_true(rested);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(recv(SSL_get_fd(client[i]), &(char){0}, 1, 0), 1);
		close(SSL_get_fd(client[i]));
		SSL_free(client[i]);
	}
	handshakes_forget(&all, &told);
	handshakes_free(&all);
	SSL_CTX_free(ctx);
	lab_end(&l);
}

/* Without a key there is no ssl:. */
static void methods_need_a_key(void **state)
{
	struct lab l = lab_new();
	struct refusal r = {0};

	(void)state;
	assert_int_equal(openflow_add(l.of, l.method, "", &r), 0);
	assert_true(openflow_uses_tls(l.of));
	assert_int_equal(openflow_del(l.of, l.method, &r), 0);
	assert_false(openflow_uses_tls(l.of));
	tls_forget(openflow_tls(l.of));
	assert_int_not_equal(openflow_add(l.of, l.method, "", &r), 0);
	assert_int_equal(r.code, REFUSED_NOT_FOUND);
	assert_int_not_equal(openflow_add(l.of, "ssl:127.0.0.1", "", &r), 0);
	assert_int_equal(r.code, REFUSED_NOT_FOUND);
	lab_end(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_comes_is_let_in_by_certificate),
		cmocka_unit_test(sessions_are_not_resumed),
		cmocka_unit_test(a_listener_may_want_one_name),
		cmocka_unit_test(whom_we_dial_has_the_address_or_the_name),
		cmocka_unit_test(bad_files_are_refused),
		cmocka_unit_test(the_laboratory_keeps_its_keys),
		cmocka_unit_test(a_new_list_ends_whom_it_names),
		cmocka_unit_test(changed_files_are_noticed),
		cmocka_unit_test(files_may_come_later),
		cmocka_unit_test(half_open_handshakes_give_way),
		cmocka_unit_test(handshakes_have_a_deadline),
		cmocka_unit_test(handshakes_go_step_by_step),
		cmocka_unit_test(methods_need_a_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
