/* SPDX-License-Identifier: Apache-2.0 */
/* sluiced: the daemon, or one --offline run.
 *
 * The main thread is the control thread: one libevent loop over the management socket, OpenFlow,
 * and ofproto's descriptor and deadline.  Exit status: 0 asked to end (SIGTERM, SIGINT), 1 refused,
 * 2 wrong usage. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "ctl/collectors.h"
#include "ctl/offline.h"
#include "ctl/reading.h"
#include "ctl/install.h"
#include "ctl/rows.h"
#include "ctl/stats.h"
#include "ctl/watcher.h"
#include "datapath/secrets.h"
#include "lib/crash.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "utilities/help.h"
#include "utilities/process.h"

enum { DONE, REFUSED, MISUSED };
enum { LISTEN_MAX = 16, PATH_SIZE = 4096 };

struct settings {
	const char *run_dir, *db, *config, *pidfile, *offline;
	const char *listen[LISTEN_MAX];
	unsigned n_listen, n_workers, spin_us;
	int cpu[33];
	bool detach, lab_null, json;
};

struct server {
	struct daemon d;
	struct mgmt *mgmt, *watch;
	struct event *ofproto_event, *timer, *sigterm, *sigint, *panic_event;
	struct panic_page *panic;
	int run_dir_fd, panic_fd; /* inotify: sluice-ctl has written the panic page */
	bool has_pidfile;
	char mgmt_path[PATH_SIZE], watch_path[PATH_SIZE], openflow_path[PATH_SIZE];
};

static int misused(const char *text)
{
	fprintf(stderr, "sluiced: %s; see --help\n", text);
	return MISUSED;
}

static int refused(const struct refusal *r)
{
	fprintf(stderr, "sluiced: %s: %s\n", refusal_name(r->code), r->text);
	return REFUSED;
}

static int config_refused(const struct settings *s, const char *file, const struct config_error *e)
{
	const char *code = refusal_name(e->refusal.code);

	if (s->json) {
		json_t *error = json_pack("{s:s, s:i, s:i, s:s, s:s, s:s}", "file", file, "line",
					  (int)e->line, "column", (int)e->column, "code", code,
					  "field", e->refusal.field, "reason", e->refusal.text);

		json_dumpf(error, stderr, JSON_COMPACT);
		fputc('\n', stderr);
		json_decref(error);
	} else if (e->line) {
		fprintf(stderr, "sluiced: %s:%u:%u: %s: %s\n", file, e->line, e->column, code,
			e->refusal.text);
	} else {
		fprintf(stderr, "sluiced: %s: %s\n", code, e->refusal.text);
	}
	return REFUSED;
}

/* ---- Options ---- */

/* `0-3,6`. */
static int parse_cpus(const char *text, struct settings *s)
{
	char *end;

	for (s->n_workers = 0;; text = end + 1) {
		long first = strtol(text, &end, 10), last = first;

		if (end == text)
			return -EINVAL;
		if (*end == '-') {
			text = end + 1;
			last = strtol(text, &end, 10);
			if (end == text)
				return -EINVAL;
		}
		if (first < 0 || last < first || last >= CPU_SETSIZE)
			return -EINVAL;
		for (; first <= last; first++) {
			if (s->n_workers == 32)
				return -EINVAL;
			s->cpu[s->n_workers++] = (int)first;
		}
		if (!*end)
			return 0;
		if (*end != ',')
			return -EINVAL;
	}
}

static int parse_spin(const char *text, struct settings *s)
{
	char *end;
	unsigned long us = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || us > 1000000)
		return -EINVAL;
	s->spin_us = (unsigned)us;
	return 0;
}

static int take_option(int option, const char *word, struct settings *s)
{
	struct refusal r;

	switch (option) {
	case 'r':
		s->run_dir = optarg;
		return 0;
	case 'd':
		s->db = optarg;
		return 0;
	case 'c':
		s->config = optarg;
		return 0;
	case 'l':
		if (s->n_listen == LISTEN_MAX)
			return misused("more than 16 --listen");
		s->listen[s->n_listen++] = optarg;
		return 0;
	case 'w':
		return parse_cpus(optarg, s)
			       ? misused("--workers wants CPU numbers, as 0-3,6; at most 32")
			       : 0;
	case 's':
		return parse_spin(optarg, s) ? misused("--spin wants microseconds, 0 to 1000000")
					     : 0;
	case 'L':
		return log_configure(optarg, &r) ? misused(r.text) : 0;
	case 'D':
		s->detach = true;
		return 0;
	case 'p':
		s->pidfile = optarg;
		return 0;
	case 'n':
		s->lab_null = true;
		return 0;
	case 'o':
		s->offline = optarg;
		return 0;
	case 'j':
		s->json = true;
		return 0;
	default:
		fprintf(stderr, "sluiced: no option %.60s, or its value is missing; see --help\n",
			word);
		return MISUSED;
	}
}

