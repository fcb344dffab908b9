/* SPDX-License-Identifier: Apache-2.0 */
/* Open vSwitch's connection methods as text: `tcp:IP[:PORT]`, `unix:PATH`, `ptcp:[PORT][:IP]`,
 * `punix:PATH`; IPv6 addresses in brackets. */
#ifndef SLUICE_CTL_METHOD_H
#define SLUICE_CTL_METHOD_H

#include <sys/socket.h>
#include <sys/un.h>

#include "lib/refuse.h"

struct method {
	bool passive, local; /* it listens; it is a unix socket */
	socklen_t size;
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	} address;
};

/* `ptcp:` listens on port 6653 of 127.0.0.1 unless told otherwise: beyond the loopback a listener
 * in the clear has to be asked for by address. */
int method_parse(const char *text, struct method *m, struct refusal *r);
/* `IP[:PORT]` alone, with a default port; changes the text. */
int method_parse_address(char *text, uint16_t port, struct method *m, struct refusal *r);

/* A bound socket that does not listen yet, non-blocking.  A unix socket file that nobody serves is
 * replaced; one that is served, or another kind of file, is refused.  Mode 0660. */
int method_bind(const struct method *m, struct refusal *r); /* the descriptor, or -errno */

#endif
