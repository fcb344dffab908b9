/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/refuse.h"

enum { LINES_A_SECOND = 10, LINE_MAX_OCTETS = 1024, MODULES_MAX = 32, MODULE_TEXT = 32 };

struct levels {
	enum log_level otherwise;
	unsigned n;
	struct {
		char name[MODULE_TEXT];
		enum log_level level;
	} module[MODULES_MAX];
};

static const char *const words[] = {"err", "warn", "info", "debug", NULL};
static const char *const names[] = {"ERR", "WARN", "INFO", "DEBUG"};
static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

/* `lock` guards all that follows and every call site's count. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct levels levels = {.otherwise = LOG_INFO_};
static bool to_syslog;
static char ident[64];
/* The most talkative level in use: what is beyond it costs one load. */
static enum log_level most = LOG_INFO_;

static enum log_level level_of_module(const struct levels *l, const char *name, size_t size)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strlen(l->module[i].name) == size && !memcmp(l->module[i].name, name, size))
			return l->module[i].level;
	return l->otherwise;
}

static uint64_t second_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec;
}

/* Whether the site may speak now; *held_back is what it owes since it last could. */
static bool site_admits(struct log_site *site, uint32_t *held_back)
{
	uint64_t now = second_now();

	*held_back = 0;
	if (site->second != now) {
		*held_back = site->held_back;
		*site = (struct log_site){.second = now};
	}
	if (site->n >= LINES_A_SECOND) {
		site->held_back++;
		return false;
	}
	site->n++;
	return true;
}

static void write_all(const char *p, size_t size)
{
	while (size) {
		ssize_t n = write(STDERR_FILENO, p, size);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			p += n;
			size -= (size_t)n;
		}
	}
}

static void emit_stderr(enum log_level level, const char *text)
{
	char line[LINE_MAX_OCTETS + 128], date[32];
	struct timespec ts;
	struct tm tm;
	int n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(line, sizeof line, "%s.%03ldZ %s %s\n", date, ts.tv_nsec / 1000000,
		     names[level], text);
	write_all(line, (size_t)n);
}

void log_line(struct log_site *site, enum log_level level, const char *fmt, ...)
{
	char text[LINE_MAX_OCTETS];
	int saved = errno, n;
	uint32_t held_back;
	bool admitted, sys;
	va_list args;

	if (level > __atomic_load_n(&most, __ATOMIC_RELAXED))
		return;
	va_start(args, fmt);
	n = vsnprintf(text, sizeof text - 48, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	/* A name that a stranger chose begins no line of its own. */
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	pthread_mutex_lock(&lock);
	admitted = level <= level_of_module(&levels, text, strcspn(text, ":")) &&
		   site_admits(site, &held_back);
	sys = to_syslog;
	pthread_mutex_unlock(&lock);
	if (admitted) {
		size_t size = strlen(text);

		if (held_back)
			snprintf(text + size, sizeof text - size, " (%u lines like this held back)",
				 held_back);
		if (sys)
			syslog(priorities[level], "%s", text);
		else
			emit_stderr(level, text);
	}
	errno = saved;
}

static int parse_level(const char *word, enum log_level *level, struct refusal *r)
{
	for (unsigned i = 0; words[i]; i++) {
		if (!strcmp(word, words[i])) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return refuse(r, BAD_VALUE, "log", "log level '%.40s' is not one of err, warn, info, debug",
		      word);
}

static int parse_item(char *item, struct levels *l, struct refusal *r)
{
	char *colon = strchr(item, ':');

	if (!colon)
		return parse_level(item, &l->otherwise, r);
	*colon = '\0';
	if (colon == item || colon - item >= MODULE_TEXT)
		return refuse(r, BAD_VALUE, "log",
			      "log module '%.40s' is not a name of 1 to %d letters", item,
			      MODULE_TEXT - 1);
	if (l->n == MODULES_MAX)
		return refuse(r, LIMIT, "log", "a log specification names at most %d modules",
			      MODULES_MAX);
	strcpy(l->module[l->n].name, item);
	return parse_level(colon + 1, &l->module[l->n++].level, r);
}

int log_configure(const char *spec, struct refusal *r)
{
	struct levels fresh = {.otherwise = LOG_INFO_};
	char copy[1024], *at = copy, *item;
	enum log_level top;
	int error;

	if (strlen(spec) >= sizeof copy)
		return refuse(r, LIMIT, "log", "a log specification has at most %zu characters",
			      sizeof copy - 1);
	strcpy(copy, spec);
	while ((item = strsep(&at, ","))) {
		error = parse_item(item, &fresh, r);
		if (error)
			return error;
	}
	top = fresh.otherwise;
	for (unsigned i = 0; i < fresh.n; i++)
		top = MAX(top, fresh.module[i].level);
	pthread_mutex_lock(&lock);
	levels = fresh;
	__atomic_store_n(&most, top, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&lock);
	return 0;
}

void log_to_syslog(const char *program)
{
	pthread_mutex_lock(&lock);
	/* openlog() keeps the pointer. */
	snprintf(ident, sizeof ident, "%s", program);
	openlog(ident, LOG_PID | LOG_NDELAY, LOG_DAEMON);
	to_syslog = true;
	pthread_mutex_unlock(&lock);
}

void log_to_stderr(void)
{
	pthread_mutex_lock(&lock);
	if (to_syslog)
		closelog();
	to_syslog = false;
	pthread_mutex_unlock(&lock);
}
