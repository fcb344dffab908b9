/* SPDX-License-Identifier: Apache-2.0 */
/* Any actions on any frame, whole, cut short or scribbled on, without a match that would have kept
 * them apart: what is left is parsed anew, and is what the key says; where composition claims to
 * know the key behind an action, it is that; and every frame comes home. */
#include "tests/unit/bed.h"
#include "tests/unit/frame-text.h"
#include "tests/unit/random.h"

#include "datapath/action.h"

static const char *const frames[] = {
	"eth ip4 tcp",
	"eth ip4:opt=8 udp",
	"eth ip4 sctp",
	"eth ip4:frag=0x2000 udp",
	"eth ip4:frag=0x2001,proto=6 data",
	"eth ip4 icmp",
	"eth ip4 ip6 tcp",
	"eth ip6 hop dst rt:left=1 udp",
	"eth ip6 frag:off=1 ah sctp",
	"eth ip6 frag:off=8,proto=17 data",
	"eth ip6 ip4 udp",
	"eth ip6 ns",
	"eth ip6 na",
	"eth ip6 icmp6",
	"eth arp",
	"eth vlan ip4 tcp",
	"eth svlan vlan vlan ip6 udp",
	"eth mpls ip4 tcp",
	"eth vlan mpls mplsm ip6 udp",
	"eth mpls mpls arp",
	"eth mpls vlan ip4 tcp",
	"eth pbb ip4 tcp",
	"eth svlan pbb vlan ip6 udp",
	"eth pbb pbb arp",
	"eth data",
};

static const char *const actions[] = {
	"push_vlan:0x8100",
	"push_vlan:0x88a8",
	"pop_vlan",
	"push_mpls:0x8847",
	"push_mpls:0x8848",
	"pop_mpls:0x0800",
	"pop_mpls:0x86dd",
	"pop_mpls:0x0806",
	"pop_mpls:0x8847",
	"pop_mpls:0x8100",
	"pop_mpls:0x88e7",
	"push_pbb:0x88e7",
	"pop_pbb",
	"set_mpls_ttl:7",
	"dec_mpls_ttl",
	"mod_nw_ttl:9",
	"dec_ttl",
	"copy_ttl_out",
	"copy_ttl_in",
	"set_field:0x0800->eth_type",
	"set_field:0x86dd->eth_type",
	"set_field:0x0806->eth_type",
	"set_field:0x8847->eth_type",
	"set_field:0x88e7->eth_type",
	"set_field:0x8100->eth_type",
	"set_field:6->ip_proto",
	"set_field:17->ip_proto",
	"set_field:132->ip_proto",
	"set_field:58->ip_proto",
	"set_field:44->ip_proto",
	"set_field:0->ip_proto",
	"set_field:51->ip_proto",
	"set_field:4->ip_proto",
	"set_field:1->mpls_bos",
	"set_field:0->mpls_bos",
	"set_field:5->mpls_label",
	"set_field:5->mpls_tc",
	"set_field:5->pbb_isid",
	"set_field:0x1009->vlan_vid",
	"set_field:3->vlan_pcp",
	"set_field:9->ip_dscp",
	"set_field:1->ip_ecn",
	"set_field:192.0.2.7->ipv4_src",
	"set_field:192.0.2.7->ipv4_dst",
	"set_field:2001:db8::9->ipv6_src",
	"set_field:2001:db8::9->ipv6_dst",
	"set_field:5->ipv6_flabel",
	"set_field:5->tcp_src",
	"set_field:5->udp_dst",
	"set_field:5->sctp_src",
	"set_field:3->icmpv4_type",
	"set_field:135->icmpv6_type",
	"set_field:136->icmpv6_type",
	"set_field:0->icmpv6_code",
	"set_field:fe80::77->ipv6_nd_target",
	"set_field:02:00:00:00:00:77->ipv6_nd_sll",
	"set_field:02:00:00:00:00:77->ipv6_nd_tll",
	"set_field:2->arp_op",
	"set_field:192.0.2.7->arp_spa",
	"set_field:02:00:00:00:00:77->arp_tha",
	"set_field:02:00:00:00:00:77->eth_dst",
};

enum { ROUNDS = 20000, TRIES = 24 };

