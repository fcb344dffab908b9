/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenFlow 1.3.5 server: every connection to a controller, whoever dialled.
 *
 * A *method* is Open vSwitch's: `unix:PATH`, `tcp:IP[:PORT]` and `ssl:IP[:PORT]` dial (and dial
 * again, with backoff), `punix:PATH`, `ptcp:[PORT][:IP]` and `pssl:[PORT][:IP]` listen.  TLS is
 * tls.h's; a peer is a connection of OpenFlow once its handshake is done.  Messages are rows of
 * messages.def, each with a handler in a file msg-*.c.
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

/* Adds a method, with its options (method_options()) in words; the same one twice is refused.
 * Listening begins at once. */
int openflow_add(struct openflow *of, const char *method, const char *options, struct refusal *r);
int openflow_del(struct openflow *of, const char *method, struct refusal *r);
/* Those that a method was added with; NULL: it is not there. */
const char *openflow_options(struct openflow *of, const char *method);

/* Key and certificates of ssl: and pssl:; whoever changes them says so, and connections that are no
 * longer trusted end. */
struct tls;
struct tls *openflow_tls(struct openflow *of);
void openflow_tls_changed(struct openflow *of);
bool openflow_uses_tls(const struct openflow *of);

/* How long dialling rests after so many failures: 1, 2, 4, then every 8 seconds, each less up to a
 * quarter by `chance`. */
unsigned openflow_pause_ms(unsigned n_failures, uint32_t chance);

struct openflow_peer {
	const char *method;       /* as added */
	const char *remote;       /* of a connection; NULL for a method without one */
	const char *options;      /* of a method */
	const char *subject;      /* of the certificate of a connection; NULL: none */
	uint64_t n_turned_away;   /* of a method: kept out by TLS, or for want of room */
	uint64_t n_accept_failed; /* of a method: no descriptor was left */
	bool connected;           /* hellos are exchanged */
	uint64_t since_ns, n_rx, n_tx, n_errors;
	const char *last_error; /* NULL: none */
};
void openflow_peers(struct openflow *of, void (*fn)(void *arg, const struct openflow_peer *p),
		    void *arg);

#endif
