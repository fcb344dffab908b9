/* SPDX-License-Identifier: Apache-2.0 */
/* Fields and matches.
 *
 * A field is a row of fields.def: its names, wire code, width, what it needs beside it, when on a
 * packet's way it becomes known, and where it lies in `struct key`.  Everything that knows
 * fields (text, OXM, the early projection, table-features) reads the same rows.
 *
 * A match is a value and a mask in the shape of `struct key`; bits outside the mask are zero in
 * the value; and conditions (cond.h), which ask more than bits can.  match_finish() adds what a
 * field implies (its prerequisites, the outer record's presence bits) and refuses contradictions.
 */
#ifndef SLUICE_MATCH_H
#define SLUICE_MATCH_H

#include "datapath/cond.h"
#include "datapath/prereq.h"
#include "lib/cursor.h"
#include "lib/openflow-ext.h"
#include "lib/refuse.h"

enum field_id {
#define FIELD(ID, ...) FIELD_##ID,
#include "datapath/fields.def"
#undef FIELD
	N_FIELDS
};

/* When the value is known on a packet's way: an early verdict may use what is known by OUTER. */
enum field_known { KNOWN_RX, KNOWN_OUTER, KNOWN_ESP, KNOWN_AGG, KNOWN_DU };

enum field_mask { MASK_NONE, MASK_FULL };

/* set_field writes what lies in headers; what does not is for FLOW text and Nicira's loads. */
enum field_settable { SET_NOT, SET_BY_FIELD, SET_BY_LOAD };

enum { FIELD_SIZE_MAX = 16 };

enum field_text {
	TEXT_DECIMAL,
	TEXT_HEX,
	TEXT_ETH,
	TEXT_IPV4,
	TEXT_IPV6,
	TEXT_VLAN,
	TEXT_PORT,
	TEXT_WORD
};

struct field {
	const char *name;
	uint16_t oxm_class;
	uint8_t oxm_field;
	uint16_t bits;
	uint16_t off, size; /* octets in struct key; the value is right-aligned, network order */
	enum field_mask mask;
	enum field_prereq prereq;
	enum field_known known;
	enum field_text text;
	enum field_settable settable;
	uint32_t has; /* enum outer_has bits it needs */
};

extern const struct field fields[N_FIELDS];

/* The longest packets: IPv6's 40 octets and 65,535 behind them; Ethernet and two tags in front. */
enum { IP_LEN_MAX = 65575, PKT_LEN_MAX = IP_LEN_MAX + 22, IPV4_LEN_MAX = UINT16_MAX + 22 };

const struct field *field_by_name(const char *name); /* OXM, NXM and ovs-ofctl's names; NULL */
const struct field *field_by_oxm(uint16_t oxm_class, uint8_t oxm_field, uint32_t experimenter);

/* The mask of an exact match: ones in the field's bits, `size` octets. */
void field_ones(const struct field *f, uint8_t *mask);
/* Ones in the first `bits` of it. */
void field_prefix(const struct field *f, unsigned bits, uint8_t *mask);
/* Where the field lies in a key; and in what a lookup reads from, where the DU's part and the outer
 * one lie apart. */
static inline const uint8_t *field_in(const struct key *key, const struct field *f)
{
	return (const uint8_t *)key + f->off;
}
static inline const uint8_t *field_at(const struct key_view *view, const struct field *f)
{
	unsigned part = f->off / (OUTER_WORD * 8);

	return (const uint8_t *)view->part[part] + f->off % (OUTER_WORD * 8);
}
/* The octets as a number, of a field of up to 64 bits. */
static inline uint64_t field_number(const struct field *f, const uint8_t *octets)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < f->size; i++)
		n = n << 8 | octets[i];
	return n;
}
static inline void field_put_number(const struct field *f, uint64_t n, uint8_t *octets)
{
	for (unsigned i = f->size; i--; n >>= 8)
		octets[i] = (uint8_t)n;
}
/* The least and the largest number that packets which have such a header can have there. */
void field_span(const struct field *f, uint64_t *lo, uint64_t *hi);

/* Its prerequisites are there. */
static inline bool field_is_there(const struct field *f, const struct prereq_facts *k)
{
	return prereq_met(&prereqs[f->prereq], k) && (k->outer & f->has) == f->has;
}
/* It lies behind the IP header; what is cut short or in an earlier fragment has none such. */
static inline bool field_is_transport(const struct field *f)
{
	return prereqs[f->prereq].ip_proto;
}
/* Its prerequisites, for messages. */
static inline const char *field_needs(const struct field *f)
{
	return prereqs[f->prereq].text;
}

struct match {
	struct key value, mask;
	struct cond cond[MATCH_CONDS]; /* in cond.h's order; what is not used is zero */
	uint64_t n_conds;
};

