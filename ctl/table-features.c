/* SPDX-License-Identifier: Apache-2.0 */
/* A table-features request with a body (TS-023, 7.3.5.5): looked at in wire order, each mistake
 * with its code.  Tables cannot be changed: what is well-formed and asks for what there is
 * anyway is answered as if it had asked nothing, and all else is OFPTFFC_EPERM. */
#include <errno.h>

#include "ctl/msg.h"
#include "datapath/table.h"

static bool is_action(uint16_t type)
{
	for (unsigned i = 0; i < N_ACTIONS; i++)
		if (action_class(i)->of_type == type)
			return true;
	return false;
}

static bool is_instruction(uint16_t type)
{
	return type >= OFPIT_GOTO_TABLE && type <= OFPIT_METER;
}

/* Of instructions or actions: type and length, of experimenters more behind. */
static int check_list(struct reader *list, bool (*known)(uint16_t type), struct refusal *r)
{
	while (reader_left(list)) {
		uint16_t type = pull_u16(list), size = pull_u16(list);

		if (list->failed || size < 4 || size - 4u > reader_left(list))
			return refuse(r, TABLE_FEATURES_LEN, "length",
				      "an instruction or action of %u octets in a property", size);
		pull(list, size - 4u);
		if (!known(type))
			return refuse(r, TABLE_FEATURES_ARGUMENT, "type",
				      "there is no instruction or action %u here", type);
	}
	return 0;
}

static int check_tables(struct reader *list, unsigned table, unsigned n_tables, struct refusal *r)
{
	while (reader_left(list)) {
		uint8_t next = pull_u8(list);

		if (next <= table || next >= n_tables)
			return refuse(r, TABLE_FEATURES_ARGUMENT, "next_table_ids",
				      "table %u behind table %u, of %u", next, table, n_tables);
	}
	return 0;
}

static bool is_field(uint16_t oxm_class, uint8_t oxm_field)
{
	for (unsigned i = 0; i < N_FIELDS; i++)
		if (fields[i].oxm_class == oxm_class && fields[i].oxm_field == oxm_field)
			return true;
	for (unsigned i = 0; i < N_CONDS; i++)
		if (oxm_class == OFPXMC_EXPERIMENTER && cond_class(i)->oxm == oxm_field)
			return true;
	return false;
}

static int check_fields(struct reader *list, struct refusal *r)
{
	while (reader_left(list)) {
		uint16_t oxm_class = pull_u16(list);
		uint8_t oxm_field = pull_u8(list) >> 1;

		pull_u8(list);
		if (oxm_class == OFPXMC_EXPERIMENTER)
			pull_u32(list);
		if (list->failed)
			return refuse(r, TABLE_FEATURES_LEN, "oxm_ids",
				      "a property ends within a field's header");
		if (!is_field(oxm_class, oxm_field))
			return refuse(r, TABLE_FEATURES_ARGUMENT, "oxm_ids",
				      "there is no field %u of class 0x%04x here", oxm_field,
				      oxm_class);
	}
	return 0;
}

static int check_property(struct reader *body, unsigned table, unsigned n_tables, struct refusal *r)
{
	uint16_t type = pull_u16(body), size = pull_u16(body);
	struct reader list;

	if (body->failed || size < 4 || size - 4u > reader_left(body))
		return refuse(r, TABLE_FEATURES_LEN, "length",
			      "a property of %u octets, with %zu left of its table", size,
			      reader_left(body));
	list = pull_reader(body, size - 4u);
	pull(body, MIN((size_t)(ROUND_UP(size, 8) - size), reader_left(body)));
	switch (type) {
	case OFPTFPT_INSTRUCTIONS:
	case OFPTFPT_INSTRUCTIONS_MISS:
		return check_list(&list, is_instruction, r);
	case OFPTFPT_NEXT_TABLES:
	case OFPTFPT_NEXT_TABLES_MISS:
		return check_tables(&list, table, n_tables, r);
	case OFPTFPT_WRITE_ACTIONS ... OFPTFPT_APPLY_ACTIONS_MISS:
		return check_list(&list, is_action, r);
	case OFPTFPT_MATCH:
	case OFPTFPT_WILDCARDS:
	case OFPTFPT_WRITE_SETFIELD ... OFPTFPT_APPLY_SETFIELD_MISS:
		return check_fields(&list, r);
	default:
		return refuse(r, TABLE_FEATURES_TYPE, "type", "property type %u is not known here",
			      type);
	}
}

/* struct ofp_table_features */
static int check_table(struct reader *body, unsigned n_tables, struct refusal *r)
{
	uint16_t size = pull_u16(body);
	uint8_t table = pull_u8(body);
	struct reader one;
	uint32_t config, max_entries;

	if (body->failed || size < sizeof(struct ofp_table_features) || size % 8 ||
	    size - 3u > reader_left(body))
		return refuse(r, TABLE_FEATURES_LEN, "length",
			      "a table's features of %u octets; in eights, from %zu on, and within "
			      "the message",
			      size, sizeof(struct ofp_table_features));
	one = pull_reader(body, size - 3u);
	if (table >= n_tables)
		return refuse(r, TABLE_FEATURES_TABLE, "table_id", "table %u does not exist",
			      table);
	pull(&one, 5 + sizeof((struct ofp_table_features *)0)->name + 16);
	config = pull_u32(&one);
	max_entries = pull_u32(&one);
	if (config & ~(uint32_t)OFPTC_DEPRECATED_MASK || max_entries > RULE_IDS)
		return refuse(
			r, TABLE_FEATURES_ARGUMENT, "max_entries",
			"table %u with %u entries, configuration 0x%x; up to %u entries, and 0",
			table, max_entries, config, RULE_IDS);
	while (reader_left(&one))
		if (check_property(&one, table, n_tables, r))
			return -EINVAL;
	return 0;
}

int table_features_check(struct reader body, unsigned n_tables, struct refusal *r)
{
	while (reader_left(&body))
		if (check_table(&body, n_tables, r))
			return -EINVAL;
	return 0;
}
