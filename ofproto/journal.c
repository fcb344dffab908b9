/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/journal.h"

#include <inttypes.h>

#include "ofproto/memory.h"
#include "ofproto/state.h"

struct kept_entry {
	struct step step; /* until it is committed */
	struct kept_entry *older, *newer;
	struct journal_entry e; /* its texts are owned; the diff is `lines` */
	struct buf lines;
	size_t last_line; /* where the last line begins */
	uint32_t n_lines;
	bool gathers, renewed;
};

static struct kept_entry *kept_of(struct step *s)
{
	return container_of(s, struct kept_entry, step);
}

static void kept_free(struct kept_entry *k)
{
	free((char *)(uintptr_t)k->e.who);
	free((char *)(uintptr_t)k->e.what);
	free((char *)(uintptr_t)k->e.undo);
	buf_free(&k->lines);
	free(k);
}

/* ---- The list ------------------------------------------------------------------------------ */

static struct kept_entry *find(struct ofproto *o, int64_t id)
{
	struct kept_entry *k = o->journal.newest;

	while (k && k->e.id != id)
		k = k->older;
	return k;
}

static size_t octets_of(const struct kept_entry *k)
{
	return k->lines.size + (k->e.undo ? strlen(k->e.undo) : 0);
}

static void forget_oldest(struct journal *j)
{
	struct kept_entry *k = j->oldest;

	j->oldest = k->newer;
	j->oldest->older = NULL;
	j->n--;
	j->octets -= octets_of(k);
	kept_free(k);
}

static void keep(struct ofproto *o, struct kept_entry *k)
{
	struct journal *j = &o->journal;
	struct kept_entry *undone = k->e.undoes ? find(o, k->e.undoes) : NULL;

	if (undone)
		undone->e.undone = k->e.id;
	k->e.diff = buf_text(&k->lines);
	k->older = j->newest;
	if (j->newest)
		j->newest->newer = k;
	else
		j->oldest = k;
	j->newest = k;
	j->n++;
	j->octets += octets_of(k);
	while (j->n > 1 && (j->n > JOURNAL_MAX || j->octets > JOURNAL_OCTETS))
		forget_oldest(j);
}

/* Rules were renewed, or changed and changed back, and nothing else. */
static bool is_nothing(const struct kept_entry *k)
{
	return k->renewed && !k->n_lines && !k->e.undo;
}

static void entry_done(struct ofproto *o, struct step *s)
{
	if (is_nothing(kept_of(s)))
		kept_free(kept_of(s));
	else
		keep(o, kept_of(s));
}

static void entry_undo(struct ofproto *o, struct step *s)
{
	if (o->journal.open == kept_of(s)) {
		o->journal.open = NULL; /* its store_op goes with the group's */
		o->journal.op = NULL;
	}
	kept_free(kept_of(s));
}

static const struct step_class entry_class = {.done = entry_done, .undo = entry_undo};

/* ---- Writing ------------------------------------------------------------------------------- */

void ofproto_actor(struct ofproto *o, const struct actor *a)
{
	const struct kept_entry *open = o->journal.open;

	o->journal.actor = a;
	if (open &&
	    !(a && a->gathers && open->gathers && open->e.origin == a->origin &&
	      !strcmp(open->e.who, a->who)) &&
	    (a || !open->gathers))
		journal_close(o);
}

int64_t ofproto_actor_entry(const struct ofproto *o)
{
	return o->journal.open ? o->journal.open->e.id : 0;
}

void journal_touch(struct ofproto *o)
{
	struct journal *j = &o->journal;
	const struct actor *a = j->actor;
	struct kept_entry *k;

	if (!a || j->open || !o->store || o->restoring)
		return;
	k = mem_new(sizeof *k);
	k->step.class = &entry_class;
	k->gathers = a->gathers;
	k->e = (struct journal_entry){.id = j->next_id++,
				      .at_ns = wall_now(o),
				      .origin = a->origin,
				      .who = mem_text(a->who),
				      .what = mem_text(a->what),
				      .undo = mem_text(a->undo),
				      .undoes = a->undoes};
	j->open = k;
	j->op = store_op_journal();
	change_step(o, &k->step);
	change_store(o, j->op);
	if (j->oldest && j->oldest->e.id > j->trimmed) {
		j->trimmed = j->oldest->e.id;
		change_store(o, store_op_journal_trim(j->trimmed));
	}
}

const struct journal_entry *journal_open(struct ofproto *o)
{
	struct kept_entry *k = o->journal.open;

	if (k)
		k->e.diff = buf_text(&k->lines);
	return k ? &k->e : NULL;
}

void journal_close(struct ofproto *o)
{
	struct journal *j = &o->journal;
	struct kept_entry *k = j->open;

	if (!k)
		return;
	if (!is_nothing(k))
		store_op_journal_fill(j->op, &(struct store_journal){
						     .id = k->e.id,
						     .at_ns = k->e.at_ns,
						     .origin = origin_names[k->e.origin],
						     .who = k->e.who,
						     .what = k->e.what,
						     .undo = k->e.undo,
						     .diff = buf_text(&k->lines),
						     .n_out = k->e.n_out,
						     .n_in = k->e.n_in,
						     .undoes = k->e.undoes,
					     });
	j->open = NULL;
	j->op = NULL;
}

/* What would break a line of the diff. */
static void put_reason(struct buf *text, const char *reason)
{
	for (size_t n = 0; reason && *reason && n < sizeof((struct journal_line *)0)->reason - 1;
	     reason++, n++)
		buf_printf(text, "%c", (uint8_t)*reason < ' ' ? ' ' : *reason);
}

