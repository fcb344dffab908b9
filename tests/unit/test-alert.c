/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts by syslog, webhook and command: said once, bounded, and without secrets in the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"
#include "utilities/watch/alert.h"

static struct event_base *base;
static struct alerts *alerts;
static struct alert_counters n;
static char dir[32], path[64], ca[64];

/* Runs the loop until nothing is under way; the world has 20 s. */
static void settle(void)
{
	for (unsigned i = 0; i < 2000 && !alerts_idle(alerts); i++) {
		const struct timeval tick = {0, 10000};

		event_base_loopexit(base, &tick);
		event_base_dispatch(base);
	}
	assert_true(alerts_idle(alerts));
	alerts_counters(alerts, &n);
}

static void start(const struct alerts_config *more)
{
	struct alerts_config config = *more;

	config.base = base;
	alerts = alerts_create(&config);
}

static int set_up(void **state)
{
	struct refusal r = {0};

	(void)state;
	log_configure("err", &r);
	signal(SIGPIPE, SIG_IGN);
	strcpy(dir, "/tmp/sl-alert-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/file", dir);
	snprintf(ca, sizeof ca, "%s/ca.pem", dir);
	base = event_base_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	alerts_free(alerts);
	alerts = NULL;
	event_base_free(base);
	unlink(path);
	unlink(ca);
	rmdir(dir);
	return 0;
}

/* The log, in a file of its own while `captured`. */
static int log_fd = -1, stderr_fd = -1;

static void capture(void)
{
	char file[] = "/tmp/sl-alert-log-XXXXXX";

	log_fd = mkstemp(file);
	unlink(file);
	stderr_fd = dup(2);
	dup2(log_fd, 2);
	log_configure("debug", &(struct refusal){0});
}

static const char *captured(void)
{
	static char said[65536];
	ssize_t size = pread(log_fd, said, sizeof said - 1, 0);

	dup2(stderr_fd, 2);
	close(stderr_fd);
	close(log_fd);
	said[MAX(size, 0)] = '\0';
	return said;
}

static void alert(const char *to, const char *target, const char *what, double at_s)
{
	struct alert_sink *sink = alerts_sink(alerts);
	json_t *entry = json_pack("{s:I, s:s, s:s, s:{s:s, s:s, s:f}}", "ns",
				  (json_int_t)(at_s * 1e9), "pipeline", "edge", "what", what,
				  "attack", "kind", "udp", "target", target, "pps", at_s);

	sink->alert(sink, to, entry);
	json_decref(entry);
}

/* ---- syslog ------------------------------------------------------------------------------ */

static int log_listen(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	strcpy(addr.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	return fd;
}

static const char *log_read(int fd)
{
	static char text[4096];
	ssize_t size = recv(fd, text, sizeof text - 1, 0);

	if (size < 0)
		return NULL;
	text[size] = '\0';
	return text;
}

static void the_system_log_hears(void **state)
{
	int fd = log_listen();
	const char *text;

	(void)state;
	start(&(struct alerts_config){.log_socket = path});
	alert("syslog", "10.9.0.2", "found", 1);
	text = log_read(fd);
	assert_non_null(text);
	assert_memory_equal(text, "<28>", 4);
	assert_non_null(strstr(text, " sluice-watch["));
	assert_non_null(strstr(text, "]: {"));
	assert_non_null(strstr(text, "\"target\":\"10.9.0.2\""));
	close(fd);
	fd = log_listen(); /* a log that was started anew */
	alert("syslog", "10.9.0.3", "found", 1);
	assert_non_null(log_read(fd));
	alerts_counters(alerts, &n);
	assert_int_equal(n.sent, 2);
	close(fd);
}

static void a_log_that_is_full_or_gone_holds_nobody_up(void **state)
{
	char target[32];
	int fd = log_listen();

	(void)state;
	start(&(struct alerts_config){.log_socket = path});
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(target, sizeof target, "10.0.%u.%u", i / 256, i % 256);
		alert("syslog", target, "found", 1);
	}
	close(fd);
	unlink(path);
	alert("syslog", "10.9.0.9", "found", 1);
	alerts_counters(alerts, &n);
	assert_true(n.sent > 0);
	assert_true(n.failed > 0);
	assert_int_equal(n.sent + n.failed, 2001);
}

