/* SPDX-License-Identifier: Apache-2.0 */
/* Groups at work, behind rules: each type with exact outputs and counters, liveness, chains,
 * bounds, what a bucket does to its own copy alone. */
#include "switch.h"

#include "datapath/group.h"
#include "lib/hash.h"
#include "ofproto/groups.h"

enum { PORTS = 6 };

static struct ofproto *o;
static struct worker *w;
static struct port *in, *out[PORTS + 1]; /* p1 … by number */

static int up(void **state)
{
	(void)state;
	o = switch_up(NULL);
	w = ofproto_datapath(o)->worker[0];
	in = switch_port(o, "in type=dummy ofport=9");
	for (unsigned i = 1; i <= PORTS; i++) {
		char words[32];

		snprintf(words, sizeof words, "p%u type=dummy ofport=%u", i, i);
		out[i] = switch_port(o, words);
	}
	switch_flow(o, OFPFC_DELETE, "");
	return 0;
}

static int down(void **state)
{
	struct worker_held held;

	(void)state;
	for (unsigned i = 1; i <= PORTS; i++)
		switch_taken(out[i]);
	worker_held(w, &held);
	assert_int_equal(held.frames_free, held.frames_total);
	assert_int_equal(w->n_free_pkts, w->n_pkts);
	ofproto_destroy(o);
	return 0;
}

static int try_group(uint16_t command, const char *text, struct refusal *r)
{
	struct group_mod gm;
	int error = group_parse(text, command, &gm, r);

	if (error)
		return error;
	error = ofproto_group_mod(o, &gm, NULL, r);
	group_mod_free(&gm);
	return error;
}

static void group(uint16_t command, const char *text)
{
	struct refusal r = {0};

	if (try_group(command, text, &r))
		fail_msg("%s: %s", text, r.text);
	ofproto_run(o);
}

static enum refusal_code refused(uint16_t command, const char *text)
{
	struct refusal r = {0};

	assert_int_not_equal(try_group(command, text, &r), 0);
	assert_true(r.text[0]);
	return r.code;
}

/* How many frames each port sent since the last time: "1 0 2 0 0 0". */
static const char *sent(void)
{
	static char text[64];
	size_t n = 0;

	for (unsigned i = 1; i <= PORTS; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%u", i > 1 ? " " : "",
				      switch_taken(out[i]));
	return text;
}

#define assert_sent(text) assert_string_equal(sent(), text)

static const char *send_one(void)
{
	switch_inject(o, in, 1, 2);
	return sent();
}

/* A set-up of its own for each flow: sources by number. */
static void send_flow(unsigned i)
{
	switch_inject(o, in, (uint8_t)i, (uint8_t)(i >> 8));
}

static void set_link(unsigned port, bool is_up)
{
	__atomic_store_n(&out[port]->up, is_up, __ATOMIC_RELAXED);
}

static uint64_t dropped(enum drop_reason reason)
{
	return counter_read(&w->n.dropped[reason]);
}

/* The group's packets, then its buckets'. */
struct counts {
	struct group_visit visit;
	char text[256];
};

static int count_one(struct group_visit *v, const struct group_spec *spec,
		     const struct group_stats *s)
{
	struct counts *c = container_of(v, struct counts, visit);
	int n = snprintf(c->text, sizeof c->text, "refs=%u %llu/%llu", s->refs,
			 (unsigned long long)s->total.packets, (unsigned long long)s->total.bytes);

	for (unsigned i = 0; i < spec->n_buckets && n < 200; i++)
		n += snprintf(c->text + n, sizeof c->text - (size_t)n, " %llu%s",
			      (unsigned long long)s->bucket[i].packets, s->live[i] ? "" : "!");
	return 0;
}

static const char *counts(uint32_t id)
{
	static struct counts c;

	c = (struct counts){.visit = {count_one}};
	ofproto_groups(o, id, &c.visit);
	return c.text;
}

/* ---- Types ----------------------------------------------------------------------------- */

