/* SPDX-License-Identifier: Apache-2.0 */
/* Tables (TS-023, 7.3.4.1, 7.3.5.4, 7.3.5.5).  All tables can do the same; only where goto_table
 * may lead differs.  The misses' properties are left out, as the standard has it where they are
 * the same. */
#include <errno.h>
#include <stdlib.h>

#include "ctl/msg.h"
#include "datapath/table.h"

struct table_dump {
	struct ofreply reply;
	unsigned table;
};

static void table_dump_end(struct ofconn *c, struct ofreply *reply)
{
	(void)c;
	free(container_of(reply, struct table_dump, reply));
}

static void table_dump(struct ofconn *c, const struct ofmsg *m, uint16_t type,
		       bool (*next)(struct ofconn *, struct ofreply *, struct buf *))
{
	struct table_dump *dump = calloc(1, sizeof *dump);

	if (!dump)
		abort();
	dump->reply = (struct ofreply){type, m->xid, next, table_dump_end, {0}, 0};
	ofconn_reply(c, &dump->reply);
}

static bool table_stats_next(struct ofconn *c, struct ofreply *reply, struct buf *page)
{
	struct table_dump *dump = container_of(reply, struct table_dump, reply);
	struct table_stats stats = {0};

	if (dump->table >= ofproto_n_tables(c->server->ofproto))
		return false;
	ofproto_table_stats(c->server->ofproto, dump->table, &stats);
	buf_u8(page, (uint8_t)dump->table++);
	buf_put(page, 3);
	buf_u32(page, stats.n_active);
	buf_u64(page, stats.n_lookups);
	buf_u64(page, stats.n_matches);
	return true;
}

int multipart_table(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	(void)r;
	table_dump(c, m, OFPMP_TABLE, table_stats_next);
	return 0;
}

/* ---- Features --------------------------------------------------------------------------- */

static size_t property_begin(struct buf *b, uint16_t type)
{
	size_t begin = b->size;

	buf_u16(b, type);
	buf_u16(b, 0);
	return begin;
}

/* Its length, without the padding to 8 octets that follows. */
static void property_end(struct buf *b, size_t begin)
{
	size_t size = b->size - begin;

	put_be16(b->data + begin + 2, (uint16_t)size);
	buf_octets(b, (const uint8_t[8]){0}, ROUND_UP(size, 8) - size);
}

static void put_instructions(struct buf *b, bool last)
{
	static const uint16_t types[] = {OFPIT_WRITE_METADATA, OFPIT_WRITE_ACTIONS,
					 OFPIT_APPLY_ACTIONS,  OFPIT_CLEAR_ACTIONS,
					 OFPIT_METER,          OFPIT_GOTO_TABLE};
	size_t begin = property_begin(b, OFPTFPT_INSTRUCTIONS);

	for (unsigned i = 0; i < ARRAY_SIZE(types) - last; i++) {
		buf_u16(b, types[i]);
		buf_u16(b, 4);
	}
	property_end(b, begin);
}

static void put_next_tables(struct buf *b, unsigned table, unsigned n_tables)
{
	size_t begin = property_begin(b, OFPTFPT_NEXT_TABLES);

	while (++table < n_tables)
		buf_u8(b, (uint8_t)table);
	property_end(b, begin);
}

static void put_actions(struct buf *b, uint16_t property, bool to_write, bool extended)
{
	size_t begin = property_begin(b, property);

	for (unsigned i = 0; i < N_ACTIONS; i++) {
		const struct action_class *a = action_class(i);

		if (!a->run || a->of_type < 0 || a->of_type == OFPAT_EXPERIMENTER ||
		    (to_write && a->order == SET_NEVER))
			continue;
		buf_u16(b, (uint16_t)a->of_type);
		buf_u16(b, 4);
	}
	if (extended && !to_write) { /* ours, as one: its types have no place here */
		buf_u16(b, OFPAT_EXPERIMENTER);
		buf_u16(b, 8);
		buf_u32(b, SLUICE_EXPERIMENTER);
	}
	property_end(b, begin);
}

enum which_fields { ALL_FIELDS, WILDCARDS, SETTABLE };

/* OXM headers; a maskable field's has the mask bit and the length of both (as Open vSwitch has
 * it).  Experimenter fields are for peers that know them. */