static void the_same_thing_is_said_once(void **state)
{
	int fd = log_listen();
	const char *text;

	(void)state;
	start(&(struct alerts_config){.log_socket = path});
	alert("syslog", "10.9.0.2", "found", 1);
	assert_non_null(strstr(log_read(fd), "\"suppressed\":0"));
	alert("syslog", "10.9.0.2", "found", 2);
	alert("syslog", "10.9.0.2", "found", 60.9);
	assert_null(log_read(fd));
	alert("syslog", "10.9.0.2", "lifted", 3);
	alert("syslog", "10.9.0.3", "found", 3);
	assert_non_null(log_read(fd));
	assert_non_null(log_read(fd));
	alert("syslog", "10.9.0.2", "found", 61);
	text = log_read(fd);
	assert_non_null(text);
	assert_non_null(strstr(text, "\"suppressed\":2"));
	alerts_counters(alerts, &n);
	assert_int_equal(n.suppressed, 2);
	assert_int_equal(n.sent, 4);
	close(fd);
}

static void memory_of_what_was_said_is_bounded(void **state)
{
	char target[32];
	int fd = log_listen();

	(void)state;
	start(&(struct alerts_config){.log_socket = path});
	for (unsigned i = 0; i <= ALERT_MEMORY; i++) {
		snprintf(target, sizeof target, "10.0.%u.%u", i / 256, i % 256);
		alert("syslog", target, "found", 1 + i / 1000.);
		assert_non_null(log_read(fd));
	}
	alert("syslog", "10.0.0.1", "found", 2); /* is remembered */
	assert_null(log_read(fd));
	alert("syslog", "10.0.0.0", "found", 2); /* the oldest gave way */
	assert_non_null(log_read(fd));
	close(fd);
}

/* ---- Webhooks ---------------------------------------------------------------------------- */

static struct evhttp *server;
static uint16_t server_port;
static unsigned n_posts, server_status;
static char posted[4096], posted_to[256], posted_host[128];
static SSL_CTX *server_tls;

static void on_post(struct evhttp_request *q, void *arg)
{
	struct evbuffer *body = evhttp_request_get_input_buffer(q);
	ssize_t size = evbuffer_copyout(body, posted, sizeof posted - 1);

	(void)arg;
	posted[MAX(size, 0)] = '\0';
	snprintf(posted_to, sizeof posted_to, "%s", evhttp_request_get_uri(q));
	snprintf(posted_host, sizeof posted_host, "%s",
		 evhttp_find_header(evhttp_request_get_input_headers(q), "Host"));
	assert_int_equal(evhttp_request_get_command(q), EVHTTP_REQ_POST);
	n_posts++;
	if (server_status)
		evhttp_send_reply(q, (int)server_status, "so be it", NULL);
	/* 0: never */
}

static struct bufferevent *on_tls(struct event_base *b, void *arg)
{
	(void)arg;
	return bufferevent_openssl_socket_new(b, -1, SSL_new(server_tls), BUFFEREVENT_SSL_ACCEPTING,
					      BEV_OPT_CLOSE_ON_FREE);
}

static void serve(bool tls)
{
	struct evhttp_bound_socket *bound;
	struct sockaddr_in addr;
	socklen_t size = sizeof addr;

	server = evhttp_new(base);
	evhttp_set_gencb(server, on_post, NULL);
	if (tls)
		evhttp_set_bevcb(server, on_tls, NULL);
	bound = evhttp_bind_socket_with_handle(server, "127.0.0.1", 0);
	assert_non_null(bound);
	getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&addr, &size);
	server_port = ntohs(addr.sin_port);
	n_posts = 0;
	server_status = 204;
}

static const char *url(const char *scheme, const char *host, const char *rest)
{
	static char text[256];

	snprintf(text, sizeof text, "webhook:%s://%s:%u%s", scheme, host, server_port, rest);
	return text;
}

static void a_webhook_gets_the_decision(void **state)
{
	(void)state;
	serve(false);
	start(&(struct alerts_config){0});
	alert(url("http", "127.0.0.1", "/in?token=s3cret"), "10.9.0.2", "installed", 1);
	settle();
	assert_int_equal(n.sent, 1);
	assert_int_equal(n_posts, 1);
	assert_string_equal(posted_to, "/in?token=s3cret");
	assert_non_null(strstr(posted, "\"what\":\"installed\""));
	assert_non_null(strstr(posted, "\"suppressed\":0"));
	evhttp_free(server);
}

