/* SPDX-License-Identifier: Apache-2.0 */
/* copy_ttl_out and copy_ttl_in (TS-023, 5.12): between the outermost header with a TTL and the next
 * one: MPLS to MPLS, MPLS to IP, IP to the IP inside it. */
#include <errno.h>

#include "datapath/action.h"
#include "lib/csum.h"
#include "lib/openflow.h"

enum { ETH_IPV4 = 0x0800, ETH_IPV6 = 0x86dd, ENTRY_SIZE = 4, PROTO_IPV4 = 4, PROTO_IPV6 = 41 };

/* Where a TTL is. */
struct ttl {
	uint16_t at;  /* 0: nowhere */
	uint16_t ip4; /* the header whose checksum is over it; 0: none */
};

/* Of an IP header at `at`, of which we only guess that there is one. */
static struct ttl ip_ttl(const struct pkt *p, uint16_t at)
{
	const uint8_t *ip = p->data + at;
	uint16_t end = p->seg[0].len;

	if (end >= at + 20 && ip[0] >> 4 == 4 && (ip[0] & 0xf) >= 5)
		return (struct ttl){at + 8, at};
	if (end >= at + 40 && ip[0] >> 4 == 6)
		return (struct ttl){at + 7, 0};
	return (struct ttl){0};
}

static bool is_mpls(const struct pkt *p)
{
	return p->key.eth_type == htobe16(0x8847) || p->key.eth_type == htobe16(0x8848);
}

static bool is_ip(const struct pkt *p)
{
	return p->key.eth_type == htobe16(ETH_IPV4) || p->key.eth_type == htobe16(ETH_IPV6);
}

static struct ttl outer(const struct pkt *p)
{
	if (!p->l3)
		return (struct ttl){0};
	if (is_mpls(p))
		return (struct ttl){p->l3 + 3, 0};
	return is_ip(p) ? ip_ttl(p, p->l3) : (struct ttl){0};
}

static struct ttl inner(const struct pkt *p)
{
	uint8_t proto = p->key.ip_proto;
	uint16_t below = p->l3 + ENTRY_SIZE;
	bool tunnel =
		(proto == PROTO_IPV4 || proto == PROTO_IPV6) && !(p->key.ip_frag & IP_FRAG_LATER);

	if (is_ip(p))
		return tunnel ? ip_ttl(p, p->payload) : (struct ttl){0};
	if (p->key.mpls_bos)
		return ip_ttl(p, below);
	return (struct ttl){p->seg[0].len >= below + ENTRY_SIZE ? below + 3 : 0, 0};
}

static void write_ttl(struct pkt *p, struct ttl to, uint8_t ttl)
{
	uint8_t *at = p->data + to.at, *sum = p->data + to.ip4 + 10;
	uint8_t old[2] = {at[0], 0}, fresh[2] = {ttl, 0};
	be16 value;

	*at = ttl;
	if (!to.ip4)
		return;
	memcpy(&value, sum, sizeof value);
	value = csum_update(value, old, fresh, sizeof old);
	memcpy(sum, &value, sizeof value);
}

static enum act_result copy(struct worker *w, struct pkt *p, bool outwards)
{
	struct ttl out = outer(p), in = inner(p), to = outwards ? out : in;
	uint16_t end = MAX(to.at + 1, to.ip4 ? to.ip4 + 20 : 0);
	int error = out.at && in.at ? pkt_own(w, p, end, 0) : -EINVAL;

	if (unlikely(error)) {
		drop(w, p, error == -ENOMEM ? DROP_NO_FRAME : DROP_ACTION_INVALID);
		return ACT_DONE;
	}
	write_ttl(p, to, p->data[outwards ? in.at : out.at]);
	if (outwards && !is_mpls(p))
		p->key.ip_ttl = p->data[to.at];
	return ACT_NEXT;
}

static enum act_result out_run(struct worker *w, struct pkt *p, const struct op *op)
{
	(void)op;
	return copy(w, p, true);
}

static enum act_result in_run(struct worker *w, struct pkt *p, const struct op *op)
{
	(void)op;
	return copy(w, p, false);
}

static int validate(const struct op *op, struct match *state, struct refusal *r)
{
	const char *name = action_class(op->kind)->name;

	if (!match_meets(state, &fields[FIELD_MPLS_LABEL]) &&
	    !match_meets(state, &fields[FIELD_NW_TTL]))
		return refuse(
			r, MATCH_INCONSISTENT, name,
			"%s: the match does not say that there is a TTL; with mpls, ip or ipv6 "
			"it would be accepted",
			name);
	state->value.du.ip_ttl = state->mask.du.ip_ttl = 0;
	return 0;
}

const struct action_class act_copy_ttl_out = {
	.name = "copy_ttl_out",
	.of_type = OFPAT_COPY_TTL_OUT,
	.order = SET_COPY_TTL_OUT,
	.form = FORM_BARE,
	.reshapes = true, /* IP's TTL, of what is inside it */
	.run = out_run,
	.validate = validate,
};

const struct action_class act_copy_ttl_in = {
	.name = "copy_ttl_in",
	.of_type = OFPAT_COPY_TTL_IN,
	.order = SET_COPY_TTL_IN,
	.form = FORM_BARE,
	.run = in_run,
	.validate = validate,
};
