/* SPDX-License-Identifier: Apache-2.0 */
/* mod_nw_ttl (OFPAT_SET_NW_TTL) and dec_ttl: TTL of IPv4, hop limit of IPv6. */
#include "datapath/action.h"
#include "lib/openflow.h"
#include "lib/options.h"

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

static int set_parse(const char *arg, struct buf *ops, struct refusal *r)
{
	uint64_t ttl;

	if (parse_u64(arg, &ttl) || ttl > UINT8_MAX)
		return refuse(r, ACTION_ARGUMENT, "mod_nw_ttl",
			      "mod_nw_ttl: '%.32s' is no TTL; 0 to 255 would be accepted", arg);
	op_put(ops, ACTION_SET_NW_TTL, (uint32_t)ttl, 0);
	return 0;
}

static void set_format(const struct op *op, struct buf *text)
{
	buf_printf(text, "mod_nw_ttl:%u", op->arg);
}

static int set_get(struct reader *body, struct buf *ops, struct refusal *r)
{
	uint8_t ttl = pull_u8(body);

	pull(body, 3);
	if (body->failed || reader_left(body))
		return refuse(r, ACTION_LEN, "mod_nw_ttl", "a set_nw_ttl action has 8 octets");
	op_put(ops, ACTION_SET_NW_TTL, ttl, 0);
	return 0;
}

static void set_put(const struct op *op, struct buf *wire)
{
	buf_u8(wire, (uint8_t)op->arg);
	buf_put(wire, 3);
}

const struct action_class act_set_nw_ttl = {
	.name = "mod_nw_ttl",
	.of_type = OFPAT_SET_NW_TTL,
	.order = SET_SET,
	.compose = set_compose,
	.run = set_run,
	.validate = set_validate,
	.parse = set_parse,
	.format = set_format,
	.get = set_get,
	.put = set_put,
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
	drop(w, p, DROP_TTL_EXPIRED);
	return ACT_DONE;
}

static int dec_validate(const struct op *op, struct match *state, struct refusal *r)
{
	(void)op;
	state->value.du.ip_ttl = state->mask.du.ip_ttl = 0;
	return needs_ip("dec_ttl", state, r);
}

static int dec_parse(const char *arg, struct buf *ops, struct refusal *r)
{
	if (*arg)
		return refuse(r, SYNTAX, "dec_ttl", "dec_ttl takes no argument");
	op_put(ops, ACTION_DEC_NW_TTL, 0, 0);
	return 0;
}

static void dec_format(const struct op *op, struct buf *text)
{
	(void)op;
	buf_printf(text, "dec_ttl");
}

static int dec_get(struct reader *body, struct buf *ops, struct refusal *r)
{
	if (reader_left(body) != 4)
		return refuse(r, ACTION_LEN, "dec_ttl", "a dec_nw_ttl action has 8 octets");
	op_put(ops, ACTION_DEC_NW_TTL, 0, 0);
	return 0;
}

static void dec_put(const struct op *op, struct buf *wire)
{
	(void)op;
	buf_put(wire, 4);
}

const struct action_class act_dec_nw_ttl = {
	.name = "dec_ttl",
	.of_type = OFPAT_DEC_NW_TTL,
	.order = SET_DEC_TTL,
	.compose = dec_compose,
	.run = dec_run,
	.validate = dec_validate,
	.parse = dec_parse,
	.format = dec_format,
	.get = dec_get,
	.put = dec_put,
};