static void test_all(void **state)
{
	(void)state;
	group(OFPGC_ADD, "group_id=1,type=all,bucket=output:1,bucket=output:2,bucket=output:3");
	switch_flow(o, OFPFC_ADD, "actions=group:1");
	assert_string_equal(send_one(), "1 1 1 0 0 0");
	assert_string_equal(send_one(), "1 1 1 0 0 0");
	assert_string_equal(counts(1), "refs=1 2/120 2 2 2");
	assert_int_equal(w->n.made[MADE_CLONE], 4); /* the last bucket has the packet itself */
	/* An action behind it has the packet as it was. */
	switch_flow(o, OFPFC_ADD, "actions=group:1,output:4,group:1,output:5");
	assert_string_equal(send_one(), "2 2 2 1 1 0");
	/* Not back to where it came from. */
	group(OFPGC_MODIFY, "group_id=1,type=all,bucket=output:9,bucket=output:3,bucket=IN_PORT");
	assert_string_equal(send_one(), "0 0 2 1 1 0");
	assert_int_equal(dropped(DROP_IN_PORT), 2);
	assert_int_equal(switch_taken(in), 2);
}

static void test_none_and_indirect(void **state)
{
	(void)state;
	group(OFPGC_ADD, "group_id=4294967040,type=indirect,bucket=output:2");
	switch_flow(o, OFPFC_ADD, "actions=group:4294967040");
	assert_string_equal(send_one(), "0 1 0 0 0 0");
	group(OFPGC_MODIFY, "group_id=4294967040,type=indirect,bucket=actions=drop");
	assert_string_equal(send_one(), "0 0 0 0 0 0");
	assert_int_equal(dropped(DROP_RULE), 1);
	group(OFPGC_MODIFY, "group_id=4294967040,type=all");
	assert_string_equal(send_one(), "0 0 0 0 0 0");
	assert_int_equal(dropped(DROP_GROUP_NO_BUCKET), 1);
	group(OFPGC_MODIFY, "group_id=4294967040,type=select,bucket=weight:0,output:1");
	assert_string_equal(send_one(), "0 0 0 0 0 0");
	assert_int_equal(dropped(DROP_GROUP_NO_BUCKET), 2);
	/* Counted as one group from the beginning, whatever became of it. */
	assert_string_equal(counts(4294967040), "refs=1 4/240 0");
}

/* The octet at `at` of the next frame of a port. */
static uint8_t octet(unsigned port, unsigned at)
{
	const struct dummy_frame *f = dummy_take(out[port]);
	uint8_t v;

	assert_non_null(f);
	v = f->octet[at];
	dummy_release(out[port]);
	return v;
}

/* What a bucket sets is in its own copy alone, whatever the order; actions are a set. */
static void test_buckets_do_not_leak(void **state)
{
	(void)state;
	group(OFPGC_ADD, "group_id=1,type=all,"
			 "bucket=set_field:02:00:00:00:00:aa->eth_dst,dec_ttl,output:1,"
			 "bucket=output:2,"
			 "bucket=output:3,set_field:7->nw_ttl,set_field:8->nw_ttl,"
			 "bucket=mod_nw_ttl:9,output:4");
	switch_flow(o, OFPFC_ADD, "ip,actions=group:1,output:5");
	switch_inject(o, in, 1, 2);
	assert_int_equal(octet(1, 5), 0xaa);
	assert_int_equal(octet(2, 5), 9);
	assert_int_equal(octet(3, 22), 8); /* set before output, the last one counts */
	assert_int_equal(octet(4, 22), 9);
	assert_int_equal(octet(5, 22), 64);
	assert_sent("0 0 0 0 0 0");
	switch_inject(o, in, 1, 2);
	assert_int_equal(octet(1, 22), 63);
	assert_int_equal(octet(2, 22), 64);
	assert_int_equal(octet(5, 5), 9);
	assert_sent("0 0 1 1 0 0");
}

