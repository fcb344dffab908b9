/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/forged.h"

#include "ofproto/admit.h"
#include "ofproto/set-rules.h"
#include "ofproto/state.h"

/* What no sender writes. */
static bool is_ours(unsigned field)
{
	switch (field) {
	case FIELD_IN_PORT:
	case FIELD_IN_PHY_PORT:
	case FIELD_METADATA:
	case FIELD_PKT_MARK:
	case FIELD_OUTER_PORT:
	case FIELD_OUTER_QUEUE:
	case FIELD_CONN_ID:
	case FIELD_CONN_AUTH:
		return true;
	default:
		return field >= N_FIELDS || (field >= FIELD_REG0 && field <= FIELD_REG7);
	}
}

static bool asks_exactly(const struct match *m, enum field_id id)
{
	const struct field *f = &fields[id];
	uint8_t ones[FIELD_SIZE_MAX];

	field_ones(f, ones);
	return !memcmp(field_in(&m->mask, f), ones, f->size);
}

/* All that meets it came out of a connection. */
static bool is_verified(const struct ofproto *o, const struct match *m)
{
	uint32_t in_port = get_be32(field_in(&m->value, &fields[FIELD_IN_PORT]));

	if (asks_exactly(m, FIELD_CONN_AUTH))
		return *(const uint8_t *)field_in(&m->value, &fields[FIELD_CONN_AUTH]);
	for (const struct object *b = o->objects.first; b && asks_exactly(m, FIELD_IN_PORT);
	     b = b->next)
		if (b->conn && !b->leaving && b->conn->port.ofport == in_port)
			return b->conn->has_in;
	return false;
}

/* The set that senders fill by this action; 0: none. */
static uint64_t fed(const struct op *op)
{
	uint16_t field[2];

	op_set_fields(op, field);
	return is_ours(field[0]) && is_ours(field[1]) ? 0 : op_set(op);
}

bool forged_feeds(const struct instructions *i)
{
	OP_FOR_EACH(op, i->apply.data, i->apply.size)
	if (fed(op))
		return true;
	return false;
}

/* What the rule takes is in the set already: it prolongs, and adds nobody. */
static bool prolongs(const struct flow *f, const struct op *op)
{
	uint16_t field[2];

	op_set_fields(op, field);
	for (unsigned i = 0; i < f->match.n_conds; i++) {
		const struct cond *c = &f->match.cond[i];

		if (cond_asks_set(c) && c->set == op_set(op) && c->field == field[0])
			return true;
	}
	return false;
}

/* Senders choose what the rule puts there, and nobody said that this is meant. */
static bool feeds(const struct ofproto *o, const struct flow *f, uint64_t set)
{
	if (f->unverified || is_verified(o, &f->match))
		return false;
	OP_FOR_EACH(op, f->instructions.apply.data, f->instructions.apply.size)
	if (fed(op) == set && !prolongs(f, op))
		return true;
	return false;
}

static const struct flow *feeder_of(const struct ofproto *o, uint64_t set)
{
	for (const struct entry_node *n = o->flows.feeders; n; n = n->next) {
		const struct entry *e = container_of(n, struct entry, feeds);

		if (feeds(o, &e->flow, set))
			return &e->flow;
	}
	return NULL;
}

static int refuse_with(const struct ofproto *o, uint64_t set, const struct flow *other,
		       const char *what, struct refusal *r)
{
	struct buf text = {0};

	flow_format(other, &text);
	refuse(r, NEEDS_FORCE, "unverified",
	       "whoever forges a packet would choose what is dropped, by set %s; unverified=yes in "
	       "the rule that adds accepts that, conn_auth=1 needs none; %s: %.140s",
	       set_entry_by_id(o, set)->set->name, what, buf_text(&text));
	buf_free(&text);
	return -EINVAL;
}

int forged_admit(struct ofproto *o, const struct flow *f, struct refusal *r)
{
	const struct flow *other;

	OP_FOR_EACH(op, f->instructions.apply.data, f->instructions.apply.size)
	if (fed(op) && feeds(o, f, fed(op)) && (other = set_denier(o, fed(op))))
		return refuse_with(o, fed(op), other, "this drops", r);
	for (unsigned i = 0; i < f->match.n_conds; i++) {
		const struct cond *c = &f->match.cond[i];

		if (cond_asks_set(c) && admit_denies(o, f) && (other = feeder_of(o, c->set)))
			return refuse_with(o, c->set, other, "this adds", r);
	}
	return 0;
}
