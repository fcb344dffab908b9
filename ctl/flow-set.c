/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/flow-set.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/openflow.h"

char *flow_mod_text(const struct flow_mod *mod, bool key)
{
	struct flow f = {.match = mod->match,
			 .table = mod->table,
			 .origin = mod->origin,
			 .priority = mod->priority,
			 .expires_ns = TIMER_NEVER,
			 .rule_id = RULE_NONE};
	struct buf text = {0};
	char *copy;

	if (!key) {
		f.instructions = mod->instructions; /* borrowed */
		f.cookie = mod->cookie;
		f.idle_timeout = mod->idle_timeout;
		f.hard_timeout = mod->hard_timeout;
		f.unverified = mod->unverified;
		f.wide = mod->wide;
		f.flags = mod->flags &
			  (OFPFF_SEND_FLOW_REM | OFPFF_NO_PKT_COUNTS | OFPFF_NO_BYT_COUNTS);
	}
	flow_format(&f, &text);
	copy = strdup(buf_text(&text));
	buf_free(&text);
	if (!copy)
		abort();
	return copy;
}

/* Takes what `mod` owns. */
static void set_add(struct flow_set *s, const struct flow_mod *mod)
{
	struct flow_entry *e;

	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->entry = realloc(s->entry, s->room * sizeof *s->entry);
		if (!s->entry)
			abort();
	}
	e = &s->entry[s->n];
	*e = (struct flow_entry){.mod = *mod, .order = (unsigned)s->n};
	e->key = flow_mod_text(mod, true);
	e->text = flow_mod_text(mod, false);
	s->n++;
}

static void entry_end(struct flow_entry *e)
{
	flow_mod_free(&e->mod);
	free(e->key);
	free(e->text);
}

static int by_key(const void *a, const void *b)
{
	const struct flow_entry *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Sorts, and keeps the last of equal keys. */
static void set_sort(struct flow_set *s)
{
	size_t kept = 0;

	if (s->n)
		qsort(s->entry, s->n, sizeof *s->entry, by_key);
	for (size_t i = 0; i < s->n; i++) {
		if (i + 1 < s->n && !strcmp(s->entry[i].key, s->entry[i + 1].key))
			entry_end(&s->entry[i]);
		else
			s->entry[kept++] = s->entry[i];
	}
	s->n = kept;
}

static int read_line(struct flow_set *s, const char *line, size_t size, struct refusal *r)
{
	const char *comment = memchr(line, '#', size);
	struct flow_mod mod;
	char *text;
	int error;

	if (comment)
		size = (size_t)(comment - line);
	while (size && strchr(" \t\r", line[size - 1]))
		size--;
	while (size && strchr(" \t", *line)) {
		line++;
		size--;
	}
	if (!size)
		return 0;
	text = strndup(line, size);
	if (!text)
		abort();
	flow_mod_init(&mod);
	error = flow_parse(text, OFPFC_ADD, &mod, r);
	free(text);
	if (error)
		flow_mod_free(&mod);
	else
		set_add(s, &mod);
	return error;
}

int flow_set_read(struct flow_set *s, const char *content, struct refusal *r)
{
	unsigned number = 0;

	*s = (struct flow_set){0};
	while (*content) {
		size_t size = strcspn(content, "\n");
		struct refusal why = {0};

		number++;
		if (read_line(s, content, size, &why)) {
			flow_set_free(s);
			return refuse_as(r, why.code, why.field, "line %u: %s", number, why.text);
		}
		content += size + (content[size] == '\n');
	}
	set_sort(s);
	return 0;
}

static void ops_copy(struct buf *to, const struct buf *from)
{
	*to = (struct buf){0};
	buf_octets(to, from->data, from->size);
}

struct collect {
	struct flow_visit visit;
	struct flow_set *set;
	uint64_t now;
};

static int collect_flow(struct flow_visit *v, const struct flow *f, const struct flow_stats *stats)
{
	struct collect *c = container_of(v, struct collect, visit);
	struct flow_mod mod;

	(void)stats;
	flow_mod_init(&mod);
	mod.table = f->table;
	mod.priority = f->priority;
	mod.cookie = f->cookie;
	mod.idle_timeout = f->idle_timeout;
	mod.hard_timeout = f->hard_timeout;
	mod.flags = f->flags;
	mod.unverified = f->unverified;
	mod.wide = f->wide;
	mod.match = f->match;
	mod.origin = f->origin;
	if (f->expires_ns != TIMER_NEVER)
		mod.expire_ns = f->expires_ns > c->now ? f->expires_ns - c->now : 1;
	mod.instructions = f->instructions;
	ops_copy(&mod.instructions.apply, &f->instructions.apply);
	ops_copy(&mod.instructions.write, &f->instructions.write);
	set_add(c->set, &mod);
	return 0;
}

void flow_set_current(struct flow_set *s, struct ofproto *o)
{
	struct collect c = {{collect_flow}, s, ofproto_now(o)};
	struct flow_filter filter;

	*s = (struct flow_set){0};
	flow_filter_init(&filter);
	ofproto_flows(o, &filter, &c.visit);
	set_sort(s);
}

void flow_set_free(struct flow_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		entry_end(&s->entry[i]);
	free(s->entry);
	*s = (struct flow_set){0};
}

size_t flow_set_diff(const struct flow_set *now, const struct flow_set *then, bool keep,
		     struct flow_change **changes)
{
	size_t n = 0, i = 0, j = 0;

	*changes = calloc(now->n + then->n + 1, sizeof **changes);
	if (!*changes)
		abort();
	while (i < now->n || j < then->n) {
		const struct flow_entry *a = i < now->n ? &now->entry[i] : NULL;
		const struct flow_entry *b = j < then->n ? &then->entry[j] : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a->key, b->key);

		if (order < 0 && !keep)
			(*changes)[n++] = (struct flow_change){a, NULL};
		else if (order > 0)
			(*changes)[n++] = (struct flow_change){NULL, b};
		else if (!order && strcmp(a->text, b->text))
			(*changes)[n++] = (struct flow_change){a, b};
		i += order <= 0;
		j += order >= 0;
	}
	return n;
}

static int change_one(struct ofproto *o, const struct flow_change *c, struct refusal *r)
{
	struct flow_mod gone;

	if (c->comes)
		return ofproto_flow_mod(o, &c->comes->mod, NULL, r);
	flow_mod_delete(&gone, &c->was->mod);
	return ofproto_flow_mod(o, &gone, NULL, r);
}

int flow_changes_make(struct ofproto *o, const struct flow_change *changes, size_t n,
		      struct refusal *r)
{
	int error = 0;

	for (size_t i = 0; i < n && !error; i++)
		error = change_one(o, &changes[i], r);
	return error;
}

int flow_changes_apply(struct ofproto *o, const struct flow_change *changes, size_t n,
		       struct waiter *w, struct refusal *r)
{
	int error;

	ofproto_begin(o);
	error = flow_changes_make(o, changes, n, r);
	if (error)
		ofproto_abandon(o);
	else
		ofproto_commit(o, w);
	return error;
}