/* In an action set a group goes before output, which is then nothing (TS-023, 5.10). */
static void test_action_set(void **state)
{
	(void)state;
	group(OFPGC_ADD, "group_id=1,type=all,bucket=output:2");
	group(OFPGC_ADD, "group_id=2,type=all,bucket=output:3,group:1");
	switch_flow(o, OFPFC_ADD, "actions=output:6,write_actions(output:1,group:1)");
	assert_string_equal(send_one(), "0 1 0 0 0 1");
	switch_flow(o, OFPFC_ADD, "actions=write_actions(output:1),goto_table:1");
	switch_flow(o, OFPFC_ADD, "table=1,actions=write_actions(group:2)");
	assert_string_equal(send_one(), "0 1 0 0 0 0");
	switch_flow(o, OFPFC_ADD,
		    "table=1,priority=40000,ip,actions=clear_actions,write_actions(output:4)");
	assert_string_equal(send_one(), "0 0 0 1 0 0");
	/* Looked at anew each time: the path is the same, the group is not. */
	switch_flow(o, OFPFC_DELETE, "table=1,ip");
	group(OFPGC_MODIFY, "group_id=1,type=all,bucket=output:5");
	assert_string_equal(send_one(), "0 0 0 0 1 0");
	group(OFPGC_MODIFY, "group_id=2,type=indirect,bucket=output:1");
	assert_string_equal(send_one(), "1 0 0 0 0 0");
}

static void test_what_has_no_header(void **state)
{
	(void)state;
	group(OFPGC_ADD, "group_id=1,type=all,bucket=pop_vlan,output:1,"
			 "bucket=set_field:80->tcp_dst,output:2,bucket=output:3");
	switch_flow(o, OFPFC_ADD, "actions=group:1");
	assert_string_equal(send_one(), "0 0 1 0 0 0");
	assert_int_equal(dropped(DROP_ACTION_INVALID), 2);
}

/* ---- Select ---------------------------------------------------------------------------- */

enum { FLOWS = 2048 };

/* The port that each flow leaves by; 0: none. */
static void where(uint8_t to[FLOWS])
{
	for (unsigned i = 0; i < FLOWS; i++) {
		send_flow(i);
		to[i] = 0;
		for (unsigned p = 1; p <= PORTS; p++)
			if (switch_taken(out[p]))
				to[i] = (uint8_t)p;
	}
}

static void test_select(void **state)
{
	uint8_t first[FLOWS], second[FLOWS];
	unsigned n[PORTS + 1] = {0};

	(void)state;
	group(OFPGC_ADD, "group_id=1,type=select,bucket=weight:2,output:1,bucket=output:2,"
			 "bucket=weight:0,output:3,bucket=weight:5,actions=output:4");
	switch_flow(o, OFPFC_ADD, "actions=group:1");
	where(first);
	where(second); /* a flow stays */
	assert_memory_equal(first, second, sizeof first);
	for (unsigned i = 0; i < FLOWS; i++)
		n[first[i]]++;
	assert_int_equal(n[0] + n[3] + n[5] + n[6], 0);
	/* By weight: of 2,048 flows, within six standard deviations. */
	assert_in_range(n[1], 512 - 120, 512 + 120);
	assert_in_range(n[2], 256 - 90, 256 + 90);
	assert_in_range(n[4], 1280 - 140, 1280 + 140);
}

/* One flow of IP by 256 stations: of frames that pass through each has its bucket; of those that
 * are the port's own the last hop makes no difference. */
static void test_select_by_link(void **state)
{
	static const uint8_t to[6] = {2, 0, 0, 0, 0, 9};
	unsigned n;

	(void)state;
	group(OFPGC_ADD, "group_id=1,type=select,bucket=output:1,bucket=output:2");
	switch_flow(o, OFPFC_ADD, "actions=group:1");
	for (uint16_t link = 0; link < 256; link++)
		switch_inject_from(o, in, link, 1, 2);
	n = switch_taken(out[1]);
	assert_in_range(n, 128 - 48, 128 + 48);
	assert_int_equal(switch_taken(out[2]), 256 - n);
	memcpy(in->mac, to, sizeof in->mac);
	for (uint16_t link = 0; link < 256; link++)
		switch_inject_from(o, in, link, 1, 2);
	n = switch_taken(out[1]);
	assert_true(n == 0 || n == 256);
	assert_int_equal(switch_taken(out[2]), 256 - n);
}