static void a_token_is_in_no_log(void **state)
{
	const char *said;

	(void)state;
	serve(false);
	start(&(struct alerts_config){0});
	capture();
	server_status = 403;
	alert(url("http", "127.0.0.1", "/s3cret?s3cret"), "10.9.0.2", "found", 1);
	settle();
	evhttp_free(server);
	alert(url("http", "127.0.0.1", "/s3cret?s3cret"), "10.9.0.3", "found", 1);
	alert("webhook:ftp://127.0.0.1/s3cret", "10.9.0.4", "found", 1);
	alert("webhook:http://s3cret@127.0.0.1/", "10.9.0.5", "found", 1);
	settle();
	said = captured();
	assert_int_equal(n.failed, 4);
	assert_non_null(strstr(said, "webhook at 127.0.0.1: status 403"));
	assert_non_null(strstr(said, "no connection"));
	assert_null(strstr(said, "s3cret"));
}

static void webhooks_are_bounded(void **state)
{
	const unsigned many = ALERT_POSTS_MAX + ALERT_QUEUE_MAX + 5;
	char target[32];

	(void)state;
	serve(false);
	server_status = 0; /* takes everything, answers nothing */
	start(&(struct alerts_config){0});
	for (unsigned i = 0; i < many; i++) {
		snprintf(target, sizeof target, "10.0.0.%u", i);
		alert(url("http", "127.0.0.1", "/"), target, "found", 1);
	}
	for (unsigned i = 0; i < 1000 && n_posts < ALERT_POSTS_MAX; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	for (unsigned i = 0; i < 100; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	alerts_counters(alerts, &n);
	assert_int_equal(n_posts, ALERT_POSTS_MAX);
	assert_int_equal(n.lost, 5);
	assert_false(alerts_idle(alerts));
	alerts_free(alerts); /* in the middle of them */
	alerts = NULL;
	evhttp_free(server);
}

/* A self-signed certificate for `name`; its key goes to the server, itself into the file `ca`. */
static void certify(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	FILE *f = fopen(ca, "w");
	X509_EXTENSION *san;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, name);
	assert_non_null(san);
	X509_add_ext(cert, san, -1);
	X509_EXTENSION_free(san);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_non_null(f);
	PEM_write_X509(f, cert);
	fclose(f);
	server_tls = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(server_tls, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(server_tls, key), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void over_tls(const char *name, bool trusted, bool well)
{
	certify(name);
	serve(true);
	start(&(struct alerts_config){.ca_file = trusted ? ca : "/dev/null"});
	alert(url("https", "127.0.0.1", "/"), "10.9.0.2", "found", 1);
	settle();
	assert_int_equal(n.sent, well);
	assert_int_equal(n.failed, !well);
	assert_int_equal(n_posts, well);
	evhttp_free(server);
	SSL_CTX_free(server_tls);
}

static void a_good_certificate_is_believed(void **state)
{
	(void)state;
	over_tls("IP:127.0.0.1", true, true);
	assert_non_null(strstr(posted, "\"what\":\"found\""));
}

static void a_certificate_for_another_name_is_not(void **state)
{
	(void)state;
	capture();
	over_tls("IP:127.0.0.2,DNS:localhost", true, false);
	assert_non_null(strstr(captured(), "its certificate is refused"));
}

static void a_certificate_of_nobody_is_not(void **state)
{
	(void)state;
	capture();
	over_tls("IP:127.0.0.1", false, false);
	assert_non_null(strstr(captured(), "its certificate is refused"));
}

/* ---- Commands ---------------------------------------------------------------------------- */

/* A program `dir`/file that runs `body`; the word of alert= for it. */
static const char *program(const char *body)
{
	static char to[128];
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", body);
	assert_int_equal(fchmod(fileno(f), 0700), 0);
	fclose(f);
	snprintf(to, sizeof to, "command:%s", path);
	return to;
}

static void a_command_gets_the_decision_and_nothing_else(void **state)
{
	char body[256], out[64], text[4096];
	FILE *f;

	(void)state;
	setenv("SLUICE_TEST", "leaks", 1);
	snprintf(out, sizeof out, "%s/out", dir);
	snprintf(body, sizeof body, "{ cat; echo args=$#; env; ls /proc/self/fd | wc -l; } >%s",
		 out);
	start(&(struct alerts_config){0});
	assert_true(dup(0) >= 0); /* a descriptor that the program must not see */
	alert(program(body), "10.9.0.2", "found", 1);
	settle();
	assert_int_equal(n.sent, 1);
	f = fopen(out, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	unlink(out);
	assert_non_null(strstr(text, "\"what\":\"found\""));
	assert_non_null(strstr(text, "args=0\n"));
	assert_null(strstr(text, "SLUICE_TEST"));
	assert_non_null(strstr(text, "\n4\n")); /* 0, 1, 2, and the one of ls itself */
}

static void a_command_that_fails_or_is_none_is_counted(void **state)
{
	(void)state;
	start(&(struct alerts_config){0});
	alert(program("exit 3"), "10.9.0.2", "found", 1);
	alert("command:/nowhere/at all; rm x", "10.9.0.3", "found", 1);
	alert("command:relative", "10.9.0.4", "found", 1);
	alert("pigeon", "10.9.0.5", "found", 1);
	settle();
	assert_int_equal(n.failed, 4);
	assert_int_equal(n.sent, 0);
}

/* With its children: they have its process group. */
static void a_command_that_stays_is_ended(void **state)
{
	(void)state;
	start(&(struct alerts_config){.command_ms = 50});
	alert(program("sleep 1000 & sleep 1000"), "10.9.0.2", "found", 1);
	settle();
	assert_int_equal(n.failed, 1);
}

/* perl is of every Debian, and a shell cannot do this. */
static void a_command_that_leaves_its_group_is_ended(void **state)
{
	(void)state;
	start(&(struct alerts_config){.command_ms = 300});
	alert(program("exec perl -e 'setpgrp(0, getpgrp(getppid())); sleep 60'"), "10.9.0.2",
	      "found", 1);
	settle();
	assert_int_equal(n.failed, 1);
}

static void commands_are_bounded(void **state)
{
	const unsigned many = ALERT_COMMANDS_MAX + ALERT_QUEUE_MAX + 3;
	char target[32], body[128];
	unsigned runs = 0;
	char out[64];

	(void)state;
	snprintf(out, sizeof out, "%s/out", dir);
	snprintf(body, sizeof body, "echo run >>%s", out);
	start(&(struct alerts_config){0});
	program(body);
	for (unsigned i = 0; i < many; i++) {
		char to[128];

		snprintf(target, sizeof target, "10.0.0.%u", i);
		snprintf(to, sizeof to, "command:%s", path);
		alert(to, target, "found", 1);
	}
	alerts_counters(alerts, &n);
	assert_int_equal(n.lost, 3);
	settle();
	assert_int_equal(n.sent, many - 3);
	FILE *f = fopen(out, "r");
	for (char line[16]; f && fgets(line, sizeof line, f);)
		runs++;
	assert_int_equal(runs, many - 3);
	fclose(f);
	unlink(out);
}

/* ---- Words ------------------------------------------------------------------------------- */

static void words_are_checked_before_they_are_needed(void **state)
{
	static const char *const good[] = {"syslog", "webhook:http://[::1]:80/x?y",
					   "webhook:HTTPS://example.net", "command:/bin/true"};
	static const char *const bad[] = {"",
					  "mail:root",
					  "webhook:",
					  "webhook:/s3cret",
					  "webhook:https:///s3cret",
					  "webhook:http://host:99999/s3cret",
					  "webhook:file:///s3cret",
					  "webhook:http://u:s3cret@host/",
					  "command:",
					  "command:bin/true"};
	struct refusal r;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(alert_check(good[i], &r), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(&r, 0, sizeof r);
		assert_int_not_equal(alert_check(bad[i], &r), 0);
		assert_string_not_equal(r.text, "");
		assert_null(strstr(r.text, "s3cret"));
	}
}

#define TEST(FUNCTION) cmocka_unit_test_setup_teardown(FUNCTION, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_system_log_hears),
		TEST(a_log_that_is_full_or_gone_holds_nobody_up),
		TEST(the_same_thing_is_said_once),
		TEST(memory_of_what_was_said_is_bounded),
		TEST(a_webhook_gets_the_decision),
		TEST(a_token_is_in_no_log),
		TEST(webhooks_are_bounded),
		TEST(a_good_certificate_is_believed),
		TEST(a_certificate_for_another_name_is_not),
		TEST(a_certificate_of_nobody_is_not),
		TEST(a_command_gets_the_decision_and_nothing_else),
		TEST(a_command_that_fails_or_is_none_is_counted),
		TEST(a_command_that_stays_is_ended),
		TEST(a_command_that_leaves_its_group_is_ended),
		TEST(commands_are_bounded),
		TEST(words_are_checked_before_they_are_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
