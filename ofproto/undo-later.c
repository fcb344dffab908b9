/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/undo-later.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

#define KIND "undo-later"

/* The store did not take it. */
#define AGAIN_NS NSEC_PER_SEC

struct undo_later {
	struct undo_later *next;
	int64_t id, at_ns; /* the entry of the journal, and its time */
	uint64_t ends_ns;
	char *diff;
	bool busy; /* on its way to come, or to go */
	bool late; /* it could not go when its time came */
};

static struct undo_later *add(struct ofproto *o, int64_t id, const char *diff)
{
	struct undo_later *u = mem_new(sizeof *u);

	u->id = id;
	u->diff = mem_text(diff);
	u->next = o->undo_laters.first;
	o->undo_laters.first = u;
	o->undo_laters.octets += strlen(diff);
	return u;
}

static void forget(struct ofproto *o, struct undo_later *gone)
{
	struct undo_later **link = &o->undo_laters.first;

	while (*link != gone)
		link = &(*link)->next;
	*link = gone->next;
	o->undo_laters.octets -= strlen(gone->diff);
	free(gone->diff);
	free(gone);
}

/* ---- Steps --------------------------------------------------------------------------------- */

struct later_step {
	struct step step;
	struct undo_later *later;
};

/* It came, and waits; or it did not go, and is looked at again. */
static void stays(struct ofproto *o, struct step *step)
{
	struct later_step *s = container_of(step, struct later_step, step);

	s->later->busy = false;
	s->later->late = true;
	s->later->ends_ns = MAX(s->later->ends_ns, ofproto_now(o) + AGAIN_NS);
	free(s);
}

static void comes(struct ofproto *o, struct step *step)
{
	(void)o;
	container_of(step, struct later_step, step)->later->busy = false;
	free(container_of(step, struct later_step, step));
}

static void goes(struct ofproto *o, struct step *step)
{
	struct later_step *s = container_of(step, struct later_step, step);

	forget(o, s->later);
	free(s);
}

static const struct step_class come_class = {.done = comes, .undo = goes};
static const struct step_class go_class = {.done = goes, .undo = stays};

static void stage(struct ofproto *o, const struct step_class *class, struct undo_later *u,
		  const char *text)
{
	struct later_step *s = mem_new(sizeof *s);
	char name[24];

	s->step.class = class;
	s->later = u;
	u->busy = true;
	snprintf(name, sizeof name, "%" PRId64, u->id);
	change_step(o, &s->step);
	change_store(o, store_op_object(KIND, name, text));
}

/* ---- From outside --------------------------------------------------------------------------- */

static bool takes_rules_away(const char *diff)
{
	return *diff == '-' || strstr(diff, "\n-");
}

int ofproto_undo_later(struct ofproto *o, uint64_t ends_ns, int64_t *id, struct refusal *r)
{
	const struct journal_entry *e = journal_open(o);
	uint64_t now = ofproto_now(o);
	struct undo_later *u;
	struct buf text = {0};

	*id = 0;
	if (!e || !takes_rules_away(e->diff))
		return 0;
	if (e->cut)
		return refuse(
			r, LIMIT, "--confirm",
			"it takes %u rules away and adds %u: more than come back by themselves "
			"(%d)",
			e->n_out, e->n_in, DIFF_LINES);
	if (o->undo_laters.octets + strlen(e->diff) > UNDO_LATER_OCTETS)
		return refuse(r, LIMIT, "--confirm",
			      "as much waits to be confirmed as there may be (%d MiB)",
			      UNDO_LATER_OCTETS >> 20);
	u = add(o, e->id, e->diff);
	u->at_ns = e->at_ns;
	u->ends_ns = ends_ns;
	buf_printf(&text, "%" PRId64 " %" PRId64 "\n%s", u->at_ns,
		   wall_now(o) + (int64_t)(ends_ns > now ? ends_ns - now : 0), u->diff);
	stage(o, &come_class, u, buf_text(&text));
	buf_free(&text);
	*id = u->id;
	return 0;
}

