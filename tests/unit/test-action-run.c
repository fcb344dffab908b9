/* SPDX-License-Identifier: Apache-2.0 */
/* Actions on packets.  After each list the octets are parsed anew: the key must be what composition
 * made of it, every checksum must be what a full computation gives, and the rest is untouched. */
#include "bed.h"

#include "datapath/action.h"
#include "lib/csum.h"
#include "lib/openflow.h"

static struct datapath dp;
static struct worker *w;

struct frame_text {
	uint8_t at[400];
	size_t size;
};

static void add(struct frame_text *o, const char *hex)
{
	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		o->at[o->size++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
		hex++;
	}
}

#define MACS    "020000000002 020000000001"
#define IP4     "45b80000 12344000 4006 0000 0a000001 0a000002"
#define IP6     "6b812345 0000 0640 20010db8000000000000000000000001 20010db8000000000000000000000002"
#define TCP     "04d20050 00000001 00000002 5012ffff 00000000"
#define UDP     "04d20035 00000000"
#define ICMP    "08000000 00010001"
#define ECHO6   "80000000 00010001"
#define NS      "87000000 00000000 fe800000000000000000000000000009 0101020000000001"
#define NA      "88000000 00000000 fe800000000000000000000000000009 0201020000000001"
#define REST    "00112233445566778899aabbccddeeff0123" /* even, as sums like it */
#define ARP     "0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002"
#define ND_SIZE 32

static uint8_t *l3_of(struct frame_text *o)
{
	size_t at = 12;

	while (get_be16(o->at + at) == 0x8100 || get_be16(o->at + at) == 0x88a8)
		at += 4;
	return o->at + at + 2;
}

/* Where the transport checksum stands, by protocol. */
static uint8_t *l4_sum(uint8_t *l4, uint8_t proto)
{
	return l4 + (proto == 6 ? 16 : proto == 17 ? 6 : 2);
}

/* The transport checksum that is right for these octets (the field itself counts as zero). */
static be16 right_sum(const uint8_t *ip, uint8_t *l4, uint8_t proto, size_t size)
{
	bool v4 = ip[0] >> 4 == 4;
	uint32_t sum = 0;
	uint8_t kept[2], *at = l4_sum(l4, proto);
	be16 right;

	memcpy(kept, at, 2);
	memset(at, 0, 2);
	if (proto != 1)
		sum = v4 ? csum_pseudo(ip + 12, ip + 16, 4, proto, (uint32_t)size)
			 : csum_pseudo(ip + 8, ip + 24, 16, proto, (uint32_t)size);
	right = csum_finish(csum_add(sum, l4, size));
	if (proto == 17 && !right)
		right = UINT16_MAX;
	memcpy(at, kept, 2);
	return right;
}

/* Lengths, protocol and checksums of an IP packet made of pieces. */
static void finish_ip(struct frame_text *o, uint8_t proto)
{
	uint8_t *ip = l3_of(o), *l4 = ip + (ip[0] >> 4 == 4 ? 20 : 40);
	size_t size = (size_t)(o->at + o->size - l4);
	be16 sum;

	if (proto == 17)
		put_be16(l4 + 4, (uint16_t)size);
	if (ip[0] >> 4 == 4) {
		put_be16(ip + 2, (uint16_t)(size + 20));
		ip[9] = proto;
		sum = csum(ip, 20);
		memcpy(ip + 10, &sum, 2);
	} else {
		put_be16(ip + 4, (uint16_t)size);
		ip[6] = proto;
	}
	sum = right_sum(ip, l4, proto, size);
	memcpy(l4_sum(l4, proto), &sum, 2);
}

static struct frame_text packet(const char *eth, const char *ip, uint8_t proto, const char *l4)
{
	struct frame_text o = {0};

	add(&o, eth);
	add(&o, ip);
	add(&o, l4);
	add(&o, REST);
	finish_ip(&o, proto);
	return o;
}

/* The packet after the actions, or NULL when they dropped it. */
static struct pkt *run(struct pkt *p, const char *actions)
{
	struct instructions i;
	struct refusal r;
	bool gone = false;

	if (instructions_parse(actions, &i, &r))
		fail_msg("%s: %s", actions, r.text);
	OP_FOR_EACH(op, i.apply.data, i.apply.size)
	if (!gone)
		gone = action_class(op->kind)->run(w, p, op) == ACT_DONE;
	instructions_free(&i);
	return gone ? NULL : p;
}