/* Over a group-mod that takes one of five away: its flows spread, of the others 1 % moves; and all
 * are where they were when it is back.  Where it stood in the list makes no difference. */
static void test_select_one_goes(void **state)
{
	uint8_t all[FLOWS], four[FLOWS], again[FLOWS];
	unsigned moved = 0, was = 0;

	(void)state;
	group(OFPGC_ADD, "group_id=1,type=select,bucket=output:1,bucket=output:2,bucket=output:3,"
			 "bucket=output:4,bucket=output:5");
	switch_flow(o, OFPFC_ADD, "actions=group:1");
	where(all);
	group(OFPGC_MODIFY, "group_id=1,type=select,bucket=output:5,bucket=output:1,"
			    "bucket=output:2,bucket=output:4");
	where(four);
	for (unsigned i = 0; i < FLOWS; i++) {
		assert_int_not_equal(four[i], 3);
		was += all[i] == 3;
		moved += all[i] != 3 && all[i] != four[i];
	}
	assert_true(was > 300 && moved <= FLOWS / 100);
	group(OFPGC_MODIFY, "group_id=1,type=select,bucket=output:1,bucket=output:3,"
			    "bucket=output:2,bucket=output:4,bucket=output:5");
	where(again);
	assert_memory_equal(all, again, sizeof all);
}

/* A dead bucket: no flow of a live one moves, its own spread over all the others, and all come
 * back; with the control thread's help and without. */
static void test_select_liveness(void **state)
{
	uint8_t all[FLOWS], at_once[FLOWS], later[FLOWS];
	unsigned to[PORTS + 1] = {0};

	(void)state;
	group(OFPGC_ADD,
	      "group_id=1,type=select,bucket=watch_port:1,output:1,"
	      "bucket=watch_port:p2,output:2,bucket=watch_port:3,output:3,bucket=output:4");
	switch_flow(o, OFPFC_ADD, "actions=group:1");
	where(all);
	set_link(2, false);
	where(at_once);
	for (unsigned i = 0; i < FLOWS; i++) {
		assert_int_not_equal(at_once[i], 2);
		if (all[i] == 2)
			to[at_once[i]]++;
		else
			assert_int_equal(all[i], at_once[i]);
	}
	assert_true(to[1] > 100 && to[3] > 100 && to[4] > 100);
	assert_non_null(strstr(counts(1), "!"));
	group_refresh(ofproto_datapath(o), group_find(ofproto_datapath(o), 1));
	assert_non_null(group_find(ofproto_datapath(o), 1)->live);
	where(later);
	assert_memory_equal(at_once, later, sizeof later);
	set_link(2, true);
	where(later); /* before the table is back, a flow must not be lost */
	group_refresh(ofproto_datapath(o), group_find(ofproto_datapath(o), 1));
	assert_null(group_find(ofproto_datapath(o), 1)->live);
	where(later);
	assert_memory_equal(all, later, sizeof later);
	set_link(1, false);
	set_link(3, false);
	group(OFPGC_MODIFY, "group_id=1,type=select,bucket=watch_port:1,output:1,"
			    "bucket=watch_port:3,output:3");
	assert_string_equal(send_one(), "0 0 0 0 0 0");
	assert_int_equal(dropped(DROP_GROUP_NO_BUCKET), 1);
}

