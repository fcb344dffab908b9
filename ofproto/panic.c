/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/log.h"
#include "ofproto/state.h"

unsigned ofproto_panic(const struct ofproto *o)
{
	if (o->dp.panic)
		return panic_state(o->dp.panic);
	return panic_on(o->dp.panic_pass) ? PANIC_PASS : 0;
}

/* Every port, since whoever took a link off may have said so and taken it back meanwhile. */
static int hook_ports(struct ofproto *o, bool on, struct refusal *r)
{
	int refused = 0;

	for (uint32_t id = 0; id < PORT_MAX; id++) {
		struct port *p = port_get(&o->dp, id);
		int e = p && p->class && p->class->hook ? p->class->hook(p, on) : 0;

		if (!e)
			continue;
		LOG(ERR, "%s: not attached again: %s", p->name, strerror(-e));
		if (!refused)
			refused = refuse(r, SYSTEM, p->name,
					 "%s is not attached again: %s; when that is mended, "
					 "`panic off` once more",
					 p->name, strerror(-e));
	}
	return refused;
}

/* The page has no room for who it was; only those who may write to it can have been it. */
static void write_down(struct ofproto *o, unsigned state)
{
	const struct actor by = {
		.origin = ORIGIN_CLI,
		.who = "the panic page",
		.what = state & PANIC_DETACH ? "panic detach"
			: state              ? "panic pass"
					     : "panic off",
	};

	ofproto_actor(o, &by);
	change_staged(o, NULL);
	ofproto_actor(o, NULL);
}

int ofproto_panic_run(struct ofproto *o, struct refusal *r)
{
	unsigned state = ofproto_panic(o);
	int error = hook_ports(o, !(state & PANIC_DETACH), r);

	if (state != o->panic) {
		LOG(WARN, "%s", state ? panic_text(state) : "panic is over");
		write_down(o, state);
	}
	o->panic = state;
	return error;
}

int ofproto_panic_set(struct ofproto *o, unsigned state, struct refusal *r)
{
	if (!o->dp.panic)
		return refuse(r, NOT_HERE, "panic", "there is no panic page here");
	panic_set(o->dp.panic, state);
	return ofproto_panic_run(o, r);
}
