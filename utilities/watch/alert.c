/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/alert.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/log.h"
#include "utilities/watch/alert-way.h"

struct said {
	uint64_t thing; /* 0: free */
	uint64_t ns, suppressed;
};

struct alerts {
	struct alert_sink sink;
	struct alerts_config config;
	struct alert_counters n;
	struct said said[ALERT_MEMORY];
	struct alert_way web, command;
	int log_fd;
};

/* ---- Ways -------------------------------------------------------------------------------- */

void way_init(struct alert_way *w, const struct alerts_config *c, struct alert_counters *n)
{
	*w = (struct alert_way){.config = *c, .n = n, .last = &w->first};
}

static void letter_free(struct letter *l)
{
	free(l->to);
	free(l->text);
	free(l);
}

/* Until enough are under way. */
static void way_go(struct alert_way *w)
{
	while (w->first && w->n_under_way < w->max) {
		struct letter *l = w->first;

		w->first = l->next;
		if (!w->first)
			w->last = &w->first;
		w->n_waiting--;
		if (w->start(l)) {
			w->n->failed++;
			letter_free(l);
			continue;
		}
		l->next = w->under_way;
		w->under_way = l;
		w->n_under_way++;
	}
}

void letter_end(struct letter *l, bool well)
{
	struct alert_way *w = l->way;

	for (struct letter **at = &w->under_way; *at; at = &(*at)->next)
		if (*at == l) {
			*at = l->next;
			break;
		}
	w->n_under_way--;
	if (well)
		w->n->sent++;
	else
		w->n->failed++;
	letter_free(l);
	way_go(w);
}

void way_post(struct alert_way *w, const char *to, const char *text)
{
	struct letter *l;

	if (w->n_waiting >= ALERT_QUEUE_MAX) {
		w->n->lost++;
		return;
	}
	l = calloc(1, sizeof *l);
	if (!l)
		abort();
	l->way = w;
	l->to = strdup(to);
	l->text = strdup(text);
	if (!l->to || !l->text)
		abort();
	*w->last = l;
	w->last = &l->next;
	w->n_waiting++;
	way_go(w);
}

void way_free(struct alert_way *w)
{
	while (w->under_way) {
		struct letter *l = w->under_way;

		w->under_way = l->next;
		w->stop(l);
		letter_free(l);
	}
	while (w->first) {
		struct letter *l = w->first;

		w->first = l->next;
		letter_free(l);
	}
}

/* ---- syslog ------------------------------------------------------------------------------ */

/* Not by syslog(3), which waits when the log does. */
static int log_socket(struct alerts *a)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *path = a->config.log_socket ? a->config.log_socket : "/dev/log";

	if (a->log_fd >= 0)
		return a->log_fd;
	if (strlen(path) >= sizeof addr.sun_path)
		return -1;
	strcpy(addr.sun_path, path);
	a->log_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->log_fd >= 0 && connect(a->log_fd, (struct sockaddr *)&addr, sizeof addr)) {
		close(a->log_fd);
		a->log_fd = -1;
	}
	return a->log_fd;
}

static void to_syslog(struct alerts *a, const char *text)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	char line[2048];
	struct tm tm;
	time_t now = time(NULL);
	int n;

	localtime_r(&now, &tm);
	n = snprintf(line, sizeof line, "<%d>%s %2d %02d:%02d:%02d sluice-watch[%d]: %s",
		     LOG_DAEMON | LOG_WARNING, months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min,
		     tm.tm_sec, (int)getpid(), text);
	n = MIN(n, (int)sizeof line - 1);
	/* Once more on a new socket: the log may have been started anew. */
	for (unsigned tries = 0; tries < 2; tries++) {
		int fd = log_socket(a);

		if (fd >= 0 && send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n) {
			a->n.sent++;
			return;
		}
		if (fd >= 0 && errno == EAGAIN)
			break;
		if (a->log_fd >= 0)
			close(a->log_fd);
		a->log_fd = -1;
	}
	a->n.failed++;
	LOG(WARN, "alert: the system's log does not take an alert");
}

/* ---- Once -------------------------------------------------------------------------------- */

static uint64_t hash_text(uint64_t h, const char *text)
{
	for (; text && *text; text++)
		h = hash_add(h, (uint8_t)*text);
	return hash_add(h, 0x100);
}