static struct pkt *make(const struct frame_text *o)
{
	struct pkt *p = bed_pkt(w, o->at, o->size, sizeof o->at);

	assert_int_equal(pkt_parse(w, p), -1);
	return p;
}

static void check_sums(struct frame_text *o)
{
	uint8_t *ip = l3_of(o), *l4 = ip + (ip[0] >> 4 == 4 ? 20 : 40);
	uint8_t proto = ip[ip[0] >> 4 == 4 ? 9 : 6];
	be16 sum = right_sum(ip, l4, proto, (size_t)(o->at + o->size - l4));

	if (ip[0] >> 4 == 4)
		assert_int_equal(csum(ip, 20), 0);
	assert_memory_equal(l4_sum(l4, proto), &sum, 2);
}

static void expect(const struct pkt *p, const char *text)
{
	struct key_view view = {{(const uint64_t *)&p->key, (const uint64_t *)&p->key}};
	struct match m = {0};
	char copy[200], *rest = copy, *word;

	snprintf(copy, sizeof copy, "%s", text);
	while ((word = strsep(&rest, ","))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		assert_int_equal(match_parse_word(&m, word, value, NULL), 0);
	}
	if (!match_hits(&m, &view))
		fail_msg("the packet is not %s", text);
}

/* Runs, and holds the result against `text`, a parser and full checksums. */
static struct frame_text becomes(const struct frame_text *before, const char *actions,
				 const char *text)
{
	struct pkt *p = run(make(before), actions), *again;
	struct frame_text after = {0};
	struct du_key composed;

	assert_non_null(p);
	after.size = p->len;
	pkt_copy_out(w, p, 0, p->len, after.at);
	expect(p, text);
	again = make(&after);
	assert_int_equal(p->l3, again->l3);
	assert_int_equal(p->l4, again->l4);
	assert_int_equal(p->payload, again->payload);
	expect(again, text);
	composed = p->key;
	composed.pkt_len = again->key.pkt_len; /* of before the tables */
	if (!strstr(actions, "pop_vlan"))
		assert_memory_equal(&composed, &again->key, sizeof composed);
	if (again->key.eth_type == htobe16(0x0800) || again->key.eth_type == htobe16(0x86dd))
		check_sums(&after);
	pkt_free(w, p);
	pkt_free(w, again);
	bed_all_home(w);
	return after;
}

static void dropped(const struct frame_text *o, const char *actions, enum drop_reason reason)
{
	uint64_t before = w->n.dropped[reason];

	if (run(make(o), actions))
		fail_msg("%s was taken", actions);
	assert_int_equal(w->n.dropped[reason], before + 1);
	bed_all_home(w);
}

static void ipv4(void **state)
{
	struct frame_text tcp = packet(MACS "0800", IP4, 6, TCP),
			  udp = packet(MACS "0800", IP4, 17, UDP);
	struct frame_text icmp = packet(MACS "0800", IP4, 1, ICMP), tagged, zero = udp, after;

	(void)state;
	tagged = packet(MACS "8100 6005 0800", IP4, 6, TCP);
	becomes(&tcp, "set_field:192.168.1.1->ipv4_src", "tcp,ipv4_src=192.168.1.1,tcp_src=1234");
	becomes(&udp, "set_field:192.168.1.1->ipv4_dst", "udp,ipv4_dst=192.168.1.1");
	becomes(&icmp, "set_field:192.168.1.1->ipv4_dst", "icmp,ipv4_dst=192.168.1.1");
	becomes(&tcp, "set_field:0.0.7.0/0.0.255.0->ipv4_dst", "tcp,ipv4_dst=10.0.7.2");
	becomes(&tcp, "set_field:8080->tcp_dst,set_field:1->tcp_src", "tcp,tcp_dst=8080,tcp_src=1");
	becomes(&udp, "set_field:5353->udp_dst,set_field:1->udp_src", "udp,udp_dst=5353,udp_src=1");
	becomes(&icmp, "set_field:0->icmpv4_type,set_field:3->icmpv4_code",
		"icmp,icmp_type=0,icmp_code=3");
	becomes(&tcp, "mod_nw_tos:32", "tcp,ip_dscp=8,ip_ecn=0");
	becomes(&udp, "mod_nw_ecn:3", "udp,ip_dscp=46,ip_ecn=3");
	becomes(&udp, "set_field:9->nw_ttl", "udp,nw_ttl=9");
	becomes(&udp, "mod_nw_ttl:255,dec_ttl", "udp,nw_ttl=254");
	becomes(&tagged, "dec_ttl,set_field:1.2.3.4->ipv4_src",
		"tcp,nw_ttl=63,ipv4_src=1.2.3.4,dl_vlan=5");
	/* A datagram without a checksum stays without; any other never gets the value that says so.
	 */
	put_be16(l3_of(&zero) + 26, 0);
	{
		struct pkt *p =
			run(make(&zero), "set_field:1.2.3.4->ipv4_src,set_field:7->udp_src");

		assert_int_equal(get_be16(p->data + p->l4 + 6), 0);
		pkt_free(w, p);
	}
	for (unsigned port = 0; port < 65536; port += 257) {
		char actions[40];

		snprintf(actions, sizeof actions, "set_field:%u->udp_src", port);
		after = becomes(&udp, actions, "udp");
		assert_int_not_equal(get_be16(l3_of(&after) + 26), 0);
	}
}