static struct datapath dp;
static struct worker *w;
static struct buf ops[ARRAY_SIZE(actions)];

static uint32_t below(size_t n)
{
	return rnd() % (uint32_t)n;
}

static struct frame_octets any_frame(void)
{
	struct frame_octets f = frame_of(frames[below(ARRAY_SIZE(frames))]);

	for (unsigned n = below(4); n--;)
		f.at[12 + below(f.size - 12)] = (uint8_t)below(256);
	if (!below(3))
		f.size = 14 + below(f.size - 13);
	return f;
}

static void same(const struct pkt *p, const struct du_key *key, const char *action,
		 const char *what)
{
	struct du_key k = *key;

	k.pkt_len = p->key.pkt_len; /* of before the tables */
	if (!memcmp(&k, &p->key, sizeof k))
		return;
	for (size_t i = 0; i < sizeof k; i++)
		if (((const uint8_t *)&k)[i] != ((const uint8_t *)&p->key)[i])
			fprintf(stderr, "octet %zu of the key: %02x, not %02x\n", i,
				((const uint8_t *)&p->key)[i], ((const uint8_t *)&k)[i]);
	fail_msg("%s: the key is not what %s", action, what);
}

/* Headers behind the first 256 octets are not looked at, and come nearer when others go. */
static void check_octets(const struct pkt *p, const char *action)
{
	uint8_t octets[PKT_HEADERS];
	struct pkt *again;

	if (p->len > sizeof octets)
		return;
	pkt_copy_out(w, p, 0, p->len, octets);
	again = bed_pkt(w, octets, p->len, sizeof octets);
	pkt_parse(w, again);
	again->key.in_port = p->key.in_port;
	same(p, &again->key, action, "the octets say");
	assert_int_equal(p->l3, again->l3);
	assert_int_equal(p->l4, again->l4);
	assert_int_equal(p->payload, again->payload);
	pkt_free(w, again);
}

/* False: the packet is gone. */
static bool one(struct pkt *p, unsigned i)
{
	const struct op *op = (const void *)ops[i].data;
	struct du_key composed = p->key;

	if (action_class(op->kind)->compose)
		action_class(op->kind)->compose(op, &composed);
	if (action_class(op->kind)->run(w, p, op) == ACT_DONE)
		return false;
	assert_true(p->len >= 14 && p->seg[0].len >= 14);
	if (!op_reshapes(op))
		same(p, &composed, actions[i], "composition says");
	check_octets(p, actions[i]);
	return true;
}

/* What the packet can take of these many actions; each is tried on a copy. */
static struct pkt *life(struct pkt *p, unsigned *n_done)
{
	for (unsigned n = 0; n < TRIES; n++) {
		struct pkt *copy = pkt_clone(w, p);

		if (!one(copy, below(ARRAY_SIZE(actions))))
			continue;
		pkt_free(w, p);
		p = copy;
		++*n_done;
	}
	return p;
}

static void any_actions_on_any_frame(void **state)
{
	unsigned n_done = 0;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct frame_octets f = any_frame();
		struct pkt *p = bed_pkt(w, f.at, f.size, sizeof f.at), *other;

		if (pkt_parse(w, p) >= 0) {
			pkt_free(w, p);
		} else if (round % 2) {
			other = pkt_clone(w, p); /* its octets are not to be touched */
			pkt_free(w, life(p, &n_done));
			bed_bytes(w, other, f.at, f.size);
			pkt_free(w, other);
		} else { /* until one cannot be taken */
			while (one(p, below(ARRAY_SIZE(actions))))
				n_done++;
		}
		bed_all_home(w);
	}
	assert_true(n_done > ROUNDS);
}

static int up(void **state)
{
	(void)state;
	bed_up(&dp, 1);
	w = dp.worker[0];
	for (unsigned i = 0; i < ARRAY_SIZE(actions); i++)
		assert_int_equal(actions_parse(actions[i], &ops[i], NULL), 0);
	return 0;
}

static int down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(actions); i++)
		buf_free(&ops[i]);
	datapath_destroy(&dp);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_actions_on_any_frame),
	};

	return cmocka_run_group_tests(tests, up, down);
}
