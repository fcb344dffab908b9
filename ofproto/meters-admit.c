/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules may use a meter, and an aggregate meter in particular.
 *
 * An aggregate meter acts before decryption, so all of its rule's match must be known by then, and
 * the rule must be one that early.c asks: of table 0.  What it counts there nobody has
 * authenticated.  A rule *covers* a connection when an aggregate from its far end could match;
 * then a stranger who forges address and SPI spends what was meant for the far end, and that is for
 * the operator to say yes to.  A rule that leaves out the far end's address covers nothing. */
#include <inttypes.h>

#include "datapath/conn.h"
#include "ofproto/forged.h"
#include "ofproto/memory.h"
#include "ofproto/meters.h"
#include "ofproto/state.h"

enum { PROTO_ESP = 50, PROTO_UDP = 17 };

/* ---- What a connection's aggregates look like --------------------------------------------- */

static void exact(struct match *m, enum field_id id, const void *octets)
{
	const struct field *f = &fields[id];

	memcpy((uint8_t *)&m->value + f->off, octets, f->size);
	field_ones(f, (uint8_t *)&m->mask + f->off);
}

static void exact_u32(struct match *m, enum field_id id, uint32_t v)
{
	be32 octets = htobe32(v);

	exact(m, id, &octets);
}

static void outer_addresses(struct match *m, const struct conn *c)
{
	bool v4 = c->in_id.local.family == 4;

	exact(m, v4 ? FIELD_OUTER_IPV4_DST : FIELD_OUTER_IPV6_DST, c->in_id.local.octet);
	if (c->remote.family == c->in_id.local.family)
		exact(m, v4 ? FIELD_OUTER_IPV4_SRC : FIELD_OUTER_IPV6_SRC, c->remote.octet);
}

/* What is known early of an aggregate from the far end; what varies is left open. */
static struct match aggregates_of(const struct conn *c)
{
	bool v4 = c->in_id.local.family == 4, udp = c->in_id.proto == PROTO_UDP;
	be64 id = htobe64(be32toh(c->in_id.id));
	struct match m = {0};

	exact_u32(&m, FIELD_IN_PORT, c->port.ofport);
	exact_u32(&m, FIELD_CONN_ID, c->port.ofport);
	exact(&m, FIELD_TUNNEL_ID, &id);
	exact(&m, FIELD_ESP_SPI, &c->in_id.id);
	if (udp)
		exact(&m, FIELD_OUTER_UDP_DST, &c->in_id.udp_dst);
	outer_addresses(&m, c);
	m.mask.outer.has = htobe32(HAS_CONN | HAS_ESP | HAS_IPV4 | HAS_IPV6 | HAS_UDP);
	m.value.outer.has =
		htobe32(HAS_CONN | HAS_ESP | (v4 ? HAS_IPV4 : HAS_IPV6) | (udp ? HAS_UDP : 0));
	return m;
}

static bool covers(const struct flow *f, const struct conn *c)
{
	struct match aggregates = aggregates_of(c);

	return c->has_in && match_overlaps(&f->match, &aggregates);
}

/* ---- Rules -------------------------------------------------------------------------------- */

/* The first field of the match that is not known before decryption. */
static const char *late_field(const struct match *m)
{
	struct field_set set = match_fields(m);

	for (unsigned i = 0; i < N_FIELDS; i++)
		if (field_set_has(&set, i) && fields[i].known > KNOWN_OUTER)
			return fields[i].name;
	for (unsigned i = 0; i < m->n_conds; i++)
		if (m->cond[i].field < N_FIELDS && fields[m->cond[i].field].known > KNOWN_OUTER)
			return fields[m->cond[i].field].name;
	return "match";
}

static int admit_aggregate(struct ofproto *o, const struct flow *f, struct refusal *r)
{
	uint32_t meter = f->instructions.meter;
	struct match projected;

	if (f->table)
		return refuse(r, UNSUP_INSTRUCTION, "meter",
			      "meter %" PRIu32 " counts aggregates, before any table but 0; a rule "
			      "of table 0 would be accepted",
			      meter);
	if (!match_project_early(&f->match, &projected))
		return refuse(r, BAD_FIELD, late_field(&f->match),
			      "meter %" PRIu32 " counts aggregates, before decryption, and %s is "
			      "known behind it; in_port, tunnel_id, esp_spi and outer_* would be "
			      "accepted",
			      meter, late_field(&f->match));
	if (!o->restoring && !early_admits_meter(o->dp.early, &f->match))
		return refuse(r, COMPILE_BUDGET, "match",
			      "meter %" PRIu32
			      ": %d rules with aggregate meters differ from this one in "
			      "their ranges, sets and programs alone, as many as are asked before "
			      "decryption; one set would be accepted",
			      meter, EARLY_CONDS);
	if (f->unverified)
		return 0;
	for (const struct object *b = o->objects.first; b; b = b->next)
		if (b->conn && !b->leaving && covers(f, b->conn))
			return refuse(r, NEEDS_FORCE, "unverified",
				      "meter %" PRIu32 " would count aggregates of %s before they "
				      "are verified, so forged ones spend it; unverified=yes "
				      "accepts that, another outer source needs none",
				      meter, b->name);
	return 0;
}

int meters_admit(struct ofproto *o, const struct flow *f, struct refusal *r)
{
	uint32_t meter = f->instructions.meter;

	if (meter && !ofproto_meter(o, meter))
		return refuse(r, UNKNOWN_METER, "meter",
			      "there is no meter %" PRIu32 "; add-meter makes one", meter);
	if (meter_is_aggregate(o, meter))
		return admit_aggregate(o, f, r);
	if (f->unverified && !forged_feeds(&f->instructions))
		return refuse(r, BAD_VALUE, "unverified",
			      "unverified=yes is for a rule with an aggregate meter, or with "
			      "set_add of what packets say");
	return 0;
}

/* ---- Connections -------------------------------------------------------------------------- */

int meters_admit_conn(struct ofproto *o, const struct conn *c, struct refusal *r)
{
	if (!o->meters.n_aggregate || o->restoring)
		return 0;
	for (struct entry *e = o->flows.table[0]; e; e = e->next) {
		const struct flow *f = &e->flow;
		struct buf text = {0};

		if (e->leaving || f->unverified || !meter_is_aggregate(o, f->instructions.meter) ||
		    !covers(f, c))
			continue;
		flow_format(f, &text);
		refuse(r, IN_USE, "unverified",
		       "%s would be covered by an aggregate meter that forged packets can spend; "
		       "delete or give unverified=yes to: %.160s",
		       c->port.name, buf_text(&text));
		buf_free(&text);
		return -EINVAL;
	}
	return 0;
}