/* The one source port whose sum folds to zero. */
static void udp_sum_of_zero_is_ones(void **state)
{
	struct frame_text udp = packet(MACS "0800", IP4, 17, UDP), after;
	unsigned n = 0;

	(void)state;
	for (unsigned port = 0; port < 65536; port++) {
		uint8_t *l4 = l3_of(&udp) + 20;

		put_be16(l4, (uint16_t)port);
		if (right_sum(l4 - 20, l4, 17, (size_t)(udp.at + udp.size - l4)) == UINT16_MAX) {
			char actions[40];

			finish_ip(&udp, 17);
			put_be16(l4, 1);
			finish_ip(&udp, 17);
			snprintf(actions, sizeof actions, "set_field:%u->udp_src", port);
			after = becomes(&udp, actions, "udp");
			assert_int_equal(get_be16(l3_of(&after) + 26), UINT16_MAX);
			n++;
		}
	}
	assert_in_range(n, 1, 2);
}

static void ipv6(void **state)
{
	struct frame_text tcp = packet(MACS "86dd", IP6, 6, TCP),
			  udp = packet(MACS "86dd", IP6, 17, UDP);
	struct frame_text echo = packet(MACS "86dd", IP6, 58, ECHO6);
	struct frame_text ns = packet(MACS "86dd", IP6, 58, NS),
			  na = packet(MACS "86dd", IP6, 58, NA);

	(void)state;
	/* Link-layer options end the message. */
	ns.size -= sizeof REST / 2;
	na.size -= sizeof REST / 2;
	finish_ip(&ns, 58);
	finish_ip(&na, 58);
	becomes(&tcp, "set_field:2001:db8::99->ipv6_src", "tcp6,ipv6_src=2001:db8::99");
	becomes(&udp, "set_field:2001:db8::99->ipv6_dst", "udp6,ipv6_dst=2001:db8::99");
	becomes(&echo, "set_field:2001:db8::99->ipv6_dst", "icmp6,ipv6_dst=2001:db8::99");
	becomes(&tcp, "set_field:2001:db9::/32->ipv6_dst", "tcp6,ipv6_dst=2001:db9::2");
	becomes(&udp, "set_field:0x54321->ipv6_flabel", "udp6,ipv6_flabel=0x54321,ip_dscp=46");
	becomes(&tcp, "mod_nw_tos:32,mod_nw_ecn:2", "tcp6,ip_dscp=8,ip_ecn=2,ipv6_flabel=0x12345");
	becomes(&tcp, "dec_ttl", "tcp6,nw_ttl=63");
	becomes(&tcp, "mod_nw_ttl:1", "tcp6,nw_ttl=1");
	becomes(&udp, "set_field:5353->udp_dst", "udp6,udp_dst=5353");
	becomes(&echo, "set_field:129->icmpv6_type,set_field:1->icmpv6_code",
		"icmp6,icmpv6_type=129,icmpv6_code=1");
	becomes(&ns, "set_field:fe80::77->ipv6_nd_target,set_field:02:00:00:00:00:77->ipv6_nd_sll",
		"nd_target=fe80::77,nd_sll=02:00:00:00:00:77");
	becomes(&na, "set_field:02:00:00:00:00:77->ipv6_nd_tll", "nd_tll=02:00:00:00:00:77");
}

