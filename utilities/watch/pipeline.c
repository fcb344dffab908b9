/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/pipeline.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/file.h"
#include "ctl/words.h"
#include "lib/hash.h"
#include "utilities/watch/alert.h"

enum { LINE_SIGNAL, LINE_POLICY, LINE_ACTION, N_LINES };
static const char *const line_names[N_LINES + 1] = {"signal", "policy", "action", NULL};

/* Where reading stands, for refusals. */
struct reading {
	const struct pipeline_text *t;
	struct pipeline *p;
	struct options *words; /* of the line that is read */
	unsigned line, column;
	unsigned at; /* octets into the value of the option at fault */
	bool placed; /* the refusal already says where */
	unsigned seen[N_LINES];
	struct refusal *r;
};

/* ---- Values ------------------------------------------------------------------------------ */

/* What a message may repeat of a value. */
static const char *shown(const char *value, size_t size, char buf[48])
{
	snprintf(buf, 48, "%.*s", (int)MIN(size, 47u), value);
	for (char *c = buf; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return buf;
}

static bool list_add(struct prefix_list *l, const char *text, size_t size)
{
	char word[PREFIX_TEXT];
	struct ip_prefix p;

	if (!size || size >= sizeof word)
		return false;
	memcpy(word, text, size);
	word[size] = '\0';
	if (strlen(word) != size || !ip_prefix_parse(word, &p))
		return false;
	if (!(l->n & (l->n - 1))) { /* a power of two is full */
		size_t room = l->n ? 2 * (size_t)l->n : 1;

		l->prefix = realloc(l->prefix, room * sizeof *l->prefix);
		if (!l->prefix)
			abort();
	}
	l->prefix[l->n++] = p;
	return true;
}

/* One prefix a line, white space around it, `#` begins a comment. */
static int list_lines(struct reading *g, const char *file, struct prefix_list *l, char *text,
		      size_t size)
{
	char *end = text + size;
	char buf[48];

	for (unsigned line = 1; text < end; line++) {
		char *next = memchr(text, '\n', (size_t)(end - text));
		char *stop = next ? next : end, *hash = memchr(text, '#', (size_t)(stop - text));
		char *begin = text, *from = text, *to = hash ? hash : stop;

		while (from < to && isspace((unsigned char)*from))
			from++;
		while (to > from && isspace((unsigned char)to[-1]))
			to--;
		text = stop + 1;
		if (from == to)
			continue;
		g->placed = true;
		if (l->n == PIPELINE_PREFIXES)
			return refuse(g->r, LIMIT, NULL,
				      "%.120s:%u:1: one prefix too many; at most %d are accepted",
				      file, line, PIPELINE_PREFIXES);
		if (!list_add(l, from, (size_t)(to - from)))
			return refuse(g->r, BAD_VALUE, NULL,
				      "%.120s:%u:%u: '%s' is no prefix; accepted: 10.0.0.0/8, "
				      "2001:db8::/32, one a line",
				      file, line, (unsigned)(from - begin) + 1,
				      shown(from, (size_t)(to - from), buf));
		g->placed = false;
	}
	return 0;
}

static int list_file(struct reading *g, const char *key, const char *name, struct prefix_list *l)
{
	char file[512], *text;
	struct refusal why = {0};
	size_t size;
	int error;

	if (!g->t->folder)
		return refuse(g->r, NOT_HERE, key,
			      "option %s: @FILE is not accepted here; prefixes are", key);
	if (snprintf(file, sizeof file, "%s%s%s", *name == '/' ? "" : g->t->folder,
		     *name == '/' ? "" : "/", name) >= (int)sizeof file)
		return refuse(g->r, LIMIT, key, "option %s: the name of its file is too long", key);
	if (file_read(file, 1 << 20, &text, &size, &why))
		return refuse(g->r, SYSTEM, key, "option %s: %.200s", key, why.text);
	error = list_lines(g, file, l, text, size);
	free(text);
	return error;
}

/* `10.0.0.0/8,2001:db8::/32` or `@FILE`. */
static int option_prefixes(struct reading *g, const char *key, struct prefix_list *l)
{
	const char *value = option(g->words, key), *at = value;
	char buf[48];

	if (!value)
		return 0;
	if (*value == '@')
		return list_file(g, key, value + 1, l);
	for (;; at++) {
		size_t size = strcspn(at, ",");

		g->at = (unsigned)(at - value);
		if (l->n == PIPELINE_PREFIXES)
			return refuse(g->r, LIMIT, key,
				      "option %s: one prefix too many; at most %d are accepted",
				      key, PIPELINE_PREFIXES);
		if (!list_add(l, at, size))
			return refuse(g->r, BAD_VALUE, key,
				      "option %s: '%s' is no prefix; accepted: 10.0.0.0/8, "
				      "2001:db8::/32 with commas between, or @FILE",
				      key, shown(at, size, buf));
		at += size;
		if (!*at)
			break;
	}
	g->at = 0;
	return 0;
}

/* `1%`, `0.25%`. */
static int option_share(struct reading *g, const char *key, double *out)
{
	const char *value = option(g->words, key), *at = value;
	double n = 0, unit = 1;
	bool digits = false;
	char buf[48];

	if (!value)
		return 0;
	for (; isdigit((unsigned char)*at) && n <= 100; at++, digits = true)
		n = 10 * n + (*at - '0');
	if (digits && *at == '.')
		for (at++, digits = false; isdigit((unsigned char)*at); at++, digits = true) {
			unit /= 10;
			n += unit * (*at - '0');
		}
	if (!digits || strcmp(at, "%") || n > 100)
		return refuse(
			g->r, BAD_VALUE, key,
			"option %s: '%s' is no share; accepted: 0%% to 100%%, as 1%% or 0.5%%", key,
			shown(value, strlen(value), buf));
	*out = n / 100;
	return 0;
}

/* `N` or `N,M`: prefix lengths of IPv4 and of IPv6. */
static int option_narrow(struct reading *g, struct pipeline *p)
{
	const char *value = option(g->words, "narrow"), *comma;
	uint64_t v4, v6 = p->narrow_v6;
	char head[8], buf[48];

	if (!value)
		return 0;
	comma = strchr(value, ',');
	snprintf(head, sizeof head, "%.*s", comma ? (int)MIN(comma - value, 7) : 7, value);
	if (parse_u64(head, &v4) || v4 > 32 || (comma && (parse_u64(comma + 1, &v6) || v6 > 128)))
		return refuse(g->r, BAD_VALUE, "narrow",
			      "option narrow: '%s' is no prefix length; accepted: 0 to 32 for "
			      "IPv4, and after a comma 0 to 128 for IPv6",
			      shown(value, strlen(value), buf));
	p->narrow_v4 = (uint8_t)v4;
	p->narrow_v6 = (uint8_t)v6;
	return 0;
}

/* The bounds are the guard's: act-limit.c. */
static int option_limit(struct reading *g, struct pipeline *p)
{
	const char *value = option(g->words, "limit");
	char buf[48];

	if (!value)
		return 0;
	p->limit_usual = !strcmp(value, "usual");
	if (!p->limit_usual &&
	    (parse_rate(value, &p->limit) || p->limit.n < (p->limit.packets ? 1 : 1000) ||
	     p->limit.n > 1000000000000))
		return refuse(g->r, BAD_VALUE, "limit",
			      "option limit: '%s' is no rate; accepted: usual, or 1kbps to "
			      "1000gbps, or 1pps to 1000000mpps",
			      shown(value, strlen(value), buf));
	return 0;
}

/* syslog, webhook:URL, command:FILE; a comma ends each. */
static int option_alerts(struct reading *g, struct pipeline *p)
{
	const char *value = option(g->words, "alert"), *at = value;
	int error;

	if (!value)
		return 0;
	for (;; at++) {
		size_t size = strcspn(at, ",");
		char *word = strndup(at, size);

		if (!word)
			abort();
		g->at = (unsigned)(at - value);
		error = alert_check(word, g->r);
		free(word);
		if (error)
			return error;
		if (p->n_alerts == PIPELINE_ALERTS)
			return refuse(g->r, LIMIT, "alert",
				      "option alert: one word too many; at most %d are accepted",
				      PIPELINE_ALERTS);
		p->alert[p->n_alerts] = strndup(at, size);
		if (!p->alert[p->n_alerts++])
			abort();
		at += size;
		if (!*at)
			break;
	}
	g->at = 0;
	return 0;
}

/* A time within bounds. */
static int option_span(struct reading *g, const char *key, uint64_t min_s, uint64_t *ns)
{
	uint64_t v = *ns;

	if (option_time(g->words, key, &v, g->r))
		return -EINVAL;
	if (v < min_s * NSEC_PER_SEC || v > 24 * 3600 * NSEC_PER_SEC)
		return refuse(g->r, BAD_VALUE, key,
			      "option %s: '%s' is out of bounds; accepted: %llus to 24h", key,
			      option(g->words, key), (unsigned long long)min_s);
	*ns = v;
	return 0;
}

/* ---- Lines ------------------------------------------------------------------------------- */

static int read_policy(struct reading *g)
{
	static const char *const modes[] = {"monitor", "ask", "automatic", NULL};
	static const char *const beyonds[] = {"nothing", "limit", NULL};
	struct pipeline *p = g->p;
	unsigned mode = MODE_MONITOR, beyond = 0;
	uint64_t max_rules = p->max_rules;

	if (option_word(g->words, "mode", modes, &mode, g->r) ||
	    option_prefixes(g, "allow", &p->allow) || option_prefixes(g, "protect", &p->protect) ||
	    option_u64(g->words, "max-rules", (struct range){1, 1024}, &max_rules, g->r) ||
	    option_share(g, "collateral", &p->collateral) ||
	    option_word(g->words, "beyond", beyonds, &beyond, g->r) || option_narrow(g, p))
		return -EINVAL;
	p->mode = (uint8_t)mode;
	p->beyond_limit = beyond;
	p->max_rules = (unsigned)max_rules;
	return 0;
}

static int read_action(struct reading *g)
{
	static const char *const thens[] = {"drop", NULL};
	struct pipeline *p = g->p;
	unsigned then = 0;

	p->then_drop = option(g->words, "then") != NULL;
	if (option_limit(g, p) || option_word(g->words, "then", thens, &then, g->r) ||
	    option_span(g, "after", 0, &p->after_ns) ||
	    option_span(g, "expire", 2, &p->expire_ns) || option_span(g, "hold", 0, &p->hold_ns) ||
	    option_alerts(g, p))
		return -EINVAL;
	if (option(g->words, "after") && !p->then_drop)
		return refuse(g->r, BAD_VALUE, "after",
			      "option after: it says when then=drop comes, and that is not there");
	return 0;
}

static int read_options(struct reading *g, unsigned line)
{
	int error;

	if (line == LINE_SIGNAL)
		error = signal_parse(&g->p->signal, g->words, g->r);
	else
		error = line == LINE_POLICY ? read_policy(g) : read_action(g);
	return error ? error : options_finish(g->words, g->r);
}

/* The column of what the refusal is about: its option's value's part, or its word. */
static unsigned column_of(const struct reading *g, const struct line_words *w)
{
	size_t size = strlen(g->r->field);

	for (unsigned i = 1; i < w->n; i++) {
		const char *word = w->word[i];
		size_t key = strcspn(word, "=");

		if (!size && key > 0 && key < 32)
			continue;
		if (size && (strncmp(word, g->r->field, size) || (word[size] && key != size)))
			continue;
		return w->column[i] + (g->at ? (unsigned)size + 1 + g->at : 0);
	}
	return w->column[w->n > 1];
}

static int read_words(struct reading *g, const struct line_words *w)
{
	const char *near = did_you_mean(w->word[0], line_names);
	struct options words = {.n = 0};
	unsigned line = 0;
	char buf[48];
	int error;

	g->column = w->column[0];
	while (line < N_LINES && strcmp(w->word[0], line_names[line]))
		line++;
	if (line == N_LINES)
		return refuse(g->r, UNKNOWN_WORD, NULL,
			      "no line begins with '%s'; accepted: signal, policy, action%s%s%s",
			      shown(w->word[0], strlen(w->word[0]), buf),
			      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	if (g->seen[line])
		return refuse(g->r, DUP_FIELD, NULL,
			      "a second %s line; line %u is the first, and one is accepted",
			      line_names[line], g->seen[line]);
	g->seen[line] = g->line;
	error = options_parse(&words, w->n - 1, w->word + 1, g->r);
	g->words = &words;
	if (!error)
		error = read_options(g, line);
	if (error)
		g->column = column_of(g, w);
	options_free(&words);
	return error;
}

static int read_lines(struct reading *g)
{
	const char *text = g->t->text;
	size_t size = g->t->size;

	for (g->line = 1; size; g->line++) {
		const char *end = memchr(text, '\n', size);
		size_t n = end ? (size_t)(end - text) : size;
		struct line_words w;
		int error = line_words_split(&w, text, n, &g->column, g->r);

		if (!error && w.n)
			error = read_words(g, &w);
		line_words_free(&w);
		if (error)
			return error;
		text += n + (end != NULL);
		size -= n + (end != NULL);
	}
	g->line = MAX(g->line - 1, 1u);
	g->column = 1;
	if (!g->seen[LINE_SIGNAL])
		return refuse(g->r, SYNTAX, NULL,
			      "no signal line; accepted: signal kind=… target=… above=…, and lines "
			      "policy and action");
	return 0;
}

/* ---- Files ------------------------------------------------------------------------------- */

/* The last part of the file's name, without .watch. */
static bool name_of(const char *file, char name[PIPELINE_NAME])
{
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
	const char *dot = strstr(base, ".watch");
	size_t size = dot && !dot[6] ? (size_t)(dot - base) : strlen(base);

	if (!size || size >= PIPELINE_NAME)
		return false;
	memcpy(name, base, size);
	name[size] = '\0';
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == size;
}

static void set_defaults(struct pipeline *p)
{
	p->max_rules = 16;
	p->collateral = 0.01;
	p->narrow_v4 = p->narrow_v6 = UINT8_MAX;
	p->limit_usual = true;
	p->after_ns = 10 * NSEC_PER_SEC;
	p->expire_ns = 60 * NSEC_PER_SEC;
	p->hold_ns = 10 * NSEC_PER_SEC;
}

struct pipeline *pipeline_parse(const struct pipeline_text *t, struct refusal *r)
{
	struct pipeline *p = calloc(1, sizeof *p);
	struct refusal why = {0};
	struct reading g = {.t = t, .p = p, .line = 1, .column = 1, .r = &why};
	int error;

	if (!p)
		abort();
	set_defaults(p);
	if (!name_of(t->file, p->name))
		error = refuse(&why, BAD_VALUE, NULL,
			       "its name is no pipeline's; accepted: NAME.watch of 1 to %d "
			       "lower-case letters, digits, - and _",
			       PIPELINE_NAME - 1);
	else
		error = read_lines(&g);
	if (error) {
		if (g.placed)
			*r = why;
		else
			refuse_as(r, why.code, why.field, "%.120s:%u:%u: %s", t->file, g.line,
				  g.column, why.text);
		pipeline_free(p);
		return NULL;
	}
	if (p->narrow_v4 == UINT8_MAX)
		p->narrow_v4 = p->signal.target == TARGET_PREFIX ? 24 : 32;
	if (p->narrow_v6 == UINT8_MAX)
		p->narrow_v6 = p->signal.target == TARGET_PREFIX ? 64 : 128;
	return p;
}

struct pipeline *pipeline_read(const char *file, struct refusal *r)
{
	struct pipeline_text t = {.file = file};
	const char *slash = strrchr(file, '/');
	char folder[512];
	struct pipeline *p;
	char *text;

	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - file) : 1,
		 slash ? file : ".");
	if (file_read(file, PIPELINE_SIZE, &text, &t.size, r))
		return NULL;
	t.text = text;
	t.folder = folder;
	p = pipeline_parse(&t, r);
	free(text);
	return p;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	free(p->allow.prefix);
	free(p->protect.prefix);
	for (unsigned i = 0; i < p->n_alerts; i++)
		free(p->alert[i]);
	free(p);
}

/* The same in every run, so without hash_seed: FNV-1a. */
static uint32_t fnv(const void *data, size_t size)
{
	const uint8_t *octet = data;
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < size; i++)
		h = (h ^ octet[i]) * 16777619u;
	return h;
}

uint64_t pipeline_cookie(const char *name, const struct target *t, unsigned kind)
{
	char text[64];

	target_text(t, text);
	return (uint64_t)fnv(name, strlen(name)) << 32 | (fnv(text, strlen(text)) & ~0xffu) |
	       (kind & 0xff);
}
