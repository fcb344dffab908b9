/* SPDX-License-Identifier: Apache-2.0 */
/* mod_nw_ttl (OFPAT_SET_NW_TTL) and dec_ttl: TTL of IPv4, hop limit of IPv6; set_mpls_ttl and
 * dec_mpls_ttl of the outermost MPLS entry.  A TTL that would reach zero is invalid (TS-023, 5.12).
 */
#include <errno.h>

#include "datapath/action.h"
#include "lib/openflow.h"

static int needs_ip(const char *name, const struct match *state, struct refusal *r)
{
	if (match_meets(state, &fields[FIELD_NW_TTL]))
		return 0;
	return refuse(r, MATCH_INCONSISTENT, name,
		      "%s: the match does not say that this is IP; with ip or ipv6 it would be "
		      "accepted",
		      name);
}

static enum act_result write_ttl(struct worker *w, struct pkt *p, uint8_t ttl)
{
	struct field_value v = {&fields[FIELD_NW_TTL], false, {ttl}, {UINT8_MAX}};

	return set_field_run(w, p, &v);
}

static void set_compose(const struct op *op, struct du_key *key)
{
	key->ip_ttl = (uint8_t)op->arg;
}

static enum act_result set_run(struct worker *w, struct pkt *p, const struct op *op)
{
	return write_ttl(w, p, (uint8_t)op->arg);
}

static int set_validate(const struct op *op, struct match *state, struct refusal *r)
{
	int error = needs_ip("mod_nw_ttl", state, r);

	if (error)
		return error;
	state->value.du.ip_ttl = (uint8_t)op->arg;
	state->mask.du.ip_ttl = UINT8_MAX;
	return 0;
}

const struct action_class act_set_nw_ttl = {
	.name = "mod_nw_ttl",
	.of_type = OFPAT_SET_NW_TTL,
	.order = SET_SET,
	.compose = set_compose,
	.run = set_run,
	.validate = set_validate,
	.form = FORM_TTL,
};

static void dec_compose(const struct op *op, struct du_key *key)
{
	(void)op;
	key->ip_ttl -= key->ip_ttl > 1;
}

/* The octets decide: the key was composed already. */
static enum act_result dec_run(struct worker *w, struct pkt *p, const struct op *op)
{
	uint16_t at = p->l3 + (p->key.eth_type == htobe16(0x86dd) ? 7 : 8);
	uint8_t ttl;

	(void)op;
	if (unlikely(!p->l3 || p->seg[0].len <= at)) {
		drop(w, p, DROP_ACTION_INVALID);
		return ACT_DONE;
	}
	ttl = p->data[at];
	if (ttl > 1)
		return write_ttl(w, p, ttl - 1); /* refuses what is no IP */
	ttl_invalid(w, p);
	return ACT_DONE;
}

static int dec_validate(const struct op *op, struct match *state, struct refusal *r)
{
	(void)op;
	state->value.du.ip_ttl = state->mask.du.ip_ttl = 0;
	return needs_ip("dec_ttl", state, r);
}

const struct action_class act_dec_nw_ttl = {
	.name = "dec_ttl",
	.of_type = OFPAT_DEC_NW_TTL,
	.order = SET_DEC_TTL,
	.tells = true,
	.compose = dec_compose,
	.run = dec_run,
	.validate = dec_validate,
	.form = FORM_BARE,
};

/* ---- MPLS -------------------------------------------------------------------------------- */

/* Makes it writable; NULL: it was dropped. */
static uint8_t *mpls_ttl(struct worker *w, struct pkt *p)
{
	bool mpls = p->key.eth_type == htobe16(0x8847) || p->key.eth_type == htobe16(0x8848);
	int error = mpls && p->l3 ? pkt_own(w, p, p->l3 + 4, 0) : -EINVAL;

	if (likely(!error))
		return p->data + p->l3 + 3;
	drop(w, p, error == -ENOMEM ? DROP_NO_FRAME : DROP_ACTION_INVALID);
	return NULL;
}

static int mpls_validate(const struct op *op, struct match *state, struct refusal *r)
{
	const char *name = action_class(op->kind)->name;

	if (match_meets(state, &fields[FIELD_MPLS_LABEL]))
		return 0;
	return refuse(
		r, MATCH_INCONSISTENT, name,
		"%s: the match does not say that there is a label; with mpls or mplsm it would "
		"be accepted",
		name);
}

static enum act_result set_mpls_run(struct worker *w, struct pkt *p, const struct op *op)
{
	uint8_t *ttl = mpls_ttl(w, p);

	if (!ttl)
		return ACT_DONE;
	*ttl = (uint8_t)op->arg;
	return ACT_NEXT;
}

const struct action_class act_set_mpls_ttl = {
	.name = "set_mpls_ttl",
	.of_type = OFPAT_SET_MPLS_TTL,
	.order = SET_SET,
	.run = set_mpls_run,
	.validate = mpls_validate,
	.form = FORM_TTL,
};

static enum act_result dec_mpls_run(struct worker *w, struct pkt *p, const struct op *op)
{
	uint8_t *ttl = mpls_ttl(w, p);

	(void)op;
	if (!ttl)
		return ACT_DONE;
	if (*ttl <= 1) {
		ttl_invalid(w, p);
		return ACT_DONE;
	}
	--*ttl;
	return ACT_NEXT;
}

const struct action_class act_dec_mpls_ttl = {
	.name = "dec_mpls_ttl",
	.of_type = OFPAT_DEC_MPLS_TTL,
	.order = SET_DEC_TTL,
	.tells = true,
	.run = dec_mpls_run,
	.validate = mpls_validate,
	.form = FORM_BARE,
};
