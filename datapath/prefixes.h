/* SPDX-License-Identifier: Apache-2.0 */
/* The prefixes that rules ask of an address, and the longest that an address has.
 *
 * Which of the prefixes hold for an address is known from the longest of them: the others are the
 * beginnings of that one.  So no rule can tell two addresses with the same longest prefix apart,
 * and all that have none are alike.  A cache that keeps addresses so knows sources that never
 * repeat, wherever rules do not ask for them one by one.
 *
 * A tree of octets, of fixed size.  Where it has no room, and where a mask is no prefix, an address
 * is on its own, which is never wrong.  Prefixes only come: who wants fewer makes it anew.
 *
 * Writer: one thread, with readers beside it; each of them may see more than is published. */
#ifndef SLUICE_PREFIXES_H
#define SLUICE_PREFIXES_H

#include "lib/base.h"

enum {
	PREFIX_OCTETS = 16,
	PREFIX_NODES = 64,
	PREFIX_BITS = 8 * PREFIX_OCTETS,
	PREFIX_ALONE = PREFIX_BITS + 1, /* told apart from every other address */
};

struct prefixes {
	/* By an octet's value: the longest prefix's bits, or PREFIX_ALONE; or 256 times the node of
	 * the next octet. */
	uint16_t node[PREFIX_NODES][256];
	unsigned n_nodes; /* beside the first one; the writer's */
};

/* Zeroes are an empty one.  `mask` and `value`: what a rule asks of the address, all zero: nothing.
 */
void prefixes_add(struct prefixes *p, const uint8_t value[PREFIX_OCTETS],
		  const uint8_t mask[PREFIX_OCTETS]);
/* Every address is alone. */
void prefixes_add_all(struct prefixes *p);

/* The bits of an address' longest prefix; 0: it has none; PREFIX_ALONE. */
static inline unsigned prefixes_longest(const struct prefixes *p, const uint8_t *address)
{
	unsigned says = __atomic_load_n(&p->node[0][*address], __ATOMIC_ACQUIRE);

	while (says >= 256)
		says = __atomic_load_n(&p->node[says / 256][*++address], __ATOMIC_ACQUIRE);
	return says;
}

#endif
