/* SPDX-License-Identifier: Apache-2.0 */
/* sluice-watch: samples in, decisions out; or one --replay of a capture.
 *
 * One thread, one libevent loop: inputs, the link to sluiced, alerts, and a tick.  Exit status: 0
 * asked to end (SIGTERM, SIGINT), or the replay is over; 1 refused; 2 wrong usage. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/log.h"
#include "utilities/help.h"
#include "utilities/process.h"
#include "utilities/watch/alert.h"
#include "utilities/watch/audit.h"
#include "utilities/watch/guard-text.h"
#include "utilities/watch/input.h"
#include "utilities/watch/run-replay.h"
#include "utilities/watch/switch.h"

enum { DONE, REFUSED, MISUSED };
enum { INPUTS_MAX = INPUT_MAX / 2 };
#define SAVE_NS   (60 * NSEC_PER_SEC)
#define REBIND_NS NSEC_PER_SEC

struct settings {
	const char *run_dir, *pipelines, *state, *audit, *replay, *pidfile;
	const char *sflow[INPUTS_MAX], *json[INPUTS_MAX];
	unsigned n_sflow, n_json;
	bool detach;
};

struct watcher {
	const struct settings *settings;
	struct event_base *base;
	struct watch *watch;
	struct audit_file *audit;
	struct alerts *alerts;
	struct switch_link *link;
	struct inputs *inputs;  /* sFlow over UDP, JSON */
	struct inputs *samples; /* samples.sock; NULL: cannot be bound now */
	struct event *tick, *sighup, *sigterm, *sigint;
	uint64_t tick_ns, save_ns, bind_ns;
	bool said_unbound;
	char samples_path[4096], link_path[4096];
};

static int misused(const char *text)
{
	fprintf(stderr, "sluice-watch: %s; see --help\n", text);
	return MISUSED;
}

static int refused(const struct refusal *r)
{
	fprintf(stderr, "sluice-watch: %s: %s\n", refusal_name(r->code), r->text);
	return REFUSED;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* ---- Options ---- */

static int add(const char **list, unsigned *n, const char *value, const char *too_many)
{
	if (*n == INPUTS_MAX)
		return misused(too_many);
	list[(*n)++] = value;
	return 0;
}

static int take_option(int option, const char *word, struct settings *s)
{
	struct refusal r;

	switch (option) {
	case 'r':
		s->run_dir = optarg;
		return 0;
	case 'P':
		s->pipelines = optarg;
		return 0;
	case 's':
		s->state = optarg;
		return 0;
	case 'a':
		s->audit = optarg;
		return 0;
	case 'f':
		return add(s->sflow, &s->n_sflow, optarg, "more than 8 --sflow");
	case 'j':
		return add(s->json, &s->n_json, optarg, "more than 8 --json");
	case 'R':
		s->replay = optarg;
		return 0;
	case 'L':
		return log_configure(optarg, &r) ? misused(r.text) : 0;
	case 'D':
		s->detach = true;
		return 0;
	case 'p':
		s->pidfile = optarg;
		return 0;
	default:
		fprintf(stderr,
			"sluice-watch: no option %.60s, or its value is missing; see --help\n",
			word);
		return MISUSED;
	}
}

/* Returns -1 to go on, or the status to exit with. */
static int parse_options(int argc, char **argv, struct settings *s)
{
	static const struct option options[] = {{"run-dir", required_argument, NULL, 'r'},
						{"pipelines", required_argument, NULL, 'P'},
						{"state", required_argument, NULL, 's'},
						{"audit", required_argument, NULL, 'a'},
						{"sflow", required_argument, NULL, 'f'},
						{"json", required_argument, NULL, 'j'},
						{"replay", required_argument, NULL, 'R'},
						{"log", required_argument, NULL, 'L'},
						{"detach", no_argument, NULL, 'D'},
						{"pidfile", required_argument, NULL, 'p'},
						{"help", no_argument, NULL, 'h'},
						{"help-pipeline", no_argument, NULL, 'W'},
						{"version", no_argument, NULL, 'V'},
						{NULL, 0, NULL, 0}};
	int option, status;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		if (option == 'h' || option == 'W') {
			(option == 'h' ? help_watch : help_pipeline)(stdout);
			return DONE;
		}
		if (option == 'V') {
			puts("sluice-watch (" PACKAGE_STRING ")");
			return DONE;
		}
		status = take_option(option, argv[optind - 1], s);
		if (status)
			return status;
	}
	if (optind < argc)
		return misused("there are options only");
	if (s->replay && (s->n_sflow || s->n_json || s->detach || s->pidfile))
		return misused("--replay goes with --pipelines, --state and --audit only");
	return -1;
}

