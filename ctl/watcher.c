/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/watcher.h"

#include <errno.h>
#include <stdlib.h>

#include "ctl/verb.h"
#include "lib/openflow.h"
#include "ofproto/admit.h"
#include "ofproto/guard.h"

struct watcher *watcher_of(struct daemon *d)
{
	if (!d->watcher)
		d->watcher = calloc(1, sizeof *d->watcher);
	if (!d->watcher)
		abort();
	return d->watcher;
}

/* ---- The report ---- */

int watcher_report(struct daemon *d, const char *text, struct refusal *r)
{
	struct watcher *w = watcher_of(d);
	json_error_t error;
	json_t *report;

	if (strlen(text) > WATCH_REPORT_MAX)
		return refuse(r, LIMIT, "JSON", "a report of %zu octets; %d are taken",
			      strlen(text), WATCH_REPORT_MAX);
	report = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(report)) {
		json_decref(report);
		return refuse(r, BAD_VALUE, "JSON", "a report is a JSON object; %.100s",
			      report ? "this is another value" : error.text);
	}
	json_decref(w->report);
	w->report = report;
	w->report_ns = ofproto_now(d->ofproto);
	return 0;
}

/* ---- Proposals ---- */

static void mod_release(struct flow_mod *mod)
{
	match_release(&mod->match);
	free((char *)(uintptr_t)mod->reason);
	flow_mod_free(mod);
}

static void proposal_free(struct proposal *p)
{
	mod_release(&p->mod);
	free(p);
}

static void unlink_at(struct watcher *w, struct proposal **link)
{
	struct proposal *p = *link;

	*link = p->next;
	w->n--;
	proposal_free(p);
}

void watcher_forget(struct daemon *d, struct proposal *p)
{
	struct proposal **link = &d->watcher->proposals;

	while (*link != p)
		link = &(*link)->next;
	unlink_at(d->watcher, link);
}

void watcher_free(struct daemon *d)
{
	struct watcher *w = d->watcher;

	if (!w)
		return;
	while (w->proposals)
		unlink_at(w, &w->proposals);
	json_decref(w->report);
	free(w);
	d->watcher = NULL;
}

static struct watcher *current(struct daemon *d)
{
	struct watcher *w = watcher_of(d);
	uint64_t now = ofproto_now(d->ofproto);

	for (struct proposal **link = &w->proposals; *link;)
		if ((*link)->ends_ns <= now)
			unlink_at(w, link);
		else
			link = &(*link)->next;
	return w;
}

unsigned watcher_waiting(struct daemon *d)
{
	unsigned n = 0;

	for (struct proposal *p = current(d)->proposals; p; p = p->next)
		n += !p->rejected;
	return n;
}

/* Room for one more: the oldest rejected one goes. */
static int make_room(struct watcher *w, struct refusal *r)
{
	if (w->n < PROPOSALS_MAX)
		return 0;
	for (struct proposal **link = &w->proposals; *link; link = &(*link)->next)
		if ((*link)->rejected) {
			unlink_at(w, link);
			return 0;
		}
	return refuse(r, LIMIT, "proposals",
		      "%d proposals wait for an answer, as many as are kept; accept or reject some",
		      PROPOSALS_MAX);
}

static bool is_same(const struct flow_mod *a, const struct flow_mod *b)
{
	return a->origin == b->origin && a->priority == b->priority &&
	       match_equal(&a->match, &b->match);
}

static void mod_copy(struct flow_mod *to, const struct flow_mod *from)
{
	*to = *from;
	match_hold(&to->match);
	to->instructions.apply = to->instructions.write = (struct buf){0};
	buf_octets(&to->instructions.apply, from->instructions.apply.data,
		   from->instructions.apply.size);
	buf_octets(&to->instructions.write, from->instructions.write.data,
		   from->instructions.write.size);
	to->reason = strdup(from->reason);
	if (!to->reason)
		abort();
}

/* A new one at the end of the list; NULL: there is no room. */
static struct proposal *append(struct watcher *w, struct refusal *r)
{
	struct proposal **link = &w->proposals, *p;

	if (make_room(w, r))
		return NULL;
	p = calloc(1, sizeof *p);
	if (!p)
		abort();
	while (*link)
		link = &(*link)->next;
	*link = p;
	w->n++;
	p->id = ++w->last_id;
	return p;
}

struct proposal *watcher_propose(struct daemon *d, const struct flow_mod *mod, struct refusal *r)
{
	struct watcher *w = current(d);
	struct flow flow = {.match = mod->match,
			    .instructions = mod->instructions, /* nothing of it is freed */
			    .table = TABLE_GUARD,
			    .origin = mod->origin,
			    .wide = mod->wide};
	struct proposal *p = w->proposals;
	uint64_t now = ofproto_now(d->ofproto);

	if (guard_complete(&flow.instructions, r) || admit(d->ofproto, &flow, r))
		return NULL;
	while (p && !is_same(&p->mod, mod))
		p = p->next;
	if (p && p->rejected) {
		refuse(r, EXISTS, "FLOW",
		       "the operator rejected the same; it may be proposed again in %llu s",
		       (unsigned long long)((p->ends_ns - now) / NSEC_PER_SEC + 1));
		return NULL;
	}
	if (p) {
		mod_release(&p->mod);
	} else {
		p = append(w, r);
		if (!p)
			return NULL;
		p->made_ns = now;
	}
	mod_copy(&p->mod, mod);
	p->ends_ns = now + mod->expire_ns;
	return p;
}

struct proposal *watcher_find(struct daemon *d, const char *id, struct refusal *r)
{
	struct proposal *p = current(d)->proposals;
	uint64_t n = 0;

	while (!parse_u64(id, &n) && p && (p->rejected || p->id != n))
		p = p->next;
	if (p && n == p->id)
		return p;
	refuse(r, NOT_FOUND, "ID",
	       "no proposal %.20s waits; `sluice-ctl proposals` lists those that do", id);
	return NULL;
}
