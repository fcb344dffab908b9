/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenFlow 1.3.5 server: every connection to a controller, whoever dialled.
 *
 * A *method* is Open vSwitch's: `unix:PATH` and `tcp:IP[:PORT]` dial (and dial again, with
 * backoff), `punix:PATH` and `ptcp:[PORT][:IP]` listen.  `ssl:` and `pssl:` are refused until TLS
 * is there.  Messages are rows of messages.def, each with a handler in a file msg-*.c.
 *
 * Everything runs on the control thread's libevent base.  A peer that is slow or hostile costs
 * its own connection only: input and output buffers are bounded, a message is handled when it is
 * whole, and a connection over its output bound is not read from until it drains. */
#ifndef SLUICE_CTL_OPENFLOW_H
#define SLUICE_CTL_OPENFLOW_H

#include <event2/event.h>

#include "ofproto/ofproto.h"

struct openflow;

struct openflow *openflow_create(struct event_base *base, struct ofproto *o);
void openflow_destroy(struct openflow *of);

/* Adds a method; the same one twice is refused.  Listening begins at once. */
int openflow_add(struct openflow *of, const char *method, struct refusal *r);
int openflow_del(struct openflow *of, const char *method, struct refusal *r);

struct openflow_peer {
	const char *method; /* as added */
	const char *remote; /* of a connection; NULL for a method without one */
	bool connected;     /* hellos are exchanged */
	uint64_t since_ns, n_rx, n_tx, n_errors;
	const char *last_error; /* NULL: none */
};
void openflow_peers(struct openflow *of, void (*fn)(void *arg, const struct openflow_peer *p),
		    void *arg);

#endif