/* ---- What was learned ---- */

static void learned_load(struct traffic *t, const char *file)
{
	struct refusal r = {0};

	if (access(file, F_OK) && errno == ENOENT)
		return;
	if (traffic_load(t, file, &r))
		LOG(WARN, "state: %s; what is usual is learned anew", r.text);
}

static void learned_save(struct watcher *w)
{
	const char *file = w->settings->state;
	int error = traffic_save(watch_traffic(w->watch), file);

	if (error)
		LOG(WARN, "state: %s: %s; what is usual is not kept", file, strerror(-error));
}

/* The wall's clock may have been set. */
static void wall_set(struct watcher *w)
{
	traffic_set_wall(watch_traffic(w->watch),
			 ((int64_t)clock_ns(CLOCK_REALTIME) - (int64_t)now_ns()) /
				 (int64_t)NSEC_PER_SEC);
}

/* ---- The link to sluiced ---- */

static void on_adopt(void *arg, const struct guard_rule *rule)
{
	struct watcher *w = arg;

	watch_adopt(w->watch, rule);
}

static void on_connected(void *arg)
{
	struct watcher *w = arg;

	watch_connected(w->watch);
}

static void on_automation(void *arg, bool on)
{
	struct watcher *w = arg;

	watch_set_automation(w->watch, on);
}

static void put(json_t *object, const char *key, uint64_t v)
{
	json_object_set_new(object, key, json_integer((json_int_t)MIN(v, (uint64_t)INT64_MAX)));
}

static json_t *read_report(const struct read_counters *n)
{
	json_t *row = json_object();

	put(row, "datagrams", n->datagrams);
	put(row, "samples", n->samples);
	put(row, "lines", n->lines);
	put(row, "records", n->records);
	put(row, "malformed", n->malformed);
	put(row, "ignored", n->ignored);
	put(row, "lost", n->lost);
	return row;
}

static json_t *inputs_report(const struct inputs *in)
{
	struct input_counters n = {0};
	json_t *row = json_object();

	if (in)
		inputs_counters(in, &n);
	json_object_set_new(row, "sflow", read_report(&n.sflow));
	json_object_set_new(row, "json", read_report(&n.json));
	put(row, "kernel_drops", n.kernel_drops);
	put(row, "errors", n.errors);
	return row;
}

static json_t *on_report(void *arg)
{
	struct watcher *w = arg;
	json_t *report = watch_report(w->watch, now_ns()), *row;
	struct alert_counters alerts;
	struct audit_counters audit = audit_file_counters(w->audit);
	struct switch_state link;

	alerts_counters(w->alerts, &alerts);
	switch_state(w->link, &link);
	json_object_set_new(report, "samples_sock", inputs_report(w->samples));
	json_object_set_new(report, "inputs", inputs_report(w->inputs));
	row = json_object();
	put(row, "sent", alerts.sent);
	put(row, "suppressed", alerts.suppressed);
	put(row, "failed", alerts.failed);
	put(row, "lost", alerts.lost);
	json_object_set_new(report, "alerts", row);
	row = json_object();
	put(row, "written", audit.written);
	put(row, "failed", audit.failed);
	json_object_set_new(report, "audit", row);
	row = json_object();
	put(row, "connects", link.n_connects);
	put(row, "calls", link.n_calls);
	put(row, "refused", link.n_refused);
	put(row, "again", link.n_again);
	put(row, "queued", link.n_queued);
	put(row, "rules", link.n_rules);
	json_object_set_new(report, "link", row);
	return report;
}