/* One live bucket among very many is found, though no worker would probe so long. */
static void test_select_nearly_all_dead(void **state)
{
	struct buf text = {0};

	(void)state;
	buf_printf(&text, "group_id=1,type=select,bucket=weight:1,output:1");
	for (unsigned i = 0; i < 600; i++)
		buf_printf(&text, ",bucket=watch_port:2,set_field:%u->reg0,output:2", i);
	group(OFPGC_ADD, buf_text(&text));
	buf_free(&text);
	switch_flow(o, OFPFC_ADD, "actions=group:1");
	set_link(2, false);
	group_refresh(ofproto_datapath(o), group_find(ofproto_datapath(o), 1));
	for (unsigned i = 0; i < 200; i++)
		send_flow(i);
	assert_sent("200 0 0 0 0 0");
	set_link(2, true);
	group_refresh(ofproto_datapath(o), group_find(ofproto_datapath(o), 1));
	for (unsigned i = 0; i < 50; i++)
		send_flow(i);
	assert_int_not_equal(switch_taken(out[2]), 0);
}

/* The heaviest bucket is dead, and slots of the others are few: all flows go there all the same,
 * and finding that takes no time worth speaking of.  Those of the one do not move for the other. */
static void test_select_the_heavy_one_dies(void **state)
{
	struct datapath *dp = ofproto_datapath(o);
	uint8_t both[FLOWS], one[FLOWS];
	unsigned n[PORTS + 1] = {0};

	(void)state;
	group(OFPGC_ADD, "group_id=1,type=select,bucket=weight:65000,watch_port:2,output:2,"
			 "bucket=weight:1,watch_port:1,output:1,"
			 "bucket=weight:1,watch_port:3,output:3");
	switch_flow(o, OFPFC_ADD, "actions=group:1");
	set_link(2, false);
	group_refresh(dp, group_find(dp, 1));
	where(both);
	for (unsigned i = 0; i < FLOWS; i++)
		n[both[i]]++;
	assert_int_equal(n[1] + n[3], FLOWS);
	assert_true(n[1] && n[3]);
	set_link(3, false);
	group_refresh(dp, group_find(dp, 1));
	where(one);
	for (unsigned i = 0; i < FLOWS; i++)
		assert_int_equal(one[i], 1);
	set_link(3, true);
	group_refresh(dp, group_find(dp, 1));
	where(one);
	assert_memory_equal(both, one, sizeof both);
	set_link(2, true);
}

/* Numbers made of a kind, a VLAN and a port, as controllers make them, are found as fast as any. */
static void test_numbers_of_a_pattern(void **state)
{
	static bool seen[16384];
	unsigned places = 0;

	(void)state;
	for (uint32_t vlan = 0; vlan < 1024; vlan++) {
		bool *at = &seen[group_hash(vlan << 16 | 1) % ARRAY_SIZE(seen)];

		places += !*at;
		*at = true;
	}
	assert_in_range(places, 900, 1024);
}

/* ---- Fast failover --------------------------------------------------------------------- */

static void test_failover(void **state)
{
	(void)state;
	group(OFPGC_ADD, "group_id=5,type=ff,bucket=watch_port:4,output:4");
	group(OFPGC_ADD, "group_id=1,type=ff,bucket=watch_port:1,output:1,"
			 "bucket=watch_port:2,output:2,bucket=watch_group:5,output:3");
	switch_flow(o, OFPFC_ADD, "actions=group:1");
	assert_string_equal(send_one(), "1 0 0 0 0 0");
	set_link(1, false); /* no controller, no control thread: the next packet */
	assert_string_equal(send_one(), "0 1 0 0 0 0");
	set_link(2, false);
	assert_string_equal(send_one(), "0 0 1 0 0 0");
	assert_string_equal(counts(1), "refs=1 3/180 1! 1! 1");
	set_link(4, false); /* the watched group has no live bucket any more */
	assert_string_equal(send_one(), "0 0 0 0 0 0");
	assert_int_equal(dropped(DROP_GROUP_NO_BUCKET), 1);
	set_link(2, true);
	assert_string_equal(send_one(), "0 1 0 0 0 0");
	set_link(1, true);
	assert_string_equal(send_one(), "1 0 0 0 0 0");
	assert_int_equal(ofproto_del_port(o, "p1", NULL, NULL), 0); /* not there: not live */
	out[1] = switch_port(o, "p7 type=dummy ofport=7");
	assert_string_equal(send_one(), "0 1 0 0 0 0");
	assert_int_equal(dropped(DROP_PORT_DOWN), 0);
}

