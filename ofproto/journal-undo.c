/* SPDX-License-Identifier: Apache-2.0 */
/* Taking an entry of the journal back. */
#include <inttypes.h>

#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

/* One line as a flow-mod, ready to be asked for. */
struct undo_line {
	struct journal_line line;
	struct flow_mod mod;     /* expire_ns: what is left of its time */
	const struct entry *now; /* what is in its place; only before the first is taken back */
	bool over;               /* its time is */
};

struct undo {
	struct undo_line *line;
	unsigned n;
};

static void undo_free(struct undo *u)
{
	for (unsigned i = 0; i < u->n; i++) {
		flow_mod_free(&u->line[i].mod);
		free(u->line[i].line.flow);
	}
	free(u->line);
}

/* Never more than it was when the entry was made: the wall's clock may have been set back. */
static void take_time(struct ofproto *o, struct undo_line *l, int64_t at_ns)
{
	int64_t ends = l->line.expires_ns, left = ends - MAX(wall_now(o), at_ns);

	if (!ends)
		return;
	l->over = left <= 0;
	l->mod.expire_ns = (uint64_t)MAX(left, 1);
}

static int undo_read(struct ofproto *o, struct undo *u, const char *diff, int64_t at_ns,
		     struct refusal *r)
{
	struct journal_line line;

	u->line = mem_new(DIFF_LINES * sizeof *u->line);
	while (u->n < DIFF_LINES && journal_line_read(&diff, &line)) {
		struct undo_line *l = &u->line[u->n];

		l->line = line;
		if (flow_parse(line.flow, OFPFC_ADD, &l->mod, r)) {
			free(line.flow);
			return -EINVAL;
		}
		l->mod.origin = line.origin;
		take_time(o, l, at_ns);
		l->now =
			entry_find(o, l->mod.table, l->line.origin, l->mod.priority, &l->mod.match);
		u->n++;
	}
	return 0;
}

static bool same_rule(const struct entry *e, const struct undo_line *l)
{
	const struct port_names *names = port_names;
	struct buf text = {0};
	bool same;

	port_names = NULL;
	flow_format(&e->flow, &text);
	port_names = names;
	same = !strcmp(buf_text(&text), l->line.flow);
	buf_free(&text);
	return same;
}

/* Among the lines behind `i` one puts a rule into the same place: what is there now is its. */
static bool came_later(const struct undo *u, unsigned i)
{
	for (unsigned k = i + 1; k < u->n; k++)
		if (u->line[k].line.sign == '+' && u->line[k].now == u->line[i].now)
			return true;
	return false;
}

/* Each place is as the entry left it.  A rule that came and has gone by itself since is no
 * obstacle; nor is one that went and whose time is over. */
static int undo_check(const struct undo *u, int64_t id, struct refusal *r)
{
	for (unsigned i = 0; i < u->n; i++) {
		const struct undo_line *l = &u->line[i];
		bool came = l->line.sign == '+';

		if (!l->now || (came && same_rule(l->now, l)) || came_later(u, i))
			continue;
		return refuse(
			r, IN_USE, "id",
			"change %" PRId64 " cannot be undone: since then another change gave "
			"%s %.100s; undo that one first (sluice-ctl log)",
			id, came ? "other actions to" : "its place to another rule:", l->line.flow);
	}
	return 0;
}

static int take_out(struct ofproto *o, const struct undo_line *l, struct refusal *r)
{
	struct flow_mod gone;

	flow_mod_delete(&gone, &l->mod);
	return ofproto_flow_mod(o, &gone, NULL, r);
}

/* True: there was something to do. */
static bool undo_line(struct ofproto *o, struct undo_line *l, int *error, struct refusal *r)
{
	if (l->over || (l->line.sign == '+' && !l->now))
		return false;
	l->mod.reason = l->line.reason[0] ? l->line.reason : NULL;
	if (l->line.sign == '+')
		*error = take_out(o, l, r);
	else
		*error = ofproto_flow_mod(o, &l->mod, NULL, r);
	return true;
}

int ofproto_undo(struct ofproto *o, int64_t id, struct waiter *w, struct refusal *r)
{
	const struct journal_entry *e = ofproto_journal_entry(o, id);
	struct undo u = {0};
	unsigned done = 0;
	int error;

	if (!e)
		return refuse(r, NOT_FOUND, "id", "no change %" PRId64 "; see sluice-ctl log", id);
	if (e->undone)
		return refuse(r, EXISTS, "id", "change %" PRId64 " was undone by change %" PRId64,
			      id, e->undone);
	if (e->cut)
		return refuse(r, LIMIT, "id",
			      "change %" PRId64 " took %u rules away and added %u: more than the "
			      "journal holds (%u), so it cannot be undone",
			      id, e->n_out, e->n_in, DIFF_LINES);
	error = undo_read(o, &u, e->diff, e->at_ns, r);
	if (!error)
		error = undo_check(&u, id, r);
	ofproto_begin(o);
	for (unsigned i = u.n; i-- > 0 && !error;)
		done += undo_line(o, &u.line[i], &error, r);
	undo_free(&u);
	if (!error && !done)
		error = refuse(r, NOT_FOUND, "id",
			       "nothing is left of change %" PRId64 " that could be undone", id);
	if (error)
		ofproto_abandon(o); /* one was refused: a quota, a full table */
	else
		ofproto_commit(o, w);
	return error;
}

/* The line behind it that put another rule into the same place; NULL: none did. */
static const struct undo_line *successor(const struct undo *u, unsigned i)
{
	const struct flow_mod *gone = &u->line[i].mod;

	for (unsigned k = i + 1; k < u->n; k++) {
		const struct undo_line *l = &u->line[k];

		if (l->line.sign == '+' && l->mod.table == gone->table &&
		    l->mod.origin == gone->origin && l->mod.priority == gone->priority &&
		    match_equal(&l->mod.match, &gone->match))
			return l;
	}
	return NULL;
}

/* Its place is as the change left it; `late`: or what the change put there has ended by itself. */
static bool stands(const struct undo *u, unsigned i, bool late)
{
	const struct undo_line *l = &u->line[i], *next = l;

	if (l->line.sign == '-')
		next = successor(u, i);
	if (!next)
		return !l->now;
	return next->now ? same_rule(next->now, next) : late && next->over;
}

void undo_what_stands(struct ofproto *o, const char *diff, int64_t at_ns, bool late)
{
	struct undo u = {0};
	struct refusal r = {0};
	int error = undo_read(o, &u, diff, at_ns, &r);
	bool *stood = mem_new((u.n + 1) * sizeof *stood);

	for (unsigned i = 0; i < u.n; i++)
		stood[i] = stands(&u, i, late);
	for (unsigned i = u.n; i-- > 0;) {
		if (stood[i])
			undo_line(o, &u.line[i], &error, &r);
		if (error)
			LOG(WARN, "not taken back: %.200s: %s", u.line[i].line.flow, r.text);
		error = 0;
	}
	free(stood);
	undo_free(&u);
}