/* Way, pipeline, what, and the attack as far as it does not change: its target and kind. */
static uint64_t thing_of(const char *to, const json_t *entry)
{
	static const char *const of_attack[] = {"kind", "target"};
	const json_t *attack = json_object_get(entry, "attack");
	uint64_t h = hash_text(hash_seed, to);

	h = hash_text(h, json_string_value(json_object_get(entry, "pipeline")));
	h = hash_text(h, json_string_value(json_object_get(entry, "what")));
	h = hash_text(h, json_string_value(attack));
	for (unsigned i = 0; i < ARRAY_SIZE(of_attack); i++) {
		h = hash_text(h, json_string_value(json_object_get(attack, of_attack[i])));
		h = hash_text(h, json_string_value(json_object_get(entry, of_attack[i])));
	}
	h = hash_mix(h);
	return h ? h : 1;
}

/* Whether it may be said now; *suppressed is how often it was not since it last was. */
static bool admitted(struct alerts *a, uint64_t thing, uint64_t ns, uint64_t *suppressed)
{
	struct said *at = &a->said[0];

	for (struct said *s = a->said; s < a->said + ALERT_MEMORY; s++) {
		if (s->thing == thing) {
			at = s;
			break;
		}
		if (at->thing && (!s->thing || s->ns < at->ns))
			at = s; /* a free one, or the oldest */
	}
	if (at->thing == thing && ns - at->ns < ALERT_INTERVAL_NS) {
		at->suppressed++;
		a->n.suppressed++;
		return false;
	}
	*suppressed = at->thing == thing ? at->suppressed : 0;
	*at = (struct said){thing, ns, 0};
	return true;
}

static void alert(struct alert_sink *sink, const char *to, const json_t *entry)
{
	struct alerts *a = container_of(sink, struct alerts, sink);
	json_int_t ns = json_integer_value(json_object_get(entry, "ns"));
	uint64_t suppressed;
	json_t *whole;
	char *text;

	if (!admitted(a, thing_of(to, entry), (uint64_t)ns, &suppressed))
		return;
	whole = json_copy((json_t *)entry);
	json_object_set_new(whole, "suppressed", json_integer((json_int_t)suppressed));
	text = json_dumps(whole, JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(whole);
	if (!text)
		abort();
	if (!strcmp(to, "syslog"))
		to_syslog(a, text);
	else if (!strncmp(to, "webhook:", strlen("webhook:")))
		way_post(&a->web, to + strlen("webhook:"), text);
	else if (!strncmp(to, "command:", strlen("command:")))
		way_post(&a->command, to + strlen("command:"), text);
	else
		a->n.failed++;
	free(text);
}

int alert_check(const char *to, struct refusal *r)
{
	if (!strcmp(to, "syslog"))
		return 0;
	if (!strncmp(to, "webhook:", strlen("webhook:")))
		return web_check(to + strlen("webhook:"), r);
	if (!strncmp(to, "command:", strlen("command:")))
		return command_check(to + strlen("command:"), r);
	/* What stands behind a colon may be a secret under a misspelt name. */
	return refuse(r, BAD_VALUE, "alert",
		      "option alert: '%.*s' is not known; accepted, with commas between: syslog, "
		      "webhook:URL, command:FILE",
		      (int)MIN(strcspn(to, ":"), 40u), to);
}

/* ---- The whole --------------------------------------------------------------------------- */

struct alerts *alerts_create(const struct alerts_config *c)
{
	struct alerts *a = calloc(1, sizeof *a);

	if (!a)
		abort();
	a->sink.alert = alert;
	a->config = *c;
	a->log_fd = -1;
	way_init(&a->web, c, &a->n);
	web_init(&a->web);
	way_init(&a->command, c, &a->n);
	command_init(&a->command);
	return a;
}

void alerts_free(struct alerts *a)
{
	if (!a)
		return;
	way_free(&a->web);
	web_free(&a->web);
	way_free(&a->command);
	command_free(&a->command);
	if (a->log_fd >= 0)
		close(a->log_fd);
	free(a);
}

struct alert_sink *alerts_sink(struct alerts *a)
{
	return &a->sink;
}

void alerts_counters(const struct alerts *a, struct alert_counters *out)
{
	*out = a->n;
}

bool alerts_idle(const struct alerts *a)
{
	return !a->web.first && !a->web.under_way && !a->command.first && !a->command.under_way;
}
