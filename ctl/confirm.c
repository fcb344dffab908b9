/* SPDX-License-Identifier: Apache-2.0 */
/* --confirm of rules: installed to expire soon; `confirm` installs them as they were meant. */
#include <stdlib.h>

#include "ctl/flow-set.h"
#include "ctl/install.h"
#include "lib/openflow.h"

struct confirm {
	struct confirm *next;
	struct flow_mod mod;        /* as it was meant */
	uint64_t added_ns, ends_ns; /* unless confirmed */
};

static void ops_copy(struct buf *to, const struct buf *from)
{
	*to = (struct buf){0};
	buf_octets(to, from->data, from->size);
}

/* What was not confirmed in time has ended by itself. */
static void forget_ended(struct daemon *d)
{
	uint64_t now = ofproto_now(d->ofproto);

	for (struct confirm **link = &d->confirms, *c; (c = *link);)
		if (c->ends_ns <= now) {
			*link = c->next;
			flow_mod_free(&c->mod);
			free(c);
		} else {
			link = &c->next;
		}
}

void confirm_add(struct daemon *d, struct flow_mod *mod, uint64_t ns)
{
	struct confirm *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	forget_ended(d);
	c->mod = *mod;
	c->ends_ns = ofproto_now(d->ofproto) + ns;
	c->added_ns = ofproto_now(d->ofproto);
	ops_copy(&c->mod.instructions.apply, &mod->instructions.apply);
	ops_copy(&c->mod.instructions.write, &mod->instructions.write);
	c->next = d->confirms;
	d->confirms = c;
	mod->expire_ns = mod->expire_ns ? MIN(mod->expire_ns, ns) : ns;
}

void confirm_forget(struct daemon *d)
{
	struct confirm *c = d->confirms;

	d->confirms = c->next;
	flow_mod_free(&c->mod);
	free(c);
}

void confirms_free(struct daemon *d)
{
	while (d->confirms)
		confirm_forget(d);
}

/* Installs one that is still in force; what has expired, was deleted or replaced stays as it is. */
static int confirm_one(struct daemon *d, struct confirm *c, const struct flow_set *now,
		       struct refusal *r)
{
	uint64_t age = ofproto_now(d->ofproto) - c->added_ns;

	if (!flow_set_has(now, &c->mod) || (c->mod.expire_ns && c->mod.expire_ns <= age))
		return 0;
	if (c->mod.expire_ns)
		c->mod.expire_ns -= age;
	return ofproto_flow_mod(d->ofproto, &c->mod, NULL, r);
}

void do_confirm(struct verb_call *call)
{
	struct daemon *d = call->daemon;
	struct refusal r = {0};
	struct flow_set now;
	bool some = d->confirms;
	int error = 0;

	flow_set_current(&now, d->ofproto);
	for (struct confirm *c = d->confirms; c && !error; c = c->next)
		error = confirm_one(d, c, &now, &r);
	flow_set_free(&now);
	confirms_free(d);
	if (!error && ofproto_confirm(d->ofproto, &r) && !(some && r.code == REFUSED_NOT_FOUND))
		error = -EINVAL;
	if (error)
		verb_refuse(call, &r);
	else
		ofproto_barrier(d->ofproto, verb_waiter(call));
}
