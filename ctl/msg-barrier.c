/* SPDX-License-Identifier: Apache-2.0 */
/* Barrier (TS-023, 7.3.8): the reply means durable, and in effect in every worker.  Until then the
 * connection's next message waits. */
#include <stdlib.h>

#include "ctl/msg.h"

struct barrier {
	struct waiter waiter;
	struct ofconn *conn;
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
	of_begin(&b, OFPT_BARRIER_REPLY, barrier->xid);
	ofconn_send(c, &b);
	c->barrier = false;
	free(barrier);
	ofconn_go_on(c);
	ofconn_unref(c);
}

int msg_barrier_request(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	struct barrier *barrier = calloc(1, sizeof *barrier);

	(void)r;
	if (!barrier)
		abort();
	barrier->waiter.done = barrier_done;
	barrier->conn = c;
	barrier->xid = m->xid;
	ofconn_ref(c);
	c->barrier = true;
	ofproto_barrier(c->server->ofproto, &barrier->waiter);
	return 0;
}
