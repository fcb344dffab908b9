/* SPDX-License-Identifier: Apache-2.0 */
/* Open vSwitch's connection methods as text: `ssl:IP[:PORT]`, `tcp:IP[:PORT]`, `unix:PATH` dial,
 * `pssl:[PORT][:IP]`, `ptcp:[PORT][:IP]`, `punix:PATH` listen; IPv6 addresses in brackets. */
#ifndef SLUICE_CTL_METHOD_H
#define SLUICE_CTL_METHOD_H

#include <sys/socket.h>
#include <sys/un.h>

#include "lib/refuse.h"

enum { METHOD_AUX = 8 };

struct method {
	bool passive, local; /* it listens; it is a unix socket */
	bool tls;            /* ssl: and pssl: (tls.h) */
	bool plain;          /* plain=yes: TCP beyond this machine is meant */
	uint8_t n_aux;       /* aux=N: auxiliary connections, of what dials; at most METHOD_AUX */
	uint8_t origin;      /* origin=ORIGIN: of guard rules; ORIGIN_CONTROLLER: none */
	char peer[64];       /* peer=NAME: what its certificate has to say; "": see tls.h */
	socklen_t size;
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	} address;
};

/* Ports are 6653 unless told otherwise.  `ptcp:` listens on 127.0.0.1 then, `pssl:` on every
 * address of IPv4. */
int method_parse(const char *text, struct method *m, struct refusal *r);
/* What may stand behind it: `plain=yes`, `peer=NAME`, `origin=cli|bgp|watch|request`, `aux=N`.
 * Refuses TCP that listens beyond this machine without the former. */
int method_options(struct method *m, unsigned n, const char *const *words, struct refusal *r);
/* What it says stays on this machine. */
bool method_is_near(const struct method *m);
/* `IP[:PORT]` alone, with a default port; changes the text. */
int method_parse_address(char *text, uint16_t port, struct method *m, struct refusal *r);

/* A bound socket that does not listen yet, non-blocking.  A unix socket file that nobody serves is
 * replaced; one that is served, or another kind of file, is refused.  Mode 0660. */
int method_bind(const struct method *m, struct refusal *r); /* the descriptor, or -errno */

#endif
