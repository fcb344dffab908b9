/* SPDX-License-Identifier: Apache-2.0 */
/* push_mpls and pop_mpls (TS-023, 5.12).  A new entry goes right behind the Ethernet header, before
 * other tags; the one that is popped is the outermost, behind whatever tags there are. */
#include <errno.h>

#include "datapath/action.h"
#include "datapath/spine.h"
#include "lib/openflow.h"

enum { ENTRY_SIZE = 4, TYPE_AT = 12, MPLS_UC = 0x8847, MPLS_MC = 0x8848 };

static bool is_mpls(const struct du_key *key)
{
	return key->eth_type == htobe16(MPLS_UC) || key->eth_type == htobe16(MPLS_MC);
}

/* Label, traffic class and TTL of the entry that was outermost, or of IP the TTL; what neither has
 * is zero (5.12.1). */
static uint32_t new_entry(const struct pkt *p)
{
	uint16_t type = get_be16(p->data + TYPE_AT);
	uint32_t bottom = type != MPLS_UC && type != MPLS_MC, entry;

	if (is_mpls(&p->key) && p->l3)
		entry = get_be32(p->data + p->l3) & ~0x100u;
	else
		entry = p->key.ip_ttl;
	return entry | bottom << 8;
}

static void push_compose(const struct op *op, struct du_key *key)
{
	bool stacked = is_mpls(key);
	be32 label = stacked ? key->mpls_label : 0;
	uint8_t tc = stacked ? key->mpls_tc : 0;
	bool bottom = !stacked || key->vlan_vid;

	key_forget_network(key);
	key->eth_type = htobe16((uint16_t)op->arg);
	key->mpls_label = label;
	key->mpls_tc = tc;
	key->mpls_bos = bottom;
}

static enum act_result push_run(struct worker *w, struct pkt *p, const struct op *op)
{
	uint32_t entry = new_entry(p);
	uint8_t *eth = pkt_push(w, p, ENTRY_SIZE);

	if (unlikely(!eth)) {
		drop(w, p, DROP_NO_FRAME);
		return ACT_DONE;
	}
	memmove(eth, eth + ENTRY_SIZE, TYPE_AT);
	put_be16(eth + TYPE_AT, (uint16_t)op->arg);
	put_be32(eth + TYPE_AT + 2, entry);
	push_compose(op, &p->key);
	p->l3 = TYPE_AT + 2;
	p->l4 = 0;
	p->payload = TYPE_AT + 2 + ENTRY_SIZE;
	p->flow_hash_memo = 0;
	return ACT_NEXT;
}

/* Only what a packet is now is known: its type, and of MPLS nothing that was not said before. */
static void known_type(struct match *state, uint16_t type)
{
	key_forget_network(&state->value.du);
	key_forget_network(&state->mask.du);
	state->value.du.eth_type = htobe16(type);
	state->mask.du.eth_type = UINT16_MAX;
}

static int push_validate(const struct op *op, struct match *state, struct refusal *r)
{
	(void)r;
	known_type(state, (uint16_t)op->arg);
	return 0;
}

const struct action_class act_push_mpls = {
	.name = "push_mpls",
	.of_type = OFPAT_PUSH_MPLS,
	.order = SET_PUSH_MPLS,
	.form = FORM_TYPE,
	.types = {MPLS_UC, MPLS_MC},
	.compose = push_compose,
	.run = push_run,
	.validate = push_validate,
};

static enum act_result pop_run(struct worker *w, struct pkt *p, const struct op *op)
{
	uint16_t at = p->l3;
	int error = is_mpls(&p->key) && at ? pkt_own(w, p, at + ENTRY_SIZE, 0) : -EINVAL;

	if (unlikely(error)) {
		drop(w, p, error == -ENOMEM ? DROP_NO_FRAME : DROP_ACTION_INVALID);
		return ACT_DONE;
	}
	memmove(p->data + ENTRY_SIZE, p->data, at);
	pkt_pull(p, ENTRY_SIZE);
	put_be16(p->data + at - 2, (uint16_t)op->arg);
	pkt_reparse(w, p);
	return ACT_NEXT;
}

static int pop_validate(const struct op *op, struct match *state, struct refusal *r)
{
	be16 tag = state->value.du.vlan_vid;

	if (!match_meets(state, &fields[FIELD_MPLS_LABEL]))
		return refuse(
			r, MATCH_INCONSISTENT, "pop_mpls",
			"pop_mpls: the match does not say that there is a label; with mpls or "
			"mplsm it would be accepted");
	known_type(state, (uint16_t)op->arg);
	state->value.du.vlan_vid = tag; /* in front of it */
	return 0;
}

const struct action_class act_pop_mpls = {
	.name = "pop_mpls",
	.of_type = OFPAT_POP_MPLS,
	.order = SET_POP,
	.form = FORM_TYPE, /* of what is below: any */
	.reshapes = true,
	.run = pop_run,
	.validate = pop_validate,
};