/* Either of what a bucket watches keeps it alive. */
static void test_watches_both(void **state)
{
	(void)state;
	group(OFPGC_ADD, "group_id=5,type=all,bucket=output:4"); /* always live */
	group(OFPGC_ADD, "group_id=6,type=all");                 /* never */
	group(OFPGC_ADD, "group_id=1,type=ff,bucket=watch_port:1,watch_group:6,output:1,"
			 "bucket=watch_port:2,watch_group:5,output:2");
	switch_flow(o, OFPFC_ADD, "actions=group:1");
	assert_string_equal(send_one(), "1 0 0 0 0 0");
	set_link(1, false);
	set_link(2, false);
	switch_inject(o, in, 1, 2);
	assert_int_equal(dropped(DROP_PORT_DOWN), 1); /* chosen, for group 5 lives */
	set_link(1, true);
	set_link(2, true);
}

/* ---- Bounds ---------------------------------------------------------------------------- */

static void test_runs_are_bounded(void **state)
{
	struct buf text = {0};

	(void)state;
	buf_printf(&text, "group_id=1,type=all");
	for (unsigned i = 0; i < 100; i++)
		buf_printf(&text, ",bucket=output:%u", 1 + i % 2);
	group(OFPGC_ADD, buf_text(&text));
	buf_free(&text);
	group(OFPGC_ADD, "group_id=2,type=all,bucket=group:1,bucket=group:1,bucket=group:1,"
			 "bucket=output:3");
	switch_flow(o, OFPFC_ADD, "actions=group:2,output:4");
	/* Three of group 2's and 253 of group 1's; what is behind them is dropped by name. */
	assert_string_equal(send_one(), "127 126 0 1 0 0");
	assert_int_equal(dropped(DROP_GROUP_LIMIT), 2);
	assert_string_equal(send_one(), "127 126 0 1 0 0"); /* the next has a budget of its own */
	group(OFPGC_MODIFY, "group_id=1,type=all");
	assert_string_equal(send_one(), "0 0 1 1 0 0");
}

/* What admission refuses, and what a datapath does that was told so all the same. */
static void test_depth_and_gone(void **state)
{
	struct datapath *dp = ofproto_datapath(o);
	const uint32_t counter[] = {900, 901};
	struct bucket_spec bucket = {.watch_port = OFPP_ANY, .watch_group = OFPG_ANY};
	struct group_spec spec = {.id = 7, .n_buckets = 1, .bucket = &bucket};
	struct group *loop;

	(void)state;
	group(OFPGC_ADD, "group_id=7,type=all,bucket=output:1");
	switch_flow(o, OFPFC_ADD, "actions=group:7");
	assert_int_equal(refused(OFPGC_MODIFY, "group_id=7,type=all,bucket=group:7"),
			 REFUSED_GROUP_LOOP);
	assert_int_equal(actions_parse("group:7", &bucket.actions, NULL), 0);
	loop = group_make(&spec, counter);
	group_publish(dp, loop, 0);
	assert_string_equal(send_one(), "0 0 0 0 0 0");
	assert_int_equal(dropped(DROP_GROUP_LIMIT), 1);
	assert_int_equal(w->group[900].packets, GROUP_DEPTH);
	group_withdraw(dp, loop);
	group_defer(loop);
	assert_string_equal(send_one(), "0 0 0 0 0 0");
	assert_int_equal(dropped(DROP_GROUP_GONE), 1);
	buf_free(&bucket.actions);
}