static void put_line(const struct ofproto *o, struct buf *text, char sign, const struct flow *f)
{
	const struct port_names *names = port_names;
	int64_t expires = 0;

	if (f->expires_ns != TIMER_NEVER)
		expires = wall_now(o) + (int64_t)(f->expires_ns - ofproto_now(o));
	buf_printf(text, "%c%s\t%" PRId64 "\t", sign, origin_names[f->origin], expires);
	put_reason(text, f->reason);
	buf_printf(text, "\t");
	port_names = NULL; /* numbers last, names need not */
	flow_format(f, text);
	port_names = names;
	buf_printf(text, "\n");
}

/* A line's FLOW, with its newline. */
static const char *flow_of(const char *line, size_t size, size_t *rest)
{
	const char *tab = memrchr(line, '\t', size);

	*rest = size - (size_t)(tab + 1 - line);
	return tab + 1;
}

/* The new line says the rule that the one before took away, perhaps with another expiry or reason:
 * it was renewed, which is no news. */
static bool takes_back(const struct kept_entry *k, const struct buf *line)
{
	const char *was = (const char *)k->lines.data + k->last_line;
	const char *now = (const char *)line->data;
	size_t was_size, now_size;
	const char *was_flow = flow_of(was, k->lines.size - k->last_line, &was_size);
	const char *now_flow = flow_of(now, line->size, &now_size);

	return *was == '-' && *now == '+' && was_size == now_size &&
	       !memcmp(was_flow, now_flow, now_size);
}

void journal_flow(struct ofproto *o, char sign, const struct entry *e)
{
	bool whole = o->journal.actor && o->journal.actor->whole;
	struct kept_entry *k;
	struct buf line = {0};

	journal_touch(o);
	k = o->journal.open;
	if (!k)
		return;
	if (sign == '+')
		k->e.n_in++;
	else
		k->e.n_out++;
	if (k->n_lines == DIFF_LINES) {
		k->e.cut = true;
		return;
	}
	put_line(o, &line, sign, &e->flow);
	if (k->lines.size > k->last_line && !whole && takes_back(k, &line)) {
		k->lines.size = k->last_line;
		k->n_lines--;
		k->e.n_in--;
		k->e.n_out--;
		k->renewed = true;
	} else {
		k->last_line = k->lines.size;
		k->n_lines++;
		buf_octets(&k->lines, line.data, line.size);
	}
	buf_free(&line);
}

/* ---- Reading ------------------------------------------------------------------------------- */

void ofproto_journal(struct ofproto *o, struct journal_visit *v)
{
	for (struct kept_entry *k = o->journal.newest; k; k = k->older)
		if (v->entry(v, &k->e))
			return;
}

const struct journal_entry *ofproto_journal_entry(struct ofproto *o, int64_t id)
{
	const struct kept_entry *k = find(o, id);

	return k ? &k->e : NULL;
}

/* The part up to a tab, NUL-terminated in `to`; NULL: there is none. */
static const char *part(const char *at, char *to, size_t room)
{
	size_t n = strcspn(at, "\t\n");

	if (at[n] != '\t' || n >= room)
		return NULL;
	memcpy(to, at, n);
	to[n] = '\0';
	return at + n + 1;
}

bool journal_line_read(const char **diff, struct journal_line *l)
{
	const char *at = *diff;
	char word[32];
	size_t n;

	memset(l, 0, sizeof *l);
	if (*at != '+' && *at != '-')
		return false;
	l->sign = *at;
	at = part(at + 1, word, sizeof word);
	if (!at)
		return false;
	l->origin = origin_by_name(word);
	at = part(at, word, sizeof word);
	if (!at)
		return false;
	l->expires_ns = strtoll(word, NULL, 10);
	at = part(at, l->reason, sizeof l->reason);
	if (!at)
		return false;
	n = strcspn(at, "\n");
	l->flow = mem_new(n + 1);
	memcpy(l->flow, at, n);
	*diff = at + n + (at[n] == '\n');
	return true;
}

/* ---- Restart ------------------------------------------------------------------------------- */

struct restore {
	struct store_visit visit;
	struct ofproto *o;
};

static int restore_one(struct store_visit *v, const struct store_journal *j, struct refusal *r)
{
	struct ofproto *o = container_of(v, struct restore, visit)->o;
	struct kept_entry *k = mem_new(sizeof *k);
	size_t size = strlen(j->diff);

	(void)r;
	buf_octets(&k->lines, j->diff, size);
	for (const char *c = j->diff; *c; c++)
		k->n_lines += *c == '\n';
	k->e = (struct journal_entry){.id = j->id,
				      .at_ns = j->at_ns,
				      .origin = origin_by_name(j->origin),
				      .who = mem_text(j->who),
				      .what = mem_text(j->what),
				      .undo = mem_text(j->undo),
				      .n_out = j->n_out,
				      .n_in = j->n_in,
				      .cut = j->n_out + j->n_in > k->n_lines,
				      .undoes = j->undoes};
	o->journal.next_id = MAX(o->journal.next_id, j->id + 1);
	keep(o, k);
	return 0;
}

int journal_restore(struct ofproto *o, struct refusal *r)
{
	struct restore restore = {{.journal = restore_one}, o};

	o->journal.next_id = 1;
	return o->store ? store_load_journal(o->store, &restore.visit, r) : 0;
}

void journal_destroy(struct ofproto *o)
{
	struct journal *j = &o->journal;

	while (j->newest) {
		struct kept_entry *k = j->newest;

		j->newest = k->older;
		kept_free(k);
	}
}
