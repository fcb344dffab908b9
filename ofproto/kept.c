/* SPDX-License-Identifier: Apache-2.0 */
/* Names that the control sockets want to find again after a restart. */
#include "ofproto/state.h"

void ofproto_keep(struct ofproto *o, const char *kind, const char *name, const char *text,
		  struct waiter *w)
{
	if (o->store)
		change_store(o, store_op_object(kind, name, text));
	change_staged(o, w);
}

struct kept_walk {
	struct store_visit visit;
	struct kept_visit *v;
};

static int each(struct store_visit *visit, const char *name, const char *text, struct refusal *r)
{
	struct kept_visit *v = container_of(visit, struct kept_walk, visit)->v;

	(void)r;
	v->one(v, name, text);
	return 0;
}

int ofproto_kept(struct ofproto *o, const char *kind, struct kept_visit *v, struct refusal *r)
{
	struct kept_walk walk = {{.object = each}, v};

	return o->store ? store_load_objects(o->store, kind, &walk.visit, r) : 0;
}