/* Returns -1 to go on, or the status to exit with. */
static int parse_options(int argc, char **argv, struct settings *s)
{
	static const struct option options[] = {{"run-dir", required_argument, NULL, 'r'},
						{"db", required_argument, NULL, 'd'},
						{"config", required_argument, NULL, 'c'},
						{"listen", required_argument, NULL, 'l'},
						{"workers", required_argument, NULL, 'w'},
						{"spin", required_argument, NULL, 's'},
						{"log", required_argument, NULL, 'L'},
						{"detach", no_argument, NULL, 'D'},
						{"pidfile", required_argument, NULL, 'p'},
						{"lab-null", no_argument, NULL, 'n'},
						{"offline", required_argument, NULL, 'o'},
						{"json", no_argument, NULL, 'j'},
						{"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'V'},
						{NULL, 0, NULL, 0}};
	int option, status;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		if (option == 'h') {
			help_daemon(stdout);
			return DONE;
		}
		if (option == 'V') {
			puts("sluiced (" PACKAGE_STRING ")");
			return DONE;
		}
		status = take_option(option, argv[optind - 1], s);
		if (status)
			return status;
	}
	if (optind < argc)
		return misused("there are options only; verbs are sluice-ctl's");
	if (s->json && !s->offline)
		return misused("--json goes with --offline");
	return -1;
}

/* ---- One --offline run ---- */

static int run_offline(const struct settings *s)
{
	struct config_error e;
	json_t *report = NULL;
	struct buf text = {0};

	if (offline_run(s->offline, s->lab_null, &report, &e))
		return config_refused(s, s->offline, &e);
	if (s->json) {
		json_dumpf(report, stdout, JSON_INDENT(2));
		fputc('\n', stdout);
	} else {
		report_text(report, &text);
		fputs(buf_text(&text), stdout);
	}
	buf_free(&text);
	json_decref(report);
	if (!fflush(stdout) && !ferror(stdout))
		return DONE;
	fprintf(stderr, "sluiced: system: standard output: %s\n", strerror(errno));
	return REFUSED;
}

/* ---- The daemon ---- */

static void on_ofproto(evutil_socket_t fd, short events, void *arg)
{
	struct server *server = arg;

	(void)fd;
	(void)events;
	ofproto_run(server->d.ofproto);
}

static void on_signal(evutil_socket_t number, short events, void *arg)
{
	struct server *server = arg;

	(void)events;
	LOG(INFO, "sluiced: signal %d: ending", (int)number);
	event_base_loopbreak(server->d.base);
}

/* The page was let go of by somebody who may have written it. */
static void on_panic(evutil_socket_t fd, short events, void *arg)
{
	struct server *server = arg;
	struct refusal r;
	char told[4096];

	(void)events;
	while (read(fd, told, sizeof told) > 0)
		;
	ofproto_panic_run(server->d.ofproto, &r);
}

static int watch_panic(struct server *server, const char *run_dir)
{
	char path[4200];

	snprintf(path, sizeof path, "%s/panic", run_dir);
	server->panic_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (server->panic_fd < 0 || inotify_add_watch(server->panic_fd, path, IN_CLOSE_WRITE) < 0)
		return -errno;
	server->panic_event =
		event_new(server->d.base, server->panic_fd, EV_READ | EV_PERSIST, on_panic, server);
	if (!server->panic_event)
		return -ENOMEM;
	event_add(server->panic_event, NULL);
	return 0;
}

/* Before the switch, so that the first packet goes as the page says. */
static int open_panic(struct server *server, const struct settings *s, struct refusal *r)
{
	int error;

	server->panic = panic_open(s->run_dir, true);
	if (!server->panic)
		return refuse(r, SYSTEM, "--run-dir", "%s/panic: %s", s->run_dir, strerror(errno));
	panic_links_forget(server->panic);
	error = watch_panic(server, s->run_dir);
	return error ? refuse(r, SYSTEM, "--run-dir", "%s/panic cannot be watched: %s", s->run_dir,
			      strerror(-error))
		     : 0;
}