/* ---- Inputs ---- */

/* The run directory may come later, and go with sluiced. */
static int samples_bind(struct watcher *w, struct refusal *r)
{
	struct stat st;

	w->bind_ns = now_ns();
	if (w->samples && !stat(w->samples_path, &st))
		return 0;
	inputs_free(w->samples);
	w->samples = inputs_create(w->base, watch_sink(w->watch));
	if (!input_unix(w->samples, w->samples_path, r)) {
		w->said_unbound = false;
		return 0;
	}
	inputs_free(w->samples);
	w->samples = NULL;
	if (!w->said_unbound)
		LOG(INFO, "watch: %s; trying again each second", r->text);
	w->said_unbound = true;
	return -EINVAL;
}

static int open_inputs(struct watcher *w, struct refusal *r)
{
	const struct settings *s = w->settings;

	w->inputs = inputs_create(w->base, watch_sink(w->watch));
	for (unsigned i = 0; i < s->n_sflow; i++)
		if (input_udp(w->inputs, s->sflow[i], r))
			return -EINVAL;
	for (unsigned i = 0; i < s->n_json; i++)
		if (input_json(w->inputs, s->json[i], r))
			return -EINVAL;
	/* Another watcher is there to stay; that a folder is missing is not. */
	if (samples_bind(w, r) && r->code != REFUSED_SYSTEM)
		return -EINVAL;
	return 0;
}

/* ---- The loop ---- */

static void on_tick(evutil_socket_t fd, short events, void *arg)
{
	struct watcher *w = arg;
	uint64_t now = now_ns();

	(void)fd;
	(void)events;
	switch_tick(w->link, now);
	if (now - w->tick_ns >= TRAFFIC_TICK_NS) {
		w->tick_ns = now;
		watch_tick(w->watch, now);
	}
	if (now - w->bind_ns >= REBIND_NS)
		samples_bind(w, &(struct refusal){0});
	if (now - w->save_ns >= SAVE_NS) {
		w->save_ns = now;
		wall_set(w);
		learned_save(w);
	}
}

static void on_sighup(evutil_socket_t number, short events, void *arg)
{
	struct watcher *w = arg;
	struct refusal r = {0};

	(void)number;
	(void)events;
	LOG(INFO, "watch: pipelines are read again");
	if (watch_reload(w->watch, &r))
		LOG(WARN, "watch: not all are as their files say: %s", r.text);
	if (audit_file_reopen(w->audit, &r))
		LOG(WARN, "audit: %s", r.text);
}

static void on_end(evutil_socket_t number, short events, void *arg)
{
	struct watcher *w = arg;

	(void)events;
	LOG(INFO, "watch: signal %d: ending", (int)number);
	event_base_loopbreak(w->base);
}

static int open_events(struct watcher *w)
{
	const struct timeval tick = {0, SWITCH_TICK_NS / 1000};

	w->tick = event_new(w->base, -1, EV_PERSIST, on_tick, w);
	w->sighup = evsignal_new(w->base, SIGHUP, on_sighup, w);
	w->sigterm = evsignal_new(w->base, SIGTERM, on_end, w);
	w->sigint = evsignal_new(w->base, SIGINT, on_end, w);
	if (!w->tick || !w->sighup || !w->sigterm || !w->sigint)
		return -ENOMEM;
	event_add(w->tick, &tick);
	event_add(w->sighup, NULL);
	event_add(w->sigterm, NULL);
	event_add(w->sigint, NULL);
	return 0;
}

static int open_link(struct watcher *w, struct refusal *r)
{
	const struct switch_owner owner = {.adopt = on_adopt,
					   .connected = on_connected,
					   .automation = on_automation,
					   .report = on_report,
					   .arg = w};

	port_names = &learned_names;
	w->link = switch_create(w->base, w->link_path, &owner, now_ns(), r);
	return w->link ? 0 : -EINVAL;
}