void ofproto_undo_never(struct ofproto *o, int64_t id)
{
	for (struct undo_later *u = o->undo_laters.first; u; u = u->next)
		if (u->id == id)
			stage(o, &go_class, u, NULL);
}

/* ---- Its time comes ---------------------------------------------------------------------------
 */

static void take_back(struct ofproto *o, struct undo_later *u)
{
	const struct actor actor = {.origin = ORIGIN_CLI,
				    .who = "confirm",
				    .what = "not confirmed in time",
				    .undoes = u->id};

	ofproto_actor(o, &actor);
	ofproto_begin(o);
	undo_what_stands(o, u->diff, u->at_ns, u->late);
	stage(o, &go_class, u, NULL);
	ofproto_commit(o, NULL);
	ofproto_actor(o, NULL);
	LOG(INFO, "change %" PRId64 " was not confirmed in time; what it replaced is back", u->id);
}

/* A later change took away what this one put there: first that one is taken back. */
static bool is_below(const struct undo_later *u, const struct undo_later *later)
{
	const char *diff = u->diff;
	struct journal_line l;
	bool below = false;

	while (!below && journal_line_read(&diff, &l)) {
		for (const char *at = later->diff; l.sign == '+' && *at && !below;) {
			size_t n = strcspn(at, "\n"), flow = strlen(l.flow);

			below = *at == '-' && n > flow && at[n - flow - 1] == '\t' &&
				!memcmp(at + n - flow, l.flow, flow);
			at += n + (at[n] == '\n');
		}
		free(l.flow);
	}
	return below;
}

static void wait_for_later(struct ofproto *o, struct undo_later *u)
{
	for (struct undo_later *later = o->undo_laters.first; later != u; later = later->next)
		if (later->ends_ns > u->ends_ns && is_below(u, later)) {
			u->ends_ns = later->ends_ns;
			u->late = true;
		}
}

/* The latest comes first. */
void undo_laters_run(struct ofproto *o)
{
	uint64_t now = ofproto_now(o);

	for (struct undo_later *u = o->undo_laters.first; u; u = u->next) {
		if (u->busy || u->ends_ns > now)
			continue;
		wait_for_later(o, u);
		if (u->ends_ns <= now)
			take_back(o, u);
	}
}

uint64_t undo_laters_deadline(const struct ofproto *o)
{
	uint64_t deadline = TIMER_NEVER;

	for (const struct undo_later *u = o->undo_laters.first; u; u = u->next)
		if (!u->busy)
			deadline = MIN(deadline, u->ends_ns);
	return deadline;
}

/* ---- Start and end ----------------------------------------------------------------------------
 */

struct restore {
	struct store_visit visit;
	struct ofproto *o;
};

/* Never more than it was: the wall's clock may have been set back. */
static int restore_one(struct store_visit *v, const char *name, const char *text, struct refusal *r)
{
	struct ofproto *o = container_of(v, struct restore, visit)->o;
	int64_t at, ends, left;
	struct undo_later *u;
	int n = 0;

	(void)r;
	if (sscanf(text, "%" SCNd64 " %" SCNd64 "%*1[\n]%n", &at, &ends, &n) < 2 || !n)
		return 0;
	left = MAX(0, ends - MAX(wall_now(o), at));
	u = add(o, strtoll(name, NULL, 10), text + n);
	u->at_ns = at;
	u->ends_ns = ofproto_now(o) + (uint64_t)left;
	return 0;
}

int undo_laters_restore(struct ofproto *o, struct refusal *r)
{
	struct restore restore = {{.object = restore_one}, o};

	return store_load_objects(o->store, KIND, &restore.visit, r);
}

void undo_laters_destroy(struct ofproto *o)
{
	while (o->undo_laters.first)
		forget(o, o->undo_laters.first);
}