static void other_protocols(void **state)
{
	struct frame_text arp = {0}, mpls = {0}, udp = packet(MACS "0800", IP4, 17, UDP);
	struct pkt *p;

	(void)state;
	add(&arp, MACS "0806" ARP);
	add(&mpls, MACS "8847 00064140" IP4 REST);
	becomes(&arp, "set_field:2->arp_op,set_field:1.2.3.4->arp_spa,set_field:5.6.7.8->arp_tpa",
		"arp,arp_op=2,arp_spa=1.2.3.4,arp_tpa=5.6.7.8");
	becomes(&arp, "set_field:00:11:22:33:44:55->arp_sha,set_field:00:11:22:33:44:56->arp_tha",
		"arp,arp_sha=00:11:22:33:44:55,arp_tha=00:11:22:33:44:56,arp_spa=10.0.0.1");
	becomes(&mpls, "set_field:1048575->mpls_label",
		"mpls,mpls_label=1048575,mpls_tc=0,mpls_bos=1");
	becomes(&mpls, "set_field:5->mpls_tc", "mpls,mpls_label=100,mpls_tc=5,mpls_bos=1");
	becomes(&udp, "mod_dl_src:00:11:22:33:44:55,mod_dl_dst:00:11:22:33:44:56",
		"dl_src=00:11:22:33:44:55,dl_dst=00:11:22:33:44:56,udp");
	becomes(&udp, "set_field:01:00:00:00:00:00/01:00:00:00:00:00->eth_dst",
		"dl_dst=03:00:00:00:00:02");
	/* What lives in the key alone. */
	p = run(make(&udp), "set_field:7->metadata,set_field:0x50/0xf0->reg3,set_field:9->in_port,"
			    "set_field:8->pkt_mark,set_field:6->tunnel_id");
	expect(p, "metadata=7,reg3=0x50,in_port=9,pkt_mark=8,tunnel_id=6");
	bed_bytes(w, p, udp.at, udp.size);
	pkt_free(w, p);
}

static void tags(void **state)
{
	struct frame_text plain = packet(MACS "0800", IP4, 17, UDP);
	struct frame_text one = packet(MACS "8100 6005 0800", IP4, 17, UDP);
	struct frame_text two = packet(MACS "88a8 6007 8100 6005 0800", IP4, 17, UDP), after;

	(void)state;
	after = becomes(&plain, "push_vlan:0x8100", "udp,dl_vlan=0,vlan_pcp=0");
	assert_int_equal(after.size, plain.size + 4);
	assert_memory_equal(after.at + 12, "\x81\x00\x00\x00\x08\x00", 6);
	assert_memory_equal(after.at, plain.at, 12);
	after = becomes(&after, "pop_vlan", "vlan_tci=0,udp");
	assert_memory_equal(after.at, plain.at, plain.size);
	after = becomes(&plain, "push_vlan:0x8100,mod_vlan_vid:9,mod_vlan_pcp:5,dec_ttl",
			"udp,dl_vlan=9,vlan_pcp=5,nw_ttl=63");
	assert_memory_equal(after.at + 12, "\x81\x00\xa0\x09", 4);
	/* A second tag says what the first did. */
	after = becomes(&one, "push_vlan:0x88a8", "dl_vlan=5,vlan_pcp=3");
	assert_memory_equal(after.at + 12, "\x88\xa8\x60\x05\x81\x00\x60\x05", 8);
	after = becomes(&one, "mod_vlan_vid:4095", "dl_vlan=4095,vlan_pcp=3");
	after = becomes(&one, "set_field:0x1002/0x100f->vlan_vid", "dl_vlan=2");
	assert_memory_equal(after.at + 12, "\x81\x00\x60\x02", 4);
	{
		struct pkt *p = run(make(&two), "pop_vlan,dec_ttl");

		assert_memory_equal(p->data + 12, "\x81\x00\x60\x05", 4);
		assert_int_equal(p->l3, 18);
		assert_int_equal(p->data[p->l3 + 8], 63);
		pkt_free(w, p);
	}
}

