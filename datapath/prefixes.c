/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/prefixes.h"

/* A prefix on its way in. */
struct fresh {
	unsigned bits, class; /* PREFIX_NONE: it has none yet */
};

static void say(struct prefixes *p, unsigned node, unsigned octet, unsigned says)
{
	__atomic_store_n(&p->node[node][octet], (uint16_t)says, __ATOMIC_RELEASE);
}

/* PREFIX_ALONE: there is no room. */
static unsigned new_class(struct prefixes *p, unsigned bits)
{
	unsigned class = p->n_classes + 1;

	if (class == PREFIX_CLASSES)
		return PREFIX_ALONE;
	p->n_classes++;
	p->bits[class] = (uint8_t)bits;
	return class;
}

/* Whether what an octet leads to is longer than `bits`, or as long, which is the same prefix. */
static bool is_as_long(const struct prefixes *p, unsigned says, unsigned bits)
{
	return says == PREFIX_ALONE || p->bits[says] >= bits;
}

/* From this octet on there is a prefix of `bits`, whose class is made when it is first needed;
 * longer ones stay. */
static void lengthen(struct prefixes *p, unsigned node, unsigned octet, struct fresh *f)
{
	unsigned says = p->node[node][octet];

	if (says & PREFIX_NODE) {
		for (unsigned next = 0; next < 256; next++)
			lengthen(p, says & ~PREFIX_NODE, next, f);
		return;
	}
	if (is_as_long(p, says, f->bits))
		return;
	if (f->class == PREFIX_NONE)
		f->class = new_class(p, f->bits);
	say(p, node, octet, f->class);
}

/* The node behind an octet; 0: there is no room, and what begins so is alone. */
static unsigned next_node(struct prefixes *p, unsigned node, unsigned octet)
{
	unsigned says = p->node[node][octet];

	if (says & PREFIX_NODE)
		return says & ~PREFIX_NODE;
	if (says == PREFIX_ALONE)
		return 0;
	if (p->n_nodes + 1 == PREFIX_NODES) {
		say(p, node, octet, PREFIX_ALONE);
		return 0;
	}
	p->n_nodes++;
	for (unsigned next = 0; next < 256; next++)
		say(p, p->n_nodes, next, says);
	say(p, node, octet, PREFIX_NODE | p->n_nodes);
	return p->n_nodes;
}

/* The length of a prefix; -1: the mask is none. */
static int prefix_length(const uint8_t mask[PREFIX_OCTETS])
{
	int bits = 0;

	while (bits < PREFIX_BITS && mask[bits / 8] >> (7 - bits % 8) & 1)
		bits++;
	for (int i = bits; i < PREFIX_BITS; i++)
		if (mask[i / 8] >> (7 - i % 8) & 1)
			return -1;
	return bits;
}

void prefixes_add(struct prefixes *p, const uint8_t value[PREFIX_OCTETS],
		  const uint8_t mask[PREFIX_OCTETS])
{
	int length = prefix_length(mask), left = length;
	struct fresh f = {.bits = (unsigned)length};
	unsigned node = 0;

	if (length < 0)
		prefixes_add_all(p);
	if (length <= 0)
		return;
	for (; left > 8; left -= 8) {
		node = next_node(p, node, *value++);
		if (!node)
			return;
	}
	for (unsigned octet = 0; octet < 256; octet++)
		if (!((octet ^ *value) >> (8 - left)))
			lengthen(p, node, octet, &f);
}

void prefixes_add_all(struct prefixes *p)
{
	for (unsigned octet = 0; octet < 256; octet++)
		say(p, 0, octet, PREFIX_ALONE);
}