/* Groups that watch groups that watch groups: a packet looks at GROUP_LOOKS buckets, not at all. */
static void test_looks_are_bounded(void **state)
{
	struct buf text = {0};

	(void)state;
	set_link(1, false);
	for (unsigned id = 1; id <= 4; id++) {
		buf_printf(&text, "group_id=%u,type=ff", id);
		for (unsigned i = 0; i < 200; i++)
			if (id == 1)
				buf_printf(&text, ",bucket=watch_port:1,output:1");
			else
				buf_printf(&text, ",bucket=watch_group:%u,output:1", id - 1);
		group(OFPGC_ADD, buf_text(&text));
		buf_free(&text);
	}
	switch_flow(o, OFPFC_ADD, "actions=group:4");
	assert_string_equal(send_one(), "0 0 0 0 0 0"); /* 1.6e9 looks would be felt */
	assert_int_equal(dropped(DROP_GROUP_NO_BUCKET), 1);
	assert_int_equal(w->group_budget.looks, 0);
	set_link(1, true);
}

/* ---- The flow's hash ------------------------------------------------------------------- */

/* An IPv4 packet of UDP from 10.0.0.1 with a fragment field; later fragments have no ports. */
static uint32_t hash_of(uint16_t fragment, uint16_t ports)
{
	struct du_key k = {.eth_type = htobe16(0x800), .ip_proto = 17};

	k.ip_src[0] = 10;
	k.ip_src[3] = 1;
	if (fragment)
		k.ip_frag = fragment & 0x1fff ? 3 : 1;
	if (!(fragment & 0x1fff)) {
		k.tp_src = htobe16(ports);
		k.tp_dst = htobe16(53);
	}
	return pkt_flow_hash_find(&k);
}

/* Fragments of one packet stay together, the first one with the others. */
static void test_fragments_stay_together(void **state)
{
	(void)state;
	assert_int_not_equal(hash_of(0, 1), hash_of(0, 2));
	assert_int_equal(hash_of(0x2000, 1), hash_of(0x2001, 0));
	assert_int_equal(hash_of(0x2000, 1), hash_of(0x2000, 2));
}

/* ---- Counters -------------------------------------------------------------------------- */

/* Modified, a group goes on, and so does a bucket whose actions stay; a new one begins at zero,
 * also with the number of one that has gone. */
static void test_counters_go_on(void **state)
{
	(void)state;
	group(OFPGC_ADD, "group_id=1,type=all,bucket=output:1,bucket=output:2");
	switch_flow(o, OFPFC_ADD, "actions=group:1");
	send_one();
	group(OFPGC_MODIFY, "group_id=1,type=all,bucket=output:3,bucket=output:2");
	send_one();
	assert_string_equal(counts(1), "refs=1 2/120 1 2");
	group(OFPGC_MODIFY, "group_id=1,type=all,bucket=output:2,bucket=output:1");
	assert_string_equal(counts(1), "refs=1 2/120 2 0");
	group(OFPGC_DELETE, "group_id=1");
	group(OFPGC_ADD, "group_id=1,type=all,bucket=output:2,bucket=output:1");
	assert_string_equal(counts(1), "refs=0 0/0 0 0");
}

int main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, up, down)
	const struct CMUnitTest tests[] = {
		TEST(test_all),
		TEST(test_none_and_indirect),
		TEST(test_buckets_do_not_leak),
		TEST(test_action_set),
		TEST(test_what_has_no_header),
		TEST(test_select),
		TEST(test_select_by_link),
		TEST(test_select_one_goes),
		TEST(test_select_liveness),
		TEST(test_select_nearly_all_dead),
		TEST(test_select_the_heavy_one_dies),
		TEST(test_numbers_of_a_pattern),
		TEST(test_failover),
		TEST(test_watches_both),
		TEST(test_runs_are_bounded),
		TEST(test_depth_and_gone),
		TEST(test_looks_are_bounded),
		TEST(test_fragments_stay_together),
		TEST(test_counters_go_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