static int open_watcher(struct watcher *w, struct refusal *r)
{
	const struct settings *s = w->settings;
	struct watch_config config = {.pipelines = s->pipelines};

	w->base = event_base_new();
	if (!w->base)
		return refuse(r, SYSTEM, "", "no memory for events");
	w->audit = audit_file_open(s->audit, r);
	if (!w->audit || open_link(w, r))
		return -EINVAL;
	w->alerts = alerts_create(&(struct alerts_config){.base = w->base});
	config.actuator = switch_actuator(w->link);
	config.audit = audit_file_audit(w->audit);
	config.alerts = alerts_sink(w->alerts);
	w->watch = watch_create(&config, r);
	if (!w->watch)
		return -EINVAL;
	wall_set(w);
	learned_load(watch_traffic(w->watch), s->state);
	w->save_ns = now_ns();
	if (open_inputs(w, r))
		return -EINVAL;
	if (open_events(w))
		return refuse(r, SYSTEM, "", "no memory for events");
	return 0;
}

static void close_watcher(struct watcher *w)
{
	struct event *events[] = {w->tick, w->sighup, w->sigterm, w->sigint};

	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		if (events[i])
			event_free(events[i]);
	inputs_free(w->samples);
	inputs_free(w->inputs);
	if (w->watch)
		watch_free(w->watch); /* it lets go of the link */
	switch_free(w->link);
	alerts_free(w->alerts);
	audit_file_free(w->audit);
	if (w->base)
		event_base_free(w->base);
}

static int serve(struct watcher *w)
{
	const struct settings *s = w->settings;
	struct refusal r = {0};

	privileges_drop_all();
	if (open_watcher(w, &r))
		return refused(&r);
	if (s->pidfile && pidfile_write(s->pidfile, &r))
		return refused(&r);
	if (s->detach)
		log_to_syslog("sluice-watch");
	detach_ready();
	LOG(INFO, "watch: ready, for %s", s->run_dir);
	event_base_dispatch(w->base);
	learned_save(w);
	if (s->pidfile)
		unlink(s->pidfile);
	return DONE;
}

static int run_live(const struct settings *s)
{
	struct watcher w = {.settings = s};
	struct refusal r = {0};
	int status;

	if ((size_t)snprintf(w.samples_path, sizeof w.samples_path, "%s/samples.sock",
			     s->run_dir) >= sizeof w.samples_path)
		return misused("--run-dir is too long");
	snprintf(w.link_path, sizeof w.link_path, "%s/watch.sock", s->run_dir);
	if (parent_dir_make(s->state, "--state", &r) ||
	    (strcmp(s->audit, "-") && parent_dir_make(s->audit, "--audit", &r)))
		return refused(&r);
	if (s->detach && detach(&r))
		return refused(&r);
	status = serve(&w);
	close_watcher(&w);
	return status;
}

static int run_capture(const struct settings *s)
{
	struct refusal r = {0};

	return run_replay(&(struct run_replay){s->replay, s->pipelines, s->state, s->audit}, &r)
		       ? refused(&r)
		       : DONE;
}

int main(int argc, char **argv)
{
	struct settings s = {.run_dir = getenv("SLUICE_RUN_DIR"),
			     .pipelines = SYSCONFDIR "/sluice/watch.d"};
	int status = parse_options(argc, argv, &s);

	if (status >= 0)
		return status;
	if (!s.run_dir || !*s.run_dir)
		s.run_dir = "/run/sluice";
	signal(SIGPIPE, SIG_IGN);
	if (s.replay)
		return run_capture(&s);
	if (!s.state)
		s.state = LOCALSTATEDIR "/lib/sluice-watch/state";
	if (!s.audit)
		s.audit = LOCALSTATEDIR "/log/sluice-watch/audit.json";
	prctl(PR_SET_DUMPABLE, 0); /* a webhook's URL may hold a token */
	hash_seed_random();
	return run_live(&s);
}
