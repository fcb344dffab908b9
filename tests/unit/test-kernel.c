/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's messages, and what becomes of them in the FIB and at the ports. */
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "switch.h"

#include "ofproto/kernel-tables.h"
#include "ofproto/state.h"

struct bed {
	struct ofproto *o;
	struct kernel_tables t;
};

static int up(void **state)
{
	struct bed *b = calloc(1, sizeof *b);

	b->o = switch_up(NULL);
	kernel_tables_init(&b->t);
	b->t.generation = 1;
	*state = b;
	return 0;
}

static int down(void **state)
{
	struct bed *b = *state;

	kernel_tables_destroy(&b->t);
	ofproto_destroy(b->o);
	free(b);
	return 0;
}

/* ---- Messages ------------------------------------------------------------------------------- */

struct said {
	uint16_t type, flags;
	const char *dst; /* PREFIX */
	const char *via;
	int dev;
	int dev2; /* a second next hop, of weight 3 */
	uint32_t table, metric;
	uint8_t kind;
};

static uint8_t message[1024];

static void put_gateway(struct nlmsghdr *h, const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	mnl_attr_put(h, RTA_GATEWAY, ip.family == 4 ? 4 : 16, ip.octet);
}

static void put_hops(struct nlmsghdr *h, const struct said *s)
{
	struct nlattr *nest = mnl_attr_nest_start(h, RTA_MULTIPATH);

	for (unsigned i = 0; i < 2; i++) {
		struct rtnexthop *hop = mnl_nlmsg_get_payload_tail(h);
		size_t before = h->nlmsg_len;

		h->nlmsg_len += sizeof *hop;
		*hop = (struct rtnexthop){.rtnh_ifindex = i ? s->dev2 : s->dev,
					  .rtnh_hops = i ? 2 : 0};
		if (s->via)
			put_gateway(h, s->via);
		hop->rtnh_len = (uint16_t)(h->nlmsg_len - before);
	}
	mnl_attr_nest_end(h, nest);
}

static bool route(struct bed *b, struct said s)
{
	struct ip_prefix p;
	struct nlmsghdr *h;
	struct rtmsg *rt;

	memset(message, 0, sizeof message);
	h = mnl_nlmsg_put_header(message);
	rt = mnl_nlmsg_put_extra_header(h, sizeof *rt);
	assert_true(ip_prefix_parse(s.dst, &p));
	h->nlmsg_type = s.type ? s.type : RTM_NEWROUTE;
	h->nlmsg_flags = s.flags;
	rt->rtm_family = p.ip.family == 4 ? AF_INET : AF_INET6;
	rt->rtm_dst_len = p.len;
	rt->rtm_type = s.kind ? s.kind : RTN_UNICAST;
	mnl_attr_put_u32(h, RTA_TABLE, s.table ? s.table : RT_TABLE_MAIN);
	if (p.len)
		mnl_attr_put(h, RTA_DST, p.ip.family == 4 ? 4 : 16, p.ip.octet);
	if (s.metric)
		mnl_attr_put_u32(h, RTA_PRIORITY, s.metric);
	if (s.dev2) {
		put_hops(h, &s);
	} else if (s.dev) {
		mnl_attr_put_u32(h, RTA_OIF, (uint32_t)s.dev);
		if (s.via)
			put_gateway(h, s.via);
	}
	return kernel_route(b->o, &b->t, h);
}

static void neigh(struct bed *b, uint16_t type, const char *text, uint16_t nud, uint8_t last)
{
	uint8_t mac[6] = {2, 0, 0, 0, 0, last};
	struct nlmsghdr *h;
	struct ndmsg *nd;
	struct ip ip;

	memset(message, 0, sizeof message);
	h = mnl_nlmsg_put_header(message);
	nd = mnl_nlmsg_put_extra_header(h, sizeof *nd);
	assert_true(ip_parse(text, &ip));
	h->nlmsg_type = type;
	nd->ndm_family = ip.family == 4 ? AF_INET : AF_INET6;
	nd->ndm_ifindex = 5;
	nd->ndm_state = nud;
	mnl_attr_put(h, NDA_DST, ip.family == 4 ? 4 : 16, ip.octet);
	if (last)
		mnl_attr_put(h, NDA_LLADDR, 6, mac);
	kernel_neigh(b->o, &b->t, h);
}

