/* SPDX-License-Identifier: Apache-2.0 */
/* The prefixes that rules ask of an address, and the longest that an address has.
 *
 * Which of the prefixes hold for an address is known from the longest of them: the others are the
 * beginnings of that one.  So no rule can tell two addresses with the same longest prefix apart,
 * and all that have none are alike.  A cache that keeps addresses so knows sources that never
 * repeat, wherever rules do not ask for them one by one.
 *
 * A tree of octets, of fixed size, that leads from an address to the number of its longest prefix:
 * its *class*.  Where it has no room, and where a mask is no prefix, an address is on its own,
 * which is never wrong.  Prefixes only come, and a class stays the same prefix; who wants fewer
 * makes it anew.
 *
 * Writer: one thread, with readers beside it; each of them may see more than is published. */
#ifndef SLUICE_PREFIXES_H
#define SLUICE_PREFIXES_H

#include "lib/base.h"

enum {
	PREFIX_OCTETS = 16,
	PREFIX_BITS = 8 * PREFIX_OCTETS,
	PREFIX_NODES = 64,
	PREFIX_CLASSES = 4096,
	PREFIX_NODE = 0x8000, /* what leads on, and the node of the next octet */
};

/* Below PREFIX_CLASSES, one prefix each; 0: the address is in none. */
enum prefix_class { PREFIX_NONE = 0, PREFIX_ALONE = 0x4000 /* told apart from all others */ };

struct prefixes {
	/* By an octet's value: a class, or PREFIX_NODE | node. */
	uint16_t node[PREFIX_NODES][256];
	/* The rest is the writer's: how many there are beside the first ones, and the bits of
	 * classes' prefixes. */
	unsigned n_nodes, n_classes;
	uint8_t bits[PREFIX_CLASSES];
};

/* Zeroes are an empty one.  `mask` and `value`: what a rule asks of the address, all zero: nothing.
 */
void prefixes_add(struct prefixes *p, const uint8_t value[PREFIX_OCTETS],
		  const uint8_t mask[PREFIX_OCTETS]);
/* Every address is alone. */
void prefixes_add_all(struct prefixes *p);

/* The class of an address. */
static inline unsigned prefixes_class(const struct prefixes *p, const uint8_t *address)
{
	unsigned says = __atomic_load_n(&p->node[0][*address], __ATOMIC_ACQUIRE);

	while (says & PREFIX_NODE)
		says = __atomic_load_n(&p->node[says & ~PREFIX_NODE][*++address], __ATOMIC_ACQUIRE);
	return says;
}

#endif
