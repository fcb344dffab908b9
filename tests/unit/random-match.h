/* SPDX-License-Identifier: Apache-2.0 */
/* Random matches that the switch would accept, for property tests (seed with srandom()). */
#ifndef SLUICE_RANDOM_MATCH_H
#define SLUICE_RANDOM_MATCH_H

#include <stdlib.h>

#include "datapath/match.h"

/* One guess; false: it says what nothing can be.  A protocol's short word and a guess at what
 * stands under it, then fields whose prerequisites are there, with random values and masks. */
static inline bool random_match_try(struct match *m)
{
	static const char *const words[] = {"",    "ip",   "ipv6", "arp",  "mpls", "tcp",
					    "udp", "tcp6", "udp6", "sctp", "icmp", "icmp6"};

	*m = (struct match){0};
	if (*words[random() % 12])
		match_parse_word(m, words[random() % 11 + 1], NULL, NULL);
	for (unsigned n = random() % 8; n--;) {
		const struct field *f = &fields[random() % N_FIELDS];
		uint8_t ones[FIELD_SIZE_MAX], value[FIELD_SIZE_MAX], mask[FIELD_SIZE_MAX];
		bool masked = f->mask == MASK_FULL && random() % 2;

		if (f == &fields[FIELD_ICMPV6_CODE])
			continue; /* would forbid what needs code 0 */
		field_ones(f, ones);
		for (unsigned i = 0; i < f->size; i++) {
			mask[i] = masked ? (uint8_t)random() & ones[i] : ones[i];
			value[i] = (uint8_t)random() & mask[i];
		}
		if (f == &fields[FIELD_ICMPV6_TYPE])
			value[0] = (uint8_t)(134 + random() % 4);
		if (f->text == TEXT_VLAN) {
			mask[0] |= 0x10;
			value[0] |= 0x10;
		}
		if (f->prereq == PRE_OUTER || match_meets(m, f))
			match_set(m, f, value, masked ? mask : NULL, NULL);
	}
	return !match_finish(m, NULL);
}

static inline void random_match(struct match *m)
{
	while (!random_match_try(m))
		continue;
}

#endif
