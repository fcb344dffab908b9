/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/confirms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ofproto/undo-later.h"

struct confirm {
	struct confirm *next;
	int64_t change;             /* what it took away comes back; 0: it is a rule that came: */
	struct flow_mod mod;        /* as it was meant */
	uint64_t added_ns, ends_ns; /* unless confirmed */
};

static void ops_copy(struct buf *to, const struct buf *from)
{
	*to = (struct buf){0};
	buf_octets(to, from->data, from->size);
}

static void confirm_free(struct confirm *c)
{
	free((char *)c->mod.reason);
	flow_mod_free(&c->mod);
	free(c);
}

/* What was not confirmed in time has ended by itself. */
static void forget_ended(struct confirm **list, uint64_t now)
{
	for (struct confirm **link = list, *c; (c = *link);)
		if (c->ends_ns <= now) {
			*link = c->next;
			confirm_free(c);
		} else {
			link = &c->next;
		}
}

void confirm_add(struct confirm **list, struct ofproto *o, struct flow_mod *mod, uint64_t ns)
{
	struct confirm *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	c->added_ns = ofproto_now(o);
	c->ends_ns = c->added_ns + ns;
	forget_ended(list, c->added_ns);
	c->mod = *mod;
	c->mod.again = true;
	c->mod.reason = mod->reason ? strdup(mod->reason) : NULL;
	ops_copy(&c->mod.instructions.apply, &mod->instructions.apply);
	ops_copy(&c->mod.instructions.write, &mod->instructions.write);
	c->next = *list;
	*list = c;
	mod->expire_ns = mod->expire_ns ? MIN(mod->expire_ns, ns) : ns;
}

int confirm_change(struct confirm **list, struct ofproto *o, uint64_t ends_ns, struct refusal *r)
{
	struct confirm *c;
	int64_t change;

	if (ofproto_undo_later(o, ends_ns, &change, r))
		return -EINVAL;
	if (!change)
		return 0;
	c = calloc(1, sizeof *c);
	if (!c)
		abort();
	c->change = change;
	c->ends_ns = ends_ns;
	c->next = *list;
	*list = c;
	return 0;
}

int confirm_install(struct confirm **list, struct ofproto *o, const struct flow_mod *mod,
		    struct waiter *w, struct refusal *r)
{
	int error;

	ofproto_begin(o);
	error = ofproto_flow_mod(o, mod, NULL, r);
	if (!error)
		error = confirm_change(list, o, (*list)->ends_ns, r);
	if (!error) {
		ofproto_commit(o, w);
		return 0;
	}
	ofproto_abandon(o);
	confirm_forget(list);
	return error;
}

void confirm_forget(struct confirm **list)
{
	struct confirm *c = *list;

	*list = c->next;
	confirm_free(c);
}

unsigned confirms_n(const struct confirm *list)
{
	unsigned n = 0;

	for (; list; list = list->next)
		n += !list->change;
	return n;
}

void confirms_free(struct confirm **list)
{
	while (*list)
		confirm_forget(list);
}

/* Of one that is still in force; what has expired, was deleted or replaced stays as it is. */
static int confirm_one(struct ofproto *o, const struct confirm *c, struct refusal *r)
{
	uint64_t age = ofproto_now(o) - c->added_ns;
	struct flow_mod mod = c->mod;

	if (c->change) {
		ofproto_undo_never(o, c->change);
		return 0;
	}
	if (!ofproto_flow_stands(o, &mod) || (mod.expire_ns && mod.expire_ns <= age))
		return 0;
	if (mod.expire_ns)
		mod.expire_ns -= age;
	return ofproto_flow_mod(o, &mod, NULL, r);
}

int confirms_run(struct confirm **list, struct ofproto *o, struct waiter *w, struct refusal *r)
{
	int error = 0;

	forget_ended(list, ofproto_now(o));
	if (!*list)
		return refuse(r, NOT_FOUND, "", "there is nothing to confirm");
	ofproto_begin(o);
	for (struct confirm *c = *list; c && !error; c = c->next)
		error = confirm_one(o, c, r);
	if (error) {
		ofproto_abandon(o);
		return error;
	}
	ofproto_commit(o, w);
	confirms_free(list);
	return 0;
}
