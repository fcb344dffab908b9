/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles, between the messages that fill them (msg-bundle.c) and their commit (bundle-commit.c).
 *
 * A commit stages all messages of a bundle and publishes them in one version of the tables: no
 * packet meets a part, whether `atomic` was asked for or not, and the order is always kept.  When
 * one is refused, it gets its error, the commit OFPBFC_MSG_FAILED, and everything is as it was.
 * The reply means what a barrier's does: durable, and in effect in every worker.  Packets leave
 * when all else is in effect, before the reply, and meet all of it.
 *
 * Whoever changes something while a commit is on its way waits for all of it.  So large ones, of
 * more than BUNDLE_SMALL messages, go one at a time, whoever sent them: each waits, and the next
 * messages of its connection with it, until what others asked for before is in effect, and until
 * its turn has come (turn.h), so that there is time for everybody else between two.  A small one
 * joins what is on its way, like a flow-mod.  Control thread. */
#ifndef SLUICE_CTL_BUNDLE_H
#define SLUICE_CTL_BUNDLE_H

#include "ctl/msg.h"

enum { BUNDLE_SMALL = TURN_PIECES };

struct bundle {
	struct bundle *next;
	struct ofserver *server; /* counts its octets */
	uint32_t id;
	uint16_t flags;
	bool closed;
	unsigned n, n_packets, idle_s;
	struct buf messages;
	size_t opened_size;
	uint8_t opened[OFCONN_ERROR_DATA]; /* by this message */
};

void bundle_free(struct bundle *b); /* or NULL */

/* What a control message is answered with, now or later. */
struct bundle_reply {
	size_t size;
	uint8_t octets[OFCONN_ERROR_DATA]; /* the request's */
	uint32_t id;
	uint16_t type, flags;
};

void bundle_reply_send(struct ofconn *c, const struct bundle_reply *reply);
/* Takes the bundle, which its connection has let go.  The request is answered now or later. */
void bundle_commit(struct ofconn *c, struct bundle *b, const struct bundle_reply *reply);

#endif
