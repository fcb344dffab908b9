/* SPDX-License-Identifier: Apache-2.0 */
/* push_vlan and pop_vlan (TS-023, 5.12): the outermost tag, behind the addresses. */
#include <errno.h>

#include "datapath/action.h"
#include "lib/openflow.h"

enum { TAG_SIZE = 4, TAG_AT = 12, TPID_C = 0x8100, TPID_S = 0x88a8 };

/* The tag at `at`, where an Ethernet type stands, with the type behind it: its TCI, or -1. */
static int tag_at(const struct pkt *p, uint16_t at)
{
	uint16_t type;

	if (p->seg[0].len < at + TAG_SIZE + 2)
		return -1;
	type = get_be16(p->data + at);
	return type == TPID_C || type == TPID_S ? get_be16(p->data + at + 2) : -1;
}

static void push_compose(const struct op *op, struct du_key *key)
{
	(void)op;
	key->vlan_vid |= htobe16(OFPVID_PRESENT);
}

static enum act_result push_run(struct worker *w, struct pkt *p, const struct op *op)
{
	int tci = tag_at(p, TAG_AT);
	uint8_t *eth = pkt_push(w, p, TAG_SIZE);

	if (unlikely(!eth)) {
		drop(w, p, DROP_NO_FRAME);
		return ACT_DONE;
	}
	memmove(eth, eth + TAG_SIZE, TAG_AT);
	put_be16(eth + TAG_AT, (uint16_t)op->arg);
	/* As the tag inside, if there is one (5.12.1). */
	put_be16(eth + TAG_AT + 2, tci < 0 ? 0 : (uint16_t)tci & 0xefff);
	push_compose(op, &p->key);
	return ACT_NEXT;
}

static int push_validate(const struct op *op, struct match *state, struct refusal *r)
{
	(void)op;
	(void)r;
	state->value.du.vlan_vid |= htobe16(OFPVID_PRESENT);
	state->mask.du.vlan_vid |= htobe16(OFPVID_PRESENT);
	return 0;
}

const struct action_class act_push_vlan = {
	.name = "push_vlan",
	.of_type = OFPAT_PUSH_VLAN,
	.order = SET_PUSH_VLAN,
	.compose = push_compose,
	.run = push_run,
	.validate = push_validate,
	.form = FORM_TYPE,
	.types = {TPID_C, TPID_S},
};

static enum act_result pop_run(struct worker *w, struct pkt *p, const struct op *op)
{
	int error = tag_at(p, TAG_AT) < 0 ? -EINVAL : pkt_own(w, p, TAG_AT + TAG_SIZE, 0), tci;

	(void)op;
	if (unlikely(error)) {
		drop(w, p, error == -ENOMEM ? DROP_NO_FRAME : DROP_ACTION_INVALID);
		return ACT_DONE;
	}
	memmove(p->data + TAG_SIZE, p->data, TAG_AT);
	pkt_pull(p, TAG_SIZE);
	tci = tag_at(p, TAG_AT);
	p->key.vlan_vid = tci < 0 ? 0 : htobe16(OFPVID_PRESENT | (tci & 0xfff));
	p->key.vlan_pcp = tci < 0 ? 0 : (uint8_t)(tci >> 13);
	return ACT_NEXT;
}

static int pop_validate(const struct op *op, struct match *state, struct refusal *r)
{
	(void)op;
	if (!(state->value.du.vlan_vid & htobe16(OFPVID_PRESENT)))
		return refuse(r, MATCH_INCONSISTENT, "pop_vlan",
			      "pop_vlan: the match does not say that there is a tag; with "
			      "vlan_vid=0x1000/0x1000 or dl_vlan=N it would be accepted");
	/* There may be another tag behind, of which nothing is known: who goes on as if there were
	 * one may.  A packet without drops (DROP_ACTION_INVALID). */
	state->value.du.vlan_vid = htobe16(OFPVID_PRESENT);
	state->mask.du.vlan_vid = 0;
	state->value.du.vlan_pcp = state->mask.du.vlan_pcp = 0;
	return 0;
}

const struct action_class act_pop_vlan = {
	.name = "pop_vlan",
	.of_type = OFPAT_POP_VLAN,
	.order = SET_POP,
	.run = pop_run,
	.validate = pop_validate,
	.form = FORM_BARE,
	.reshapes = true, /* there may be another tag behind */
};