/* Which match fields are set (any mask bit), as bits by field id. */
struct field_set {
	uint64_t bit[(N_FIELDS + 63) / 64];
};
struct field_set match_fields(const struct match *m);

static inline bool field_set_has(const struct field_set *s, enum field_id id)
{
	return s->bit[id / 64] >> id % 64 & 1;
}

static inline void field_set_add(struct field_set *s, enum field_id id)
{
	s->bit[id / 64] |= 1ull << id % 64;
}

static inline void field_set_remove(struct field_set *s, enum field_id id)
{
	s->bit[id / 64] &= ~(1ull << id % 64);
}
/* The match has the field's prerequisites. */
bool match_meets(const struct match *m, const struct field *f);

/* Sets a field's value and mask, `size` octets each (mask NULL: exact).  Refuses values outside
 * the field's bits, masks it cannot have, value bits outside the mask, and a field given twice. */
int match_set(struct match *m, const struct field *f, const uint8_t *value, const uint8_t *mask,
	      struct refusal *r);

/* Checks prerequisites as the standard has them (TS-023, 7.2.3.6): they must be there.  Then adds
 * presence bits.  Call when all fields are set; again does no harm. */
int match_finish(struct match *m, struct refusal *r);

bool match_equal(const struct match *a, const struct match *b);
/* `wide` matches whatever `narrow` does (for non-strict commands). */
bool match_covers(const struct match *wide, const struct match *narrow);
/* Some packet could match both (for CHECK_OVERLAP). */
bool match_overlaps(const struct match *a, const struct match *b);
/* The linear twin's test.  False with s->unknown: what the probe has does not say. */
bool match_met(const struct match *m, struct probe *s);
/* Of the key alone: a condition that wants octets is not met. */
bool match_hits(const struct match *m, const struct key_view *key);

/* `in_port=NAME`: the control side lends its port names (NULL: numbers only).  Control thread. */
struct port_names {
	bool (*number)(const char *name, uint32_t *ofport);
	const char *(*name)(uint32_t ofport); /* NULL: none; valid until the next call */
};
extern const struct port_names *port_names;
/* A port's number, reserved name (LOCAL, IN_PORT …) or lent name; false when it is none. */
bool port_parse(const char *text, uint32_t *ofport);
void port_format(uint32_t ofport, struct buf *text);
/* One field's text: the value without its name. */
int field_parse(const struct field *f, const char *text, uint8_t *value, uint8_t *mask,
		struct refusal *r);
void field_format(const struct field *f, const uint8_t *value, const uint8_t *mask,
		  struct buf *text);

/* The whole match as text, `name=value,…` in the order of fields.def, prerequisites in ovs-ofctl's
 * short words (ip, tcp, …) where they say the same. Nothing for an empty match. */
void match_format(const struct match *m, struct buf *text);
/* Adds one `name=value` or one short word (ip, tcp, icmp6 …) of FLOW text; prerequisites that a
 * short word implies are set.  -ENOENT when the word is no field (the caller knows others). */
int match_parse_word(struct match *m, const char *key, const char *value, struct refusal *r);

/* The field that a name of FLOW text means beside what the match says by now (`tp_dst` of UDP), and
 * what it implies is set.  For conditions of several fields. */
int match_name_field(struct match *m, const char *name, const struct field **f, struct refusal *r);

/* The next `name=value` or `name` of FLOW text; value NULL: it has none.  Commas and white space
 * part words, but not between double quotes.  Writes into the text and moves it on.  1: a word; 0:
 * none is left; -EINVAL: a quote does not end. */
int match_next_word(char **text, char **name, char **value, struct refusal *r);
/* What stands behind `actions=` outside of quotes, cut off from the words in front; NULL: none. */
char *match_find_actions(char *text);

/* OXM (TS-023, 7.2.3).  ofp_match with its padding: reads all of it; writes it padded to 8. */
int match_get_oxm(struct match *m, struct reader *wire, struct refusal *r);
/* `standard_only`: experimenter fields cannot be said; returns false (and writes nothing) when the
 * match has any and the peer never used them. */
bool match_put_oxm(const struct match *m, struct buf *wire, bool standard_only);
/* One field's OXM TLV, as set_field carries it.  `mask` is of ones when there is none. */
struct field_value {
	const struct field *field;
	bool has_mask;
	uint8_t value[FIELD_SIZE_MAX], mask[FIELD_SIZE_MAX];
};
int field_get_oxm(struct reader *wire, struct field_value *v, struct refusal *r);
/* mask NULL or of ones: exact. */
void field_put_oxm(const struct field *f, const uint8_t *value, const uint8_t *mask,
		   struct buf *wire);

#endif
