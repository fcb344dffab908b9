/* SPDX-License-Identifier: Apache-2.0 */
/* Which kind of attack a packet would be part of, if it were, and what it says about its pair.
 *
 * Kinds are rows of attacks.def; every IP packet has one, nothing else does. */
#ifndef SLUICE_WATCH_CLASSIFY_H
#define SLUICE_WATCH_CLASSIFY_H

#include "utilities/watch/detect.h"

struct class
{
	uint8_t kind; /* enum attack_kind */
	uint8_t back; /* the kind that an answer would have */
	bool tcp;     /* TCP behind the connection request */
	bool may_be_asked;
	float asks;       /* packets of the other direction that one of these asks for */
	uint32_t service; /* the same in both directions: protocol, amplifier's port */
	uint32_t word;    /* for matches: class_word() */
};

/* False: not IP. */
bool classify(const struct key *key, struct class *out);

/* What a match may say of a packet: family, protocol and an amplifier's port. */
static inline uint32_t class_word(bool v6, uint8_t proto, uint16_t port)
{
	return (uint32_t)v6 << 31 | (uint32_t)proto << 16 | port;
}
/* Adds the kind to a target's match, as narrow as `word` (of most of it; 0: nobody knows) allows.
 */
void class_match(unsigned kind, uint32_t word, struct match *m);

#endif