static bool say_link(struct bed *b, uint16_t type, int ifindex, unsigned flags)
{
	uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
	struct nlmsghdr *h;
	struct ifinfomsg *ifi;

	memset(message, 0, sizeof message);
	h = mnl_nlmsg_put_header(message);
	ifi = mnl_nlmsg_put_extra_header(h, sizeof *ifi);
	h->nlmsg_type = type;
	ifi->ifi_index = ifindex;
	ifi->ifi_flags = flags;
	mnl_attr_put_u32(h, IFLA_MTU, 1400);
	mnl_attr_put(h, IFLA_ADDRESS, 6, mac);
	return kernel_link(b->o, &b->t, h);
}

/* `KIND VIA,DEV,WEIGHT …` of what the FIB says. */
static const char *way(struct bed *b, const char *dst)
{
	static char text[256];
	const struct fib_route *r;
	char buf[IP_TEXT];
	struct ip ip;
	int n;

	assert_true(ip_parse(dst, &ip));
	r = fib_lookup(&b->o->dp.fib, &ip);
	if (!r)
		return "none";
	n = snprintf(text, sizeof text, "%d", r->kind);
	for (unsigned i = 0; i < r->n_paths; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, " %s,%d,%u",
			      r->path[i].via.family ? ip_text(&r->path[i].via, buf) : "-",
			      r->path[i].ifindex, r->path[i].weight);
	return text;
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static void test_routes(void **state)
{
	struct bed *b = *state;

	route(b, (struct said){.dst = "10.0.0.0/8", .dev = 3});
	route(b, (struct said){.dst = "10.1.0.0/16", .via = "10.0.0.1", .dev = 3});
	route(b, (struct said){.dst = "0.0.0.0/0", .via = "10.0.0.9", .dev = 4});
	route(b, (struct said){.dst = "192.0.2.0/24", .kind = RTN_BLACKHOLE});
	route(b,
	      (struct said){
		      .dst = "127.0.0.0/8", .kind = RTN_LOCAL, .table = RT_TABLE_LOCAL, .dev = 1});
	route(b, (struct said){
			 .dst = "172.16.0.0/12", .dev = 9, .table = 100}); /* a table of others */
	route(b, (struct said){.dst = "224.0.0.0/4", .dev = 9, .kind = RTN_MULTICAST});
	assert_string_equal(way(b, "10.2.0.1"), "0 -,3,1");
	assert_string_equal(way(b, "10.1.0.1"), "0 10.0.0.1,3,1");
	assert_string_equal(way(b, "172.16.0.1"), "0 10.0.0.9,4,1");
	assert_string_equal(way(b, "224.0.0.1"), "0 10.0.0.9,4,1");
	assert_string_equal(way(b, "192.0.2.1"), "2");
	assert_string_equal(way(b, "127.0.0.2"), "1 -,1,1");
	route(b,
	      (struct said){.type = RTM_DELROUTE, .dst = "0.0.0.0/0", .via = "10.0.0.9", .dev = 4});
	assert_string_equal(way(b, "172.16.0.1"), "none");
}

static void test_best_of_a_prefix(void **state)
{
	struct bed *b = *state;

	route(b, (struct said){.dst = "10.0.0.0/8", .dev = 3, .metric = 100});
	route(b, (struct said){.dst = "10.0.0.0/8", .dev = 4, .metric = 50});
	route(b, (struct said){.dst = "10.0.0.0/8", .dev = 5, .metric = 200});
	assert_string_equal(way(b, "10.0.0.1"), "0 -,4,1");
	route(b, (struct said){.dst = "10.0.0.0/8",
			       .dev = 6,
			       .metric = 900,
			       .table = RT_TABLE_LOCAL,
			       .kind = RTN_LOCAL});
	assert_string_equal(way(b, "10.0.0.1"), "1 -,6,1");
	route(b, (struct said){.type = RTM_DELROUTE,
			       .dst = "10.0.0.0/8",
			       .dev = 6,
			       .metric = 900,
			       .table = RT_TABLE_LOCAL,
			       .kind = RTN_LOCAL});
	route(b, (struct said){.type = RTM_DELROUTE, .dst = "10.0.0.0/8", .dev = 4, .metric = 50});
	assert_string_equal(way(b, "10.0.0.1"), "0 -,3,1");
	route(b,
	      (struct said){.flags = NLM_F_REPLACE, .dst = "10.0.0.0/8", .dev = 8, .metric = 100});
	assert_string_equal(way(b, "10.0.0.1"), "0 -,8,1");
}

static void test_several_hops(void **state)
{
	struct bed *b = *state;

	route(b, (struct said){.dst = "2001:db8::/32", .via = "fe80::1", .dev = 3, .dev2 = 4});
	assert_string_equal(way(b, "2001:db8::1"), "0 fe80::1,3,1 fe80::1,4,3");
	/* The kernel says which one has gone: what is left has to be asked for. */
	assert_true(route(b, (struct said){.type = RTM_DELROUTE,
					   .dst = "2001:db8::/32",
					   .via = "fe80::1",
					   .dev = 4}));
	assert_false(route(b, (struct said){.type = RTM_DELROUTE,
					    .dst = "2001:db8::/32",
					    .via = "fe80::1",
					    .dev = 3,
					    .dev2 = 4}));
	assert_string_equal(way(b, "2001:db8::1"), "none");
	/* On link on two devices. */
	route(b, (struct said){.dst = "fe80::/64", .dev = 3, .metric = 256});
	route(b, (struct said){.dst = "fe80::/64", .dev = 4, .metric = 256});
	route(b, (struct said){.type = RTM_DELROUTE, .dst = "fe80::/64", .dev = 3, .metric = 256});
	assert_string_equal(way(b, "fe80::5"), "0 -,4,1");
}

static void test_appended(void **state)
{
	struct bed *b = *state;

	route(b, (struct said){.dst = "10.0.0.0/8", .dev = 3});
	route(b, (struct said){.flags = NLM_F_APPEND, .dst = "10.0.0.0/8", .dev = 4});
	assert_string_equal(way(b, "10.0.0.1"), "0 -,3,1");
	/* The first goes: which stands behind it, the next dump says. */
	assert_true(route(b, (struct said){.type = RTM_DELROUTE, .dst = "10.0.0.0/8", .dev = 3}));
	b->t.generation++;
	route(b, (struct said){.flags = NLM_F_MULTI, .dst = "10.0.0.0/8", .dev = 4});
	assert_string_equal(way(b, "10.0.0.1"), "0 -,4,1");
	assert_false(route(b, (struct said){.type = RTM_DELROUTE, .dst = "10.0.0.0/8", .dev = 4}));
	assert_string_equal(way(b, "10.0.0.1"), "none");
}

static bool known(struct bed *b, const char *text, uint8_t last)
{
	const struct fib_neigh *n;
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	n = fib_neigh_find(&b->o->dp.fib, &ip, 5);
	return n && n->mac[5] == last;
}

static void test_neighbours(void **state)
{
	struct bed *b = *state;

	neigh(b, RTM_NEWNEIGH, "10.0.0.1", NUD_INCOMPLETE, 0);
	assert_false(known(b, "10.0.0.1", 0));
	neigh(b, RTM_NEWNEIGH, "10.0.0.1", NUD_REACHABLE, 1);
	assert_true(known(b, "10.0.0.1", 1));
	neigh(b, RTM_NEWNEIGH, "10.0.0.1", NUD_STALE, 2);
	assert_true(known(b, "10.0.0.1", 2));
	neigh(b, RTM_NEWNEIGH, "10.0.0.1", NUD_FAILED, 0);
	assert_false(known(b, "10.0.0.1", 2));
	neigh(b, RTM_NEWNEIGH, "2001:db8::1", NUD_PERMANENT, 3);
	assert_true(known(b, "2001:db8::1", 3));
	neigh(b, RTM_DELNEIGH, "2001:db8::1", NUD_PERMANENT, 3);
	assert_false(known(b, "2001:db8::1", 3));
}

struct ear {
	struct listener listener;
	unsigned n;
	bool up;
};

static void hear(struct listener *l, const struct port *port, uint8_t reason)
{
	struct ear *e = container_of(l, struct ear, listener);

	e->n += reason == OFPPR_MODIFY;
	e->up = port->up;
}

static void test_links(void **state)
{
	struct bed *b = *state;
	struct port *p = switch_port(b->o, "p1 type=dummy");
	struct ear e = {.listener.port_status = hear};

	p->ifindex = 5;
	ofproto_listen(b->o, &e.listener);
	assert_false(say_link(b, RTM_NEWLINK, 6, IFF_UP));
	assert_int_equal(e.n, 0);
	assert_false(say_link(b, RTM_NEWLINK, 5, IFF_UP | IFF_RUNNING));
	assert_true(p->up && p->mtu == 1400 && p->mac[5] == 7);
	e.n = 0;
	assert_false(say_link(b, RTM_NEWLINK, 5, IFF_UP)); /* no carrier */
	assert_true(e.n == 1 && !e.up);
	say_link(b, RTM_NEWLINK, 5, IFF_UP | IFF_RUNNING);
	assert_true(e.n == 2 && e.up);
	say_link(b, RTM_NEWLINK, 5, IFF_UP | IFF_RUNNING); /* nothing new */
	assert_int_equal(e.n, 2);
	/* Down: IPv4 routes go with it, and nothing says so. */
	assert_true(say_link(b, RTM_NEWLINK, 5, 0));
	assert_true(e.n == 3 && !e.up);
	say_link(b, RTM_NEWLINK, 5, IFF_UP | IFF_RUNNING);
	assert_true(say_link(b, RTM_DELLINK, 5, 0));
	assert_true(!p->up);
	ofproto_unlisten(b->o, &e.listener);
	p->ifindex = 0;
}

static void test_sweep(void **state)
{
	struct bed *b = *state;

	route(b, (struct said){.dst = "10.0.0.0/8", .dev = 3});
	route(b, (struct said){.dst = "11.0.0.0/8", .dev = 3});
	neigh(b, RTM_NEWNEIGH, "10.0.0.1", NUD_REACHABLE, 1);
	neigh(b, RTM_NEWNEIGH, "10.0.0.2", NUD_REACHABLE, 2);
	b->t.generation++;
	route(b, (struct said){.flags = NLM_F_MULTI, .dst = "11.0.0.0/8", .dev = 4});
	neigh(b, RTM_NEWNEIGH, "10.0.0.2", NUD_REACHABLE, 2);
	kernel_sweep(b->o, &b->t);
	assert_string_equal(way(b, "10.0.0.1"), "none");
	assert_string_equal(way(b, "11.0.0.1"), "0 -,4,1");
	assert_false(known(b, "10.0.0.1", 1));
	assert_true(known(b, "10.0.0.2", 2));
}

/* Cut short anywhere, a message harms nobody. */
static void test_cut_short(void **state)
{
	struct bed *b = *state;
	struct nlmsghdr *h = (void *)message;
	uint32_t whole;

	route(b, (struct said){.dst = "10.0.0.0/8", .via = "10.0.0.1", .dev = 3, .dev2 = 4});
	whole = h->nlmsg_len;
	for (uint32_t n = sizeof *h; n < whole; n += 4) {
		void *copy = malloc(n);

		memcpy(copy, message, n);
		((struct nlmsghdr *)copy)->nlmsg_len = n;
		kernel_route(b->o, &b->t, copy);
		kernel_neigh(b->o, &b->t, copy);
		kernel_link(b->o, &b->t, copy);
		free(copy);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_routes),   TEST(test_best_of_a_prefix), TEST(test_several_hops),
		TEST(test_appended), TEST(test_neighbours),       TEST(test_links),
		TEST(test_sweep),    TEST(test_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
