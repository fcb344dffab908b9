/* SPDX-License-Identifier: Apache-2.0 */
/* push_pbb and pop_pbb (TS-023, 5.12; IEEE 802.1Q, 9.7): an Ethernet header of the backbone and an
 * I-TAG in front of the frame, whose addresses are the tag's customer addresses from then on.
 *
 *	B-DA  B-SA  [B-TAG]  0x88e7  I-PCP 3, flags 5, I-SID 24  |  C-DA  C-SA  the frame's type …
 */
#include <errno.h>

#include "datapath/action.h"
#include "datapath/spine.h"
#include "lib/openflow.h"

enum { ADDRESSES = 12, TCI_SIZE = 4, PBB_SIZE = ADDRESSES + 2 + TCI_SIZE, TYPE_PBB = 0x88e7 };

static bool is_pbb(const struct du_key *key)
{
	return key->eth_type == htobe16(TYPE_PBB);
}

/* The I-SID that was outermost and the tag's priority; what is not there is zero (5.12.1). */
static uint32_t new_tci(const struct du_key *key)
{
	uint32_t isid = is_pbb(key) ? be32toh(key->mpls_label) : 0;

	return (uint32_t)key->vlan_pcp << 29 | isid;
}

static void push_compose(const struct op *op, struct du_key *key)
{
	be32 isid = is_pbb(key) ? key->mpls_label : 0;

	key_forget_network(key);
	key->eth_type = htobe16((uint16_t)op->arg);
	key->mpls_label = isid; /* pbb_isid's place */
}

static enum act_result push_run(struct worker *w, struct pkt *p, const struct op *op)
{
	uint32_t tci = new_tci(&p->key);
	uint8_t *eth = pkt_push(w, p, PBB_SIZE);

	if (unlikely(!eth)) {
		drop(w, p, DROP_NO_FRAME);
		return ACT_DONE;
	}
	memcpy(eth, eth + PBB_SIZE, ADDRESSES);
	put_be16(eth + ADDRESSES, (uint16_t)op->arg);
	put_be32(eth + ADDRESSES + 2, tci);
	push_compose(op, &p->key);
	p->l3 = ADDRESSES + 2;
	p->l4 = 0;
	p->payload = PBB_SIZE + ADDRESSES;
	p->flow_hash_memo = 0;
	return ACT_NEXT;
}

static int push_validate(const struct op *op, struct match *state, struct refusal *r)
{
	(void)r;
	key_forget_network(&state->value.du);
	key_forget_network(&state->mask.du);
	state->value.du.eth_type = htobe16((uint16_t)op->arg);
	state->mask.du.eth_type = UINT16_MAX;
	return 0;
}

const struct action_class act_push_pbb = {
	.name = "push_pbb",
	.of_type = OFPAT_PUSH_PBB,
	.order = SET_PUSH_PBB,
	.form = FORM_TYPE,
	.types = {TYPE_PBB, TYPE_PBB},
	.compose = push_compose,
	.run = push_run,
	.validate = push_validate,
};

/* A B-TAG in front stays in front: taking it away first is the controller's (5.12). */
static enum act_result pop_run(struct worker *w, struct pkt *p, const struct op *op)
{
	uint16_t at = p->l3, tags = at - ADDRESSES - 2;
	int error = is_pbb(&p->key) && at ? pkt_own(w, p, at + PBB_SIZE, 0) : -EINVAL;
	uint8_t customer[ADDRESSES];

	(void)op;
	if (unlikely(error)) {
		drop(w, p, error == -ENOMEM ? DROP_NO_FRAME : DROP_ACTION_INVALID);
		return ACT_DONE;
	}
	memcpy(customer, p->data + at + TCI_SIZE, ADDRESSES);
	memmove(p->data + PBB_SIZE + ADDRESSES, p->data + ADDRESSES, tags);
	memcpy(p->data + PBB_SIZE, customer, ADDRESSES);
	pkt_pull(p, PBB_SIZE);
	pkt_reparse(w, p);
	return ACT_NEXT;
}

static int pop_validate(const struct op *op, struct match *state, struct refusal *r)
{
	(void)op;
	if (!match_meets(state, &fields[FIELD_PBB_ISID]))
		return refuse(r, MATCH_INCONSISTENT, "pop_pbb",
			      "pop_pbb: the match does not say that there is an I-TAG; with "
			      "eth_type=0x88e7 it would be accepted");
	key_forget_network(&state->value.du);
	key_forget_network(&state->mask.du);
	state->value.du.eth_type = state->mask.du.eth_type = 0;
	state->value.du.vlan_vid = htobe16(OFPVID_PRESENT); /* there may be one: act-vlan.c */
	return 0;
}

const struct action_class act_pop_pbb = {
	.name = "pop_pbb",
	.of_type = OFPAT_POP_PBB,
	.order = SET_POP,
	.form = FORM_BARE,
	.reshapes = true,
	.run = pop_run,
	.validate = pop_validate,
};
