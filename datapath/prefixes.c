/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/prefixes.h"

static void say(struct prefixes *p, unsigned node, unsigned octet, unsigned says)
{
	__atomic_store_n(&p->node[node][octet], (uint16_t)says, __ATOMIC_RELEASE);
}

/* From this octet on there is a prefix of `length`; longer ones stay. */
static void lengthen(struct prefixes *p, unsigned node, unsigned octet, unsigned length)
{
	unsigned says = p->node[node][octet];

	if (says < length)
		say(p, node, octet, length);
	for (unsigned next = 0; says >= 256 && next < 256; next++)
		lengthen(p, says / 256, next, length);
}

/* The node behind an octet; 0: there is no room, and what begins so is alone. */
static unsigned next_node(struct prefixes *p, unsigned node, unsigned octet)
{
	unsigned says = p->node[node][octet];

	if (says == PREFIX_ALONE || says >= 256)
		return says / 256;
	if (p->n_nodes + 1 == PREFIX_NODES) {
		say(p, node, octet, PREFIX_ALONE);
		return 0;
	}
	p->n_nodes++;
	for (unsigned next = 0; next < 256; next++)
		say(p, p->n_nodes, next, says);
	say(p, node, octet, 256 * p->n_nodes);
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
			lengthen(p, node, octet, (unsigned)length);
}

void prefixes_add_all(struct prefixes *p)
{
	for (unsigned octet = 0; octet < 256; octet++)
		say(p, 0, octet, PREFIX_ALONE);
}