static void drops(void **state)
{
	struct frame_text tcp = packet(MACS "0800", IP4, 6, TCP),
			  v6 = packet(MACS "86dd", IP6, 17, UDP);
	struct frame_text echo = packet(MACS "86dd", IP6, 58, ECHO6), arp = {0}, old = tcp,
			  old6 = v6, later;

	(void)state;
	add(&arp, MACS "0806" ARP);
	dropped(&tcp, "pop_vlan", DROP_ACTION_INVALID);
	dropped(&tcp, "mod_vlan_vid:5", DROP_ACTION_INVALID);
	dropped(&tcp, "set_field:5->udp_dst", DROP_ACTION_INVALID);
	dropped(&tcp, "set_field:::1->ipv6_src", DROP_ACTION_INVALID);
	dropped(&v6, "set_field:1.2.3.4->ipv4_src", DROP_ACTION_INVALID);
	dropped(&v6, "set_field:5->mpls_label", DROP_ACTION_INVALID);
	dropped(&v6, "set_field:5->arp_op", DROP_ACTION_INVALID);
	dropped(&echo, "set_field:02:00:00:00:00:77->ipv6_nd_sll", DROP_ACTION_INVALID);
	dropped(&arp, "dec_ttl", DROP_ACTION_INVALID);
	dropped(&arp, "mod_nw_ttl:5", DROP_ACTION_INVALID);
	dropped(&arp, "mod_nw_tos:4", DROP_ACTION_INVALID);
	/* A later fragment has addresses but no ports. */
	later = tcp;
	put_be16(l3_of(&later) + 6, 100);
	dropped(&later, "set_field:5->tcp_dst", DROP_ACTION_INVALID);
	for (unsigned ttl = 0; ttl < 2; ttl++) {
		l3_of(&old)[8] = (uint8_t)ttl;
		dropped(&old, "dec_ttl", DROP_TTL_EXPIRED);
		l3_of(&old6)[7] = (uint8_t)ttl;
		dropped(&old6, "dec_ttl", DROP_TTL_EXPIRED);
	}
}

static void fragments_keep_their_payload(void **state)
{
	struct frame_text tcp = packet(MACS "0800", IP4, 6, TCP), after = {0};
	uint8_t *ip = l3_of(&tcp);
	struct pkt *p;
	be16 sum;

	(void)state;
	put_be16(ip + 6, 100);
	put_be16(ip + 10, 0);
	sum = csum(ip, 20);
	memcpy(ip + 10, &sum, 2);
	p = run(make(&tcp), "set_field:1.2.3.4->ipv4_src");
	assert_non_null(p);
	after.size = p->len;
	pkt_copy_out(w, p, 0, p->len, after.at);
	assert_int_equal(csum(l3_of(&after), 20), 0);
	assert_memory_equal(l3_of(&after) + 20, ip + 20, tcp.size - 34);
	pkt_free(w, p);
}

/* Frames with a second owner are read only. */
static void clones_are_apart(void **state)
{
	struct frame_text tcp = packet(MACS "0800", IP4, 6, TCP);
	struct pkt *p = make(&tcp), *copy = pkt_clone(w, p);

	(void)state;
	assert_non_null(run(copy, "dec_ttl,push_vlan:0x8100,set_field:5->tcp_dst"));
	bed_bytes(w, p, tcp.at, tcp.size);
	assert_int_equal(copy->len, tcp.size + 4);
	pkt_free(w, copy);
	pkt_free(w, p);
	bed_all_home(w);
}

static void no_frame_is_a_drop(void **state)
{
	static const char *const actions[] = {"dec_ttl", "push_vlan:0x8100", "pop_vlan"};
	struct frame_text tcp = packet(MACS "8100 6005 0800", IP4, 6, TCP);
	uint64_t before = w->n.dropped[DROP_NO_FRAME];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(actions); i++) {
		struct pkt *p = make(&tcp), *copy = pkt_clone(w, p);
		uint32_t n_free = w->frames.n_free;

		w->frames.n_free = 0;
		assert_null(run(copy, actions[i]));
		w->frames.n_free = n_free;
		assert_int_equal(w->n.dropped[DROP_NO_FRAME], before + i + 1);
		bed_bytes(w, p, tcp.at, tcp.size);
		pkt_free(w, p);
	}
	bed_all_home(w);
}

static int up(void **state)
{
	(void)state;
	bed_up(&dp, 1);
	w = dp.worker[0];
	return 0;
}

static int down(void **state)
{
	(void)state;
	datapath_destroy(&dp);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4),
		cmocka_unit_test(udp_sum_of_zero_is_ones),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(other_protocols),
		cmocka_unit_test(tags),
		cmocka_unit_test(drops),
		cmocka_unit_test(fragments_keep_their_payload),
		cmocka_unit_test(clones_are_apart),
		cmocka_unit_test(no_frame_is_a_drop),
	};

	return cmocka_run_group_tests(tests, up, down);
}
