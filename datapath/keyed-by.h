/* SPDX-License-Identifier: Apache-2.0 */
/* By what packets are told apart: the FIELDS of limits by key.
 *
 *	ipv4_src   ipv4_src/24   src   src/24/64   dst,tcp_dst   conn_id+ipv4_src
 *
 * Names of fields.def or of families (field-family.h) with commas or `+` between, a prefix length
 * behind a slash where the field can have a mask; src and dst take two, for IPv4 and IPv6.  A
 *packet that does not have a field has "none" in its place, which is a value like another: what has
 *no key has one key together, and is limited.
 *
 * Compiled, it is for each field its forms, of which a packet has one at most, and their masks; a
 * key is a word that says which form each field has, and a word or two for each value, as they are
 *in the packet's key.
 *
 * Threads: keyed_key() on workers; the rest on the control thread. */
#ifndef SLUICE_KEYED_BY_H
#define SLUICE_KEYED_BY_H

#include "datapath/field-family.h"
#include "datapath/keyed.h"

enum { KEYED_FIELDS = 4, KEYED_BY_TEXT = 160 };

struct keyed_by {
	unsigned n, words; /* fields; of a key */
	struct keyed_field {
		char name[24];
		unsigned n_forms, words;
		struct keyed_form {
			const struct field *field;
			uint64_t mask[2]; /* of the words that it lies in */
			uint8_t bits;     /* of a prefix; 0: all of the field */
		} form[FIELD_FORMS];
	} field[KEYED_FIELDS];
};

int keyed_by_parse(const char *text, struct keyed_by *by, struct refusal *r);
/* As it can be parsed again. */
void keyed_by_format(const struct keyed_by *by, struct buf *text);

/* The packet's key: by->words words. */
void keyed_key(const struct keyed_by *by, const struct key_view *view, uint64_t *key);
/* The field's octets among the words of a key that have it. */
static inline const uint8_t *keyed_value(const struct keyed_form *form, const uint64_t *words)
{
	return (const uint8_t *)words + form->field->off % 8;
}
/* `src=10.0.0.0/24,tcp_dst=80`. */
void keyed_key_format(const struct keyed_by *by, const uint64_t *key, struct buf *text);

#endif