static int open_events(struct server *server)
{
	struct event_base *base = server->d.base;

	server->ofproto_event = event_new(base, ofproto_fd(server->d.ofproto), EV_READ | EV_PERSIST,
					  on_ofproto, server);
	server->timer = evtimer_new(base, on_ofproto, server);
	server->sigterm = evsignal_new(base, SIGTERM, on_signal, server);
	server->sigint = evsignal_new(base, SIGINT, on_signal, server);
	if (!server->ofproto_event || !server->timer || !server->sigterm || !server->sigint)
		return -ENOMEM;
	event_add(server->ofproto_event, NULL);
	event_add(server->sigterm, NULL);
	event_add(server->sigint, NULL);
	return 0;
}

/* Until a signal: after each round of events the timer is set to ofproto's next deadline. */
static void loop(struct server *server)
{
	while (!event_base_got_break(server->d.base)) {
		uint64_t due = ofproto_deadline(server->d.ofproto),
			 now = ofproto_now(server->d.ofproto);
		uint64_t us = due > now ? (due - now + 999) / 1000 : 0;
		struct timeval wait = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};

		if (due == TIMER_NEVER)
			evtimer_del(server->timer);
		else
			evtimer_add(server->timer, &wait);
		if (event_base_loop(server->d.base, EVLOOP_ONCE) < 0)
			break;
	}
}

static int open_openflow(struct server *server, struct refusal *r)
{
	char method[4200];

	server->d.openflow = openflow_create(server->d.base, server->d.ofproto);
	if (!server->d.openflow)
		return refuse(r, SYSTEM, "", "no memory for OpenFlow");
	unlink(server->openflow_path); /* of a daemon that died: the run directory is ours */
	snprintf(method, sizeof method, "punix:%s", server->openflow_path);
	if (openflow_add(server->d.openflow, method, "", r) || tls_restore(&server->d, r))
		return -EINVAL;
	return controllers_restore(&server->d, r);
}

/* `METHOD[ KEY=VALUE]…`; a path may have spaces. */
static const char *split_options(char *method)
{
	for (char *at = method; (at = strchr(at, ' ')); at++) {
		size_t n = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz");

		if (!n || at[1 + n] != '=')
			continue;
		*at = '\0';
		return at + 1;
	}
	return "";
}

/* Behind the configuration, which may say the key and the certificates. */
static int open_listeners(struct server *server, const struct settings *s, struct refusal *r)
{
	int error = 0;

	for (unsigned i = 0; i < s->n_listen && !error; i++) {
		char *method = strdup(s->listen[i]);
		const char *options = method ? split_options(method) : NULL;

		if (!options)
			abort();
		if (!controller_there(&server->d, method, options))
			error = openflow_add(server->d.openflow, method, options, r);
		free(method);
	}
	return error;
}

static int open_collectors(struct server *server, const struct settings *s, struct refusal *r)
{
	char path[4200];

	snprintf(path, sizeof path, "%s/samples.sock", s->run_dir);
	server->d.collectors = collectors_create(server->d.base, server->d.ofproto, path);
	return collectors_restore(&server->d, r);
}

/* Whether it crashed again and again: then rules are bypassed until somebody has looked, from the
 * first packet on. */
static bool crashes(struct server *server, const struct settings *s)
{
	char path[PATH_SIZE + 16];
	int sig, error;

	if (!strcmp(s->db, ":memory:"))
		return false;
	snprintf(path, sizeof path, "%s-crashes", s->db);
	error = crash_watch(path);
	if (error)
		LOG(WARN, "sluiced: %s: %s; crashes will not be known of", path, strerror(-error));
	if (error || !crash_loop(&sig))
		return false;
	LOG(ERR,
	    "sluiced: crashed %u times within a minute, the last time by signal %d (%s): packets "
	    "go "
	    "by routes alone until `sluice-ctl panic off`",
	    CRASH_LOOP, sig, strsignal(sig));
	panic_set(server->panic, panic_state(server->panic) | PANIC_PASS);
	return true;
}

/* Everything up to the management socket, which comes last: who can reach it finds all ready. */
static int open_server(struct server *server, const struct settings *s, struct refusal *r)
{
	const struct ofproto_config config = {.db = s->db,
					      .lab_null = s->lab_null,
					      .n_workers = s->n_workers,
					      .cpus = s->cpu,
					      .spin_us = s->spin_us,
					      .panic = server->panic,
					      .set_aside = crashes(server, s)};

	server->d.ofproto = ofproto_create(&config, r);
	if (!server->d.ofproto)
		return -EINVAL;
	if (config.set_aside)
		crash_forget();
	ofproto_panic_run(server->d.ofproto, &(struct refusal){0});
	server->d.started_ns = ofproto_now(server->d.ofproto);
	if (open_openflow(server, r) || open_collectors(server, s, r))
		return -EINVAL;
	if (open_events(server))
		return refuse(r, SYSTEM, "", "no memory for events");
	return 0;
}

