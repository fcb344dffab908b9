/* SPDX-License-Identifier: Apache-2.0 */
/* Membership in a set: `ipv4_src=@blocklist`, `tcp_dst=!@allowed`, and of two fields together
 * `ipv4_src+tcp_dst=@pairs`.
 *
 * A match names its set; inside it is a number that is never given twice, so that a rule cannot
 * come to ask another set than the one it was written for.
 *
 * OXM: the argument is the set's name; of a pair (which is a kind of its own for that) the second
 * field in front of it, as an OXM header has it (class, number, size; an experimenter's id). */
#include <errno.h>
#include <stdio.h>

#include "datapath/match.h"
#include "datapath/worker.h"
#include "lib/openflow.h"

/* ---- Asking ------------------------------------------------------------------------------- */

static bool holds(const struct cond *c, struct probe *s)
{
	const struct field *const f[2] = {&fields[c->field],
					  c->field2 < N_FIELDS ? &fields[c->field2] : NULL};
	struct worker *w = s->worker;
	struct set_ask ask = {0};
	const struct set *set;
	struct set_key key;

	/* Nobody's lookups (dry runs, the oracle of tests) ask the control side, whose thread they
	 * are on. */
	if (w)
		set = set_get(w->dp, c->set);
	else
		set = set_names ? set_names->by_id(c->set) : NULL;
	if (!set) {
		s->unknown = true;
		return false;
	}
	if (set->flags) {
		s->fleeting = true;
		ask.now_ms = w ? w->now / NSEC_PER_MSEC : set_names->now_ms();
		ask.count = w && s->pkt && !w->private_trace && !s->unverified;
		ask.octets = ask.count ? pkt_octets(s->pkt) : 0;
	}
	return set_key_of(set->type, &s->key, f, &key) &&
	       set_table_has(rcu_get(set->table), &key, &ask);
}

/* ---- Text --------------------------------------------------------------------------------- */

static int find_set(const char *name, struct cond *c, struct refusal *r)
{
	const struct field *f = &fields[c->field];
	const struct field *f2 = c->field2 < N_FIELDS ? &fields[c->field2] : NULL;
	const struct set *set = set_names ? set_names->by_name(name) : NULL;

	if (!set)
		return refuse(r, NOT_FOUND, f->name,
			      "%s: there is no set '%.40s'; sluice-ctl add-set makes one", f->name,
			      name);
	if (!set_type_fits(set->type, f, f2))
		return refuse(r, BAD_VALUE, f->name,
			      "%s%s%s cannot be in set %s, whose type is %s: %s would be accepted",
			      f->name, f2 ? "+" : "", f2 ? f2->name : "", name,
			      set_type_names[set->type], set_type_wants(set->type));
	c->set = set->id;
	return 0;
}

static int parse(const struct field *f, const char *value, struct cond *c, struct refusal *r)
{
	(void)f;
	return *value == '@' ? find_set(value + 1, c, r) : -ENOENT;
}

static const char *set_name(const struct cond *c)
{
	const struct set *set = set_names ? set_names->by_id(c->set) : NULL;

	return set ? set->name : "?";
}

static void format(const struct cond *c, struct buf *text)
{
	buf_printf(text, "@%s", set_name(c));
}

/* FIELD+FIELD=@NAME.  Another value, or no `+`: it is not ours. */
static int parse_pair(struct match *m, const char *name, const char *value, struct refusal *r)
{
	struct cond c = {.kind = COND_SET_PAIR};
	const char *plus = strchr(name, '+');
	const struct field *f, *f2;
	char first[64];
	int error;

	if (!plus || (size_t)(plus - name) >= sizeof first)
		return -ENOENT;
	snprintf(first, sizeof first, "%.*s", (int)(plus - name), name);
	if (match_name_field(m, first, &f, r) || match_name_field(m, plus + 1, &f2, r))
		return -EINVAL;
	c.field = (uint16_t)(f - fields);
	c.field2 = (uint16_t)(f2 - fields);
	if (value && *value == '!') {
		c.flags = COND_NEGATED;
		value++;
	}
	if (!value || *value != '@')
		return refuse(r, BAD_VALUE, name,
			      "%s: two fields together can be in a set; %s=@NAME would be accepted",
			      name, name);
	error = find_set(value + 1, &c, r);
	return error ? error : match_add_cond(m, &c, r);
}

static const char *pair_word(const struct cond *c)
{
	static char word[96]; /* the control thread's alone */

	if (c->field >= N_FIELDS || c->field2 >= N_FIELDS) /* half read */
		return "set";
	snprintf(word, sizeof word, "%s+%s", fields[c->field].name, fields[c->field2].name);
	return word;
}

/* ---- Wire --------------------------------------------------------------------------------- */

static int get(struct cond *c, struct reader *body, struct refusal *r)
{
	size_t size = reader_left(body);
	char name[SET_NAME] = "";

	if (c->field >= N_FIELDS)
		return refuse(r, BAD_FIELD, "set", "a set that is asked for no field");
	if (!size || size >= sizeof name)
		return refuse(r, MATCH_LEN, fields[c->field].name,
			      "%s: a set's name of %zu octets; 1 to %d would be accepted",
			      fields[c->field].name, size, SET_NAME - 1);
	memcpy(name, pull(body, size), size);
	if (!set_name_ok(name) || strlen(name) != size)
		return refuse(r, BAD_VALUE, fields[c->field].name,
			      "%s: what stands for a set's name is none", fields[c->field].name);
	return find_set(name, c, r);
}

static bool put(const struct cond *c, struct buf *wire)
{
	const char *name = set_name(c);

	buf_octets(wire, name, strlen(name));
	return true;
}

static int get_pair(struct cond *c, struct reader *body, struct refusal *r)
{
	const struct field *f2;
	uint16_t class = pull_u16(body);
	uint8_t number = pull_u8(body) >> 1;

	pull(body, 1);
	if (class == OFPXMC_EXPERIMENTER)
		pull(body, 4);
	if (body->failed)
		return refuse(r, MATCH_LEN, "set", "a pair in a set without its second field");
	f2 = field_by_oxm(class, number, SLUICE_EXPERIMENTER);
	if (!f2)
		return refuse(r, BAD_FIELD, "set", "field %u of OXM class 0x%04x is unknown",
			      number, class);
	c->field2 = (uint16_t)(f2 - fields);
	return get(c, body, r);
}

static bool put_pair(const struct cond *c, struct buf *wire)
{
	const struct field *f2 = &fields[c->field2];

	buf_u16(wire, f2->oxm_class);
	buf_u8(wire, (uint8_t)(f2->oxm_field << 1));
	buf_u8(wire, (uint8_t)f2->size);
	if (f2->oxm_class == OFPXMC_EXPERIMENTER)
		buf_u32(wire, SLUICE_EXPERIMENTER);
	return put(c, wire);
}

static bool same_set(const struct cond *wide, const struct cond *narrow)
{
	return wide->set == narrow->set && wide->field2 == narrow->field2;
}

const struct cond_class cond_set = {
	.name = "set",
	.oxm = SLUICE_OXM_SET,
	.holds = holds,
	.parse = parse,
	.format = format,
	.get = get,
	.put = put,
	.covers = same_set,
};

const struct cond_class cond_set_pair = {
	.name = "set",
	.oxm = SLUICE_OXM_SET_PAIR,
	.holds = holds,
	.parse_word = parse_pair,
	.word = pair_word,
	.format = format,
	.get = get_pair,
	.put = put_pair,
	.covers = same_set,
};
