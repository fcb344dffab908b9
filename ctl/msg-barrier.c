/* SPDX-License-Identifier: Apache-2.0 */
/* Barrier (TS-023, 7.3.8): the reply means durable, and in effect in every worker.  Until then the
 * connection's next message waits.  It waits like that, and nothing is replied, for changes that
 * are too many. */
#include <stdlib.h>

#include "ctl/msg.h"

struct barrier {
	struct waiter waiter;
	struct ofconn *conn;
	bool asked; /* with xid */
	uint32_t xid;
};

/* Changes that failed have had their own errors; the barrier itself cannot fail. */
static void barrier_done(struct waiter *waiter, int error, const struct refusal *r)
{
	struct barrier *barrier = container_of(waiter, struct barrier, waiter);
	struct ofconn *c = barrier->conn;
	struct buf b;

	(void)error;
	(void)r;
	if (barrier->asked) {
		of_begin(&b, OFPT_BARRIER_REPLY, barrier->xid);
		ofconn_send(c, &b);
	}
	c->barrier = false;
	free(barrier);
	ofconn_go_on(c);
	ofconn_unref(c);
}

static void barrier_begin(struct ofconn *c, bool asked, uint32_t xid)
{
	struct barrier *barrier = calloc(1, sizeof *barrier);

	if (!barrier)
		abort();
	*barrier = (struct barrier){{.done = barrier_done}, c, asked, xid};
	ofconn_ref(c);
	c->barrier = true;
	ofproto_barrier(c->server->ofproto, &barrier->waiter);
}

int msg_barrier_request(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	(void)r;
	barrier_begin(c, true, m->xid);
	return 0;
}

bool ofmsg_waits(struct ofconn *c, uint8_t type)
{
	const struct ofmsg_row *row = ofmsg_row(type);

	if (!row || !(row->writes || type == OFPT_EXPERIMENTER) ||
	    !ofproto_is_behind(c->server->ofproto, c->n_waiters))
		return false;
	barrier_begin(c, false, 0);
	return c->barrier;
}