static void put_fields(struct buf *b, uint16_t property, enum which_fields which, bool extended)
{
	size_t begin = property_begin(b, property);

	for (unsigned i = 0; i < N_FIELDS; i++) {
		const struct field *f = &fields[i];
		bool experimenter = f->oxm_class == OFPXMC_EXPERIMENTER;
		bool mask = which == ALL_FIELDS && f->mask == MASK_FULL;
		unsigned size = f->size << mask;

		if ((experimenter && !extended) ||
		    (which == SETTABLE && f->settable != SET_BY_FIELD))
			continue;
		buf_u16(b, f->oxm_class);
		buf_u8(b, (uint8_t)(f->oxm_field << 1 | mask));
		buf_u8(b, (uint8_t)(size + (experimenter ? 4 : 0)));
		if (experimenter)
			buf_u32(b, SLUICE_EXPERIMENTER);
	}
	/* Conditions: their length is the condition's. */
	for (unsigned i = 0; extended && which == ALL_FIELDS && i < N_CONDS; i++) {
		buf_u16(b, OFPXMC_EXPERIMENTER);
		buf_u8(b, (uint8_t)(cond_class(i)->oxm << 1));
		buf_u8(b, 4);
		buf_u32(b, SLUICE_EXPERIMENTER);
	}
	property_end(b, begin);
}

static void put_properties(struct buf *b, unsigned table, unsigned n_tables, bool extended)
{
	put_instructions(b, table + 1 == n_tables);
	put_next_tables(b, table, n_tables);
	put_actions(b, OFPTFPT_WRITE_ACTIONS, true, extended);
	put_actions(b, OFPTFPT_APPLY_ACTIONS, false, extended);
	put_fields(b, OFPTFPT_MATCH, ALL_FIELDS, extended);
	put_fields(b, OFPTFPT_WILDCARDS, WILDCARDS, extended);
	put_fields(b, OFPTFPT_WRITE_SETFIELD, SETTABLE, extended);
	put_fields(b, OFPTFPT_APPLY_SETFIELD, SETTABLE, extended);
}

static void put_features(struct ofconn *c, unsigned table, struct buf *b)
{
	size_t begin = b->size;

	buf_u16(b, 0);
	buf_u8(b, (uint8_t)table);
	buf_put(b, 5);
	buf_put(b, sizeof((struct ofp_table_features *)0)->name); /* nobody named it */
	buf_u64(b, UINT64_MAX); /* metadata that can be matched, and written */
	buf_u64(b, UINT64_MAX);
	buf_u32(b, 0);
	buf_u32(b, RULE_IDS);
	put_properties(b, table, ofproto_n_tables(c->server->ofproto), c->extended);
	put_be16(b->data + begin, (uint16_t)(b->size - begin));
}

static bool table_features_next(struct ofconn *c, struct ofreply *reply, struct buf *page)
{
	struct table_dump *dump = container_of(reply, struct table_dump, reply);
	unsigned table = dump->table++;

	if (table >= ofproto_n_tables(c->server->ofproto))
		return false;
	put_features(c, table, page);
	return true;
}

/* Each table that the body has is asked for as it is. */
static bool asks_for_nothing(struct ofconn *c, const struct reader *body)
{
	struct buf ours = {0};
	const uint8_t *at = body->at;
	bool same = true;

	for (size_t left = reader_left(body); left && same;) {
		size_t size = get_be16(at);

		ours.size = 0;
		put_features(c, at[offsetof(struct ofp_table_features, table_id)], &ours);
		same = size == ours.size && !memcmp(at, ours.data, size);
		at += size;
		left -= size;
	}
	buf_free(&ours);
	return same;
}

int table_features_ask(struct ofconn *c, const struct reader *body, struct refusal *r)
{
	if (table_features_check(*body, ofproto_n_tables(c->server->ofproto), r))
		return -EINVAL;
	if (!asks_for_nothing(c, body))
		return refuse(
			r, TABLE_FEATURES, "body",
			"the tables' features cannot be changed; an empty body asks for them");
	return 0;
}

int multipart_table_features(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	int error = table_features_ask(c, &m->body, r);

	if (!error)
		table_dump(c, m, OFPMP_TABLE_FEATURES, table_features_next);
	return error;
}

int msg_table_mod(struct ofconn *c, struct ofmsg *m, struct refusal *r)
{
	uint8_t table = pull_u8(&m->body);
	uint32_t config;

	pull(&m->body, 3);
	config = pull_u32(&m->body);
	if (table != OFPTT_ALL && table >= ofproto_n_tables(c->server->ofproto))
		return refuse(r, TABLE_MOD_TABLE, "table_id", "table %u does not exist", table);
	/* OpenFlow 1.3 defines no bit but the two of 1.1, which say nothing any more. */
	if (config & ~(uint32_t)OFPTC_DEPRECATED_MASK)
		return refuse(r, TABLE_MOD_CONFIG, "config",
			      "table configuration 0x%x; none is known", config);
	return 0;
}