static void close_server(struct server *server)
{
	if (server->d.ofproto)
		ofproto_sync(server->d.ofproto, &(struct refusal){0}); /* who waits, hears */
	readings_free(&server->d);                                     /* who waits, hears */
	mgmt_destroy(server->mgmt);
	mgmt_destroy(server->watch);
	if (server->d.openflow) {
		openflow_destroy(server->d.openflow);
		unlink(server->openflow_path);
	}
	collectors_destroy(server->d.collectors);
	confirms_free(&server->d.confirms);
	watcher_free(&server->d);
	if (server->d.ofproto)
		ofproto_destroy(server->d.ofproto);
	panic_close(server->panic);
	crash_unwatch();
	for (unsigned i = 0; i < 5; i++) {
		struct event *e =
			(struct event *[]){server->ofproto_event, server->timer, server->sigterm,
					   server->sigint, server->panic_event}[i];
		if (e)
			event_free(e);
	}
	if (server->d.base)
		event_base_free(server->d.base);
	if (server->panic_fd >= 0)
		close(server->panic_fd);
	if (server->run_dir_fd >= 0)
		close(server->run_dir_fd);
}

static int serve(struct server *server, const struct settings *s)
{
	struct refusal r = {0};
	struct config_error e;

	server->d.base = event_base_new();
	if (!server->d.base)
		refuse(&r, SYSTEM, "", "no memory for events");
	if (!server->d.base || privileges_drop(&r) || open_panic(server, s, &r) ||
	    open_server(server, s, &r))
		return refused(&r);
	if (s->config && config_apply(&server->d, s->config, &e))
		return config_refused(s, s->config, &e);
	if (open_listeners(server, s, &r))
		return refused(&r);
	if (s->pidfile && pidfile_write(s->pidfile, &r))
		return refused(&r);
	server->has_pidfile = s->pidfile;
	server->watch = mgmt_create(&server->d, server->watch_path, ORIGIN_WATCH, &r);
	if (server->watch)
		server->mgmt = mgmt_create(&server->d, server->mgmt_path, ORIGIN_CLI, &r);
	if (!server->mgmt)
		return refused(&r);
	if (s->detach)
		log_to_syslog("sluiced");
	detach_ready();
	LOG(INFO, "sluiced: ready at %s", server->mgmt_path);
	loop(server);
	return DONE;
}

static bool path_of(char path[PATH_SIZE], const char *dir, const char *name)
{
	return snprintf(path, PATH_SIZE, "%s/%s", dir, name) < PATH_SIZE;
}

static int run_daemon(const struct settings *s)
{
	struct server server = {.run_dir_fd = -1, .panic_fd = -1};
	struct refusal r = {0};
	int status, error;

	if (!path_of(server.mgmt_path, s->run_dir, "mgmt.sock") ||
	    !path_of(server.watch_path, s->run_dir, "watch.sock") ||
	    !path_of(server.openflow_path, s->run_dir, "openflow.sock"))
		return misused("--run-dir is too long");
	server.run_dir_fd = run_dir_hold(s->run_dir, &r);
	if (server.run_dir_fd < 0)
		return refused(&r);
	if (strcmp(s->db, ":memory:") && parent_dir_make(s->db, "--db", &r))
		return refused(&r);
	if (s->detach && detach(&r))
		return refused(&r);
	error = secrets_lock();
	if (error)
		LOG(INFO, "sluiced: keys cannot be locked in memory (%s): they may be swapped out",
		    strerror(-error));
	status = serve(&server, s);
	close_server(&server);
	if (server.has_pidfile)
		unlink(s->pidfile);
	return status;
}

int main(int argc, char **argv)
{
	struct settings s = {.run_dir = getenv("SLUICE_RUN_DIR"),
			     .db = LOCALSTATEDIR "/lib/sluice/sluice.db",
			     .n_workers = 1,
			     .cpu = {-1}};
	int status = secrets_init();

	if (status) {
		fprintf(stderr, "sluiced: no memory for keys: %s\n", strerror(-status));
		return REFUSED;
	}
	status = parse_options(argc, argv, &s);
	if (status >= 0)
		return status;
	if (!s.run_dir || !*s.run_dir)
		s.run_dir = "/run/sluice";
	signal(SIGPIPE, SIG_IGN);
	process_harden();
	return s.offline ? run_offline(&s) : run_daemon(&s);
}
