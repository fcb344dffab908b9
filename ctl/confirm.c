/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's `confirm`: rules and ports that wait for it. */
#include "ctl/confirms.h"
#include "ctl/verb.h"

void do_confirm(struct verb_call *call)
{
	struct daemon *d = call->daemon;
	struct refusal r = {0}, ports = {0};
	int error = confirms_run(&d->confirms, d->ofproto, NULL, &r);
	bool rules = !error;

	if (error && r.code != REFUSED_NOT_FOUND) {
		verb_refuse(call, &r);
		return;
	}
	if (ofproto_confirm(d->ofproto, &ports) && !(rules && ports.code == REFUSED_NOT_FOUND))
		verb_refuse(call, &ports);
	else
		ofproto_barrier(d->ofproto, verb_waiter(call));
}
