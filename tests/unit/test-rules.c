/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and actions: paths through the tables become programs, and programs become packets.  The
 * random part holds them against a twin that interprets the instructions table by table. */
#include "tests/unit/route-bed.h"

enum { N_RULES = 400 };

static struct rule *rules[N_RULES];
static unsigned n_rules;

#define DROPPED(REASON) counter_read(&w->n.dropped[DROP_##REASON])

static void parse_match(struct match *m, const char *text)
{
	char copy[200], *save = NULL;

	memset(m, 0, sizeof *m);
	snprintf(copy, sizeof copy, "%s", text);
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		assert_int_equal(match_parse_word(m, word, value, NULL), 0);
	}
	assert_int_equal(match_finish(m, NULL), 0);
}

static struct program *compile(const char *actions)
{
	struct instructions i = {0};
	struct refusal r = {0};
	struct program *program;

	if (instructions_parse(actions, &i, &r))
		fail_msg("%s: %s", actions, r.text);
	program = program_compile(&i);
	instructions_free(&i);
	return program;
}

/* A rule in effect at once; its id. */
static uint32_t rule(unsigned table, int32_t priority, const char *match, const char *actions)
{
	struct match m;
	struct rule *r;

	parse_match(&m, match);
	assert_true(n_rules < N_RULES);
	r = rule_create(&m, priority, n_rules, compile(actions));
	r->table = (uint8_t)table;
	r->add_version = w->version = ++dp.version;
	table_insert(datapath_table(&dp, table), r, &m);
	rules[n_rules] = r;
	return n_rules++;
}

static int up(void **state)
{
	n_rules = 0;
	return route_up(state);
}

static struct pkt *packet(void)
{
	return udp_packet("192.0.2.1", "192.0.2.2");
}

static void run(struct pkt *p)
{
	struct batch b = {.n = 1, .pkt = {p}};

	spine_rules(w, &b);
	stage_tx(w);
}

static uint64_t packets(uint32_t id)
{
	return counter_read(&w->rule[id].packets);
}

static void a_rule_alone_is_its_own_path(void **state)
{
	uint32_t id = rule(0, 5, "in_port=1,udp", "output:2");
	struct pkt *p = keyed(packet());
	struct batch b = {.n = 1, .pkt = {p}};

	(void)state;
	stage_rules(w, &b);
	assert_int_equal(b.n, 1);
	assert_ptr_equal(p->program, rules[id]->program);
	stage_actions(w, &b);
	stage_tx(w);
	assert_int_equal(last_sent()->ofport, 2);
	assert_int_equal(w->rule[id].packets, 1);
	assert_int_equal(w->rule[id].bytes, 62);
	assert_int_equal(w->rule[id].used_ns, w->now);
	assert_int_equal(w->table[0].lookups, 1);
	assert_int_equal(w->table[0].matches, 1);
	assert_int_equal(w->table[TABLE_GUARD].lookups, 0);
}

static void misses_and_drops_have_reasons(void **state)
{
	(void)state;
	run(packet());
	assert_int_equal(DROPPED(TABLE_MISS), 1);
	rule(0, 5, "in_port=1", "drop");
	run(packet());
	assert_int_equal(DROPPED(RULE), 1);
	rule(0, 6, "in_port=1", "output:2,goto_table:7");
	run(packet());
	assert_int_equal(DROPPED(TABLE_MISS), 2);
	assert_int_equal(n_sent, 0); /* a path that ends in a miss does nothing */
	rule(7, 0, "", "set_field:3->reg0");
	run(packet());
	assert_int_equal(n_sent, 1);
	assert_int_equal(w->table[7].matches, 1);
}

static void later_tables_see_what_was_set(void **state)
{
	uint32_t a = rule(0, 5, "ip", "set_field:10.9.9.9->ipv4_dst,goto_table:1");
	uint32_t b = rule(1, 5, "ip,nw_dst=10.9.9.9", "output:2");

	(void)state;
	run(packet());
	assert_int_equal(last_sent()->ofport, 2);
	assert_int_equal(get_be32(last_sent()->octet + 30), 0x0a090909);
	assert_int_equal(csum(last_sent()->octet + 14, 20), 0);
	assert_int_equal(packets(a), 1);
	assert_int_equal(packets(b), 1);
	assert_int_equal(w->table[1].lookups, 1);
}

static void outputs_send_what_the_packet_was_then(void **state)
{
	(void)state;
	rule(0, 5, "ip", "output:2,set_field:1->ip_dscp,output:3,goto_table:1");
	rule(1, 5, "ip,ip_dscp=1", "set_field:2->ip_dscp,output:2");
	run(packet());
	assert_int_equal(n_sent, 3);
	for (unsigned i = 0; i < 3; i++) {
		unsigned dscp = sent[i].octet[15] >> 2;

		assert_int_equal(dscp, sent[i].ofport == 3            ? 1
				       : i && sent[i - 1].ofport == 2 ? 2
								      : 0);
	}
}

static void the_action_set_runs_last_and_in_order(void **state)
{
	(void)state;
	rule(0, 5, "ip",
	     "write_actions(output:2,set_field:7->ip_dscp,set_field:9->nw_ttl),goto_table:1");
	rule(1, 5, "ip", "write_actions(set_field:8->ip_dscp,dec_ttl,output:3),goto_table:2");
	rule(2, 5, "ip", "output:2");
	run(packet());
	assert_int_equal(n_sent, 2);
	for (unsigned i = 0; i < 2; i++) {
		bool set = sent[i].ofport == 3;

		assert_int_equal(sent[i].octet[15] >> 2, set ? 8 : 0);
		/* dec_ttl before set_field (TS-023, 5.6) */
		assert_int_equal(sent[i].octet[22], set ? 9 : 64);
	}
	rule(2, 6, "ip", "clear_actions");
	run(packet());
	assert_int_equal(DROPPED(RULE), 1);
	rule(2, 7, "ip", "clear_actions,write_actions(output:2)");
	run(packet());
	assert_int_equal(n_sent, 3);
	assert_int_equal(last_sent()->octet[15] >> 2, 0);
}

static void metadata_is_written_under_its_mask(void **state)
{
	const struct event_packet_in *e;
	uint32_t size, id;

	(void)state;
	rule(0, 5, "", "write_metadata:0xff,goto_table:1");
	rule(1, 5, "metadata=0xff", "write_metadata:0x5/0xf,goto_table:2");
	id = rule(2, 5, "metadata=0xf5", "CONTROLLER:10");
	run(packet());
	e = ring_peek(&w->events, &size);
	assert_non_null(e);
	assert_int_equal(be64toh(e->key.du.metadata), 0xf5);
	assert_int_equal(e->rule_id, id);
	assert_int_equal(e->table, 2);
	assert_int_equal(e->reason, OFPR_ACTION);
	ring_release(&w->events);
}

/* Pipeline fields of a packet-in are those at its output (TS-023, 7.4.1), not the path's last. */
static void packet_ins_show_the_metadata_of_their_place(void **state)
{
	static const uint64_t expected[] = {0, 0x100, 5, 0xf5};
	uint32_t size;

	(void)state;
	rule(0, 5, "", "CONTROLLER:10,write_metadata:0xff,goto_table:1");
	rule(1, 5, "metadata=0xff",
	     "set_field:0x100->metadata,CONTROLLER:11,set_field:5->metadata,CONTROLLER:12,"
	     "write_actions(CONTROLLER:13),write_metadata:0xf0/0xf0,goto_table:2");
	rule(2, 5, "metadata=0xf5", "set_field:1->reg0");
	run(packet());
	for (unsigned i = 0; i < 4; i++) {
		const struct event_packet_in *e = ring_peek(&w->events, &size);

		assert_non_null(e);
		assert_int_equal(e->max_len, 10 + i);
		assert_int_equal(be64toh(e->key.du.metadata), expected[i]);
		ring_release(&w->events);
	}
}

static void packet_ins_name_their_rule(void **state)
{
	const struct event_packet_in *e;
	uint32_t size, a, b;

	(void)state;
	a = rule(0, 0, "", "CONTROLLER:10,goto_table:1");
	b = rule(1, 5, "", "write_actions(CONTROLLER:20)");
	run(packet());
	e = ring_peek(&w->events, &size);
	assert_int_equal(e->rule_id, a);
	assert_int_equal(e->max_len, 10);
	assert_int_equal(e->reason, OFPR_NO_MATCH);
	ring_release(&w->events);
	e = ring_peek(&w->events, &size);
	assert_int_equal(e->rule_id, b);
	assert_int_equal(e->table, 1);
	assert_int_equal(e->max_len, 20);
	ring_release(&w->events);
}

static void the_guard_comes_first(void **state)
{
	uint32_t zero = rule(0, 5, "", "output:2");
	uint32_t drops = rule(TABLE_GUARD, 9, "ip,nw_src=192.0.2.1", "drop");
	uint32_t marks;

	(void)state;
	run(packet());
	assert_int_equal(DROPPED(RULE), 1);
	assert_int_equal(packets(drops), 1);
	assert_int_equal(packets(zero), 0);
	marks = rule(TABLE_GUARD, 10, "ip", "set_field:4->pkt_mark,goto_table:0");
	rule(0, 6, "pkt_mark=4", "output:3");
	run(packet());
	assert_int_equal(last_sent()->ofport, 3);
	assert_int_equal(packets(marks), 1);
	rule(TABLE_GUARD, 11, "ip", "output:2"); /* redirect */
	run(packet());
	assert_int_equal(last_sent()->ofport, 2);
	assert_int_equal(packets(zero), 0);
	run(udp_packet("2001:db8::1", "2001:db8::2")); /* not in the guard */
	assert_int_equal(packets(zero), 1);
	assert_int_equal(w->table[TABLE_GUARD].lookups, 4);
	assert_int_equal(w->table[TABLE_GUARD].matches, 3);
}

static void panic_goes_by_the_fib(void **state)
{
	(void)state;
	rule(0, 5, "", "output:2");
	w->bypass = true;
	run(packet());
	assert_int_equal(DROPPED(NO_ROUTE), 1);
	w->bypass = false;
	run(packet());
	assert_int_equal(n_sent, 1);
}

static void paths_are_bounded(void **state)
{
	char actions[6000];
	int at = 0;

	(void)state;
	for (unsigned i = 0; i < 80; i++) /* 24 octets each: 1920 a table */
		at += snprintf(actions + at, sizeof actions - (size_t)at,
			       "set_field:02:00:00:00:00:%02x->eth_dst,", i);
	snprintf(actions + at, sizeof actions - (size_t)at, "goto_table:1");
	rule(0, 5, "", actions);
	rule(1, 5, "", "output:2");
	run(packet());
	assert_int_equal(n_sent, 1);
	snprintf(actions + at, sizeof actions - (size_t)at, "goto_table:2");
	rule(1, 6, "", actions);
	snprintf(actions + at, sizeof actions - (size_t)at, "output:2");
	rule(2, 6, "", actions);
	run(packet());
	assert_int_equal(DROPPED(PATH_TOO_LONG), 1);
	for (unsigned t = 0; t <= PATH_RULES; t++) {
		snprintf(actions, sizeof actions, "goto_table:%u", t + 1);
		rule(t, 9, "", t == PATH_RULES ? "output:2" : actions);
	}
	run(packet());
	assert_int_equal(DROPPED(PATH_TOO_LONG), 2);
	rule(PATH_RULES - 1, 10, "", "output:2");
	run(packet());
	assert_int_equal(n_sent, 2);
}

/* More paths in one batch than the arena holds: all are run, in the order they came. */
static void a_batch_may_overflow_the_arena(void **state)
{
	struct batch b = {.n = 0};
	char actions[6000];
	int at = 0;

	(void)state;
	for (unsigned i = 0; i < 80; i++)
		at += snprintf(actions + at, sizeof actions - (size_t)at,
			       "set_field:02:00:00:00:00:%02x->eth_dst,", i);
	snprintf(actions + at, sizeof actions - (size_t)at, "goto_table:1");
	rule(0, 5, "", actions);
	rule(1, 5, "", "output:2");
	rule(0, 6, "udp,udp_src=999", "output:2"); /* its own path, between the others */
	for (; b.n < BATCH_MAX; b.n++) {
		b.pkt[b.n] = packet();
		b.pkt[b.n]->data[60] = (uint8_t)b.n;
		if (b.n % 5 == 4)
			put_be16(b.pkt[b.n]->data + 34, 999);
	}
	spine_rules(w, &b);
	stage_tx(w);
	assert_int_equal(n_sent, BATCH_MAX);
	for (unsigned i = 0; i < BATCH_MAX; i++)
		assert_int_equal(sent[i].octet[60], i);
}

static void a_batch_sees_its_version(void **state)
{
	uint32_t old = rule(0, 5, "", "output:2"), fresh = rule(0, 5, "", "output:3");

	(void)state;
	rules[old]->remove_version = w->version + 1;
	rules[fresh]->add_version = w->version + 1;
	run(packet());
	assert_int_equal(last_sent()->ofport, 2);
	w->version++;
	run(packet());
	assert_int_equal(last_sent()->ofport, 3);
}

static void packet_outs_go_through_the_tables(void **state)
{
	struct program *program = compile("output:3,set_field:5->ip_dscp,TABLE,output:3");
	struct pkt *p = keyed(packet());
	struct batch b = {.n = 1, .pkt = {p}};

	(void)state;
	rule(0, 5, "ip,ip_dscp=5", "set_field:6->ip_dscp,goto_table:1");
	rule(1, 5, "ip,ip_dscp=6", "output:2");
	p->program = program;
	stage_actions(w, &b);
	stage_tx(w);
	assert_int_equal(n_sent, 3);
	for (unsigned i = 0, of3 = 0; i < 3; i++) {
		unsigned dscp = sent[i].octet[15] >> 2;

		assert_int_equal(dscp, sent[i].ofport == 2 ? 6 : of3++ ? 5 : 0);
	}
	program_free(program);
}

/* ---- Early ---------------------------------------------------------------------------- */

static struct pkt *aggregate(uint32_t spi)
{
	struct pkt *p = packet();

	p->outer->conn = 2; /* stands for a connection: port 3 */
	p->outer->gen = ports[2].gen;
	p->outer->key.has = htobe32(HAS_CONN | HAS_ESP);
	p->outer->key.esp_spi = htobe32(spi);
	p->outer->key.tunnel_id = htobe64(spi);
	return p;
}

static unsigned early(struct pkt *p)
{
	struct batch b = {.n = 1, .pkt = {p}};

	stage_early(w, &b);
	if (b.n)
		pkt_free(w, p), counter_add(&w->n.consumed[0], 1);
	return b.n;
}

static void early_drops_are_counted_once(void **state)
{
	uint32_t id = rule(0, 5, "in_port=3,esp_spi=0x77", "drop");
	struct match m;
	struct pkt *p;

	(void)state;
	parse_match(&m, "in_port=3,esp_spi=0x77");
	assert_true(rules[id]->program->flags & PROGRAM_DROPS);
	assert_int_equal(early(aggregate(0x77)), 1); /* not published yet */
	early_insert(dp.early, &m, rules[id], true);
	assert_int_equal(early(aggregate(0x78)), 1);
	assert_int_equal(early(aggregate(0x77)), 0);
	assert_int_equal(DROPPED(EARLY), 1);
	assert_int_equal(packets(id), 1);
	assert_int_equal(w->rule[id].bytes, 62);
	assert_int_equal(w->rule[id].used_ns, w->now);
	assert_int_equal(w->port[2].n_early, 1);
	assert_int_equal(w->port[2].early_bytes, 62);
	assert_int_equal(w->table[0].lookups, 1);
	assert_int_equal(w->table[0].matches, 1);
	p = aggregate(0x77); /* its connection was deleted meanwhile */
	p->outer->gen++;
	assert_int_equal(early(p), 1);
	p = aggregate(0x77);
	p->outer->early_done = true;
	assert_int_equal(early(p), 1);
	p = aggregate(0x77);
	p->outer->conn = CONN_NONE;
	assert_int_equal(early(p), 1);
	w->bypass = true;
	assert_int_equal(early(aggregate(0x77)), 1);
	early_remove(dp.early, &m, rules[id], 1);
}

/* ---- The twin ------------------------------------------------------------------------- */

enum { TABLES = 4, PER_TABLE = 3, OPS = 4 };

/* An op of the twin: output to port 2 or 3, or DSCP set to 0…3. */
struct twin_op {
	bool output;
	unsigned arg;
};

static struct twin_rule {
	unsigned dscp, n_apply, n_write, goto_table;
	bool any, clear;
	struct twin_op apply[OPS], write[OPS];
} twin[TABLES][PER_TABLE];

static uint64_t seed = 5;

static unsigned rnd(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

static unsigned random_ops(struct twin_op *ops)
{
	unsigned n = rnd(OPS + 1);

	for (unsigned i = 0; i < n; i++) {
		ops[i].output = rnd(2);
		ops[i].arg = ops[i].output ? 2 + rnd(2) : rnd(4);
	}
	return n;
}

static void ops_text(struct buf *text, const struct twin_op *ops, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		buf_printf(text, ops[i].output ? "output:%u," : "set_field:%u->ip_dscp,",
			   ops[i].arg);
}

static void make_twin_rule(unsigned table, unsigned n)
{
	struct twin_rule *t = &twin[table][n];
	struct buf text = {0};
	char match[40];

	*t = (struct twin_rule){.any = n == 0 && rnd(4), .clear = !rnd(4), .dscp = rnd(4)};
	t->n_apply = random_ops(t->apply);
	t->n_write = random_ops(t->write);
	t->goto_table = table + 1 + rnd(2);
	if (t->goto_table >= TABLES)
		t->goto_table = 0;
	snprintf(match, sizeof match, t->any ? "ip" : "ip,ip_dscp=%u", t->dscp);
	ops_text(&text, t->apply, t->n_apply);
	if (t->clear)
		buf_printf(&text, "clear_actions,");
	if (t->n_write) {
		buf_printf(&text, "write_actions(");
		ops_text(&text, t->write, t->n_write);
		text.size--;
		buf_printf(&text, "),");
	}
	if (t->goto_table)
		buf_printf(&text, "goto_table:%u,", t->goto_table);
	if (text.size)
		text.size--;
	else
		buf_printf(&text, "drop");
	rule(table, (int32_t)n, match, buf_text(&text));
	buf_free(&text);
}

/* What should leave: by port the DSCPs in order. */
struct seen {
	unsigned n[2];
	uint8_t dscp[2][64];
};

static void twin_output(struct seen *s, unsigned port, unsigned dscp)
{
	s->dscp[port - 2][s->n[port - 2]++] = (uint8_t)dscp;
}

static bool twin_run(struct seen *s, unsigned dscp)
{
	unsigned table = 0, set_port = 0, set_dscp = 99;
	bool on = true;

	while (on) {
		const struct twin_rule *t = NULL;

		for (unsigned n = PER_TABLE; n-- > 0 && !t;)
			if (twin[table][n].any || twin[table][n].dscp == dscp)
				t = &twin[table][n];
		if (!t)
			return false;
		for (unsigned i = 0; i < t->n_apply; i++)
			if (t->apply[i].output)
				twin_output(s, t->apply[i].arg, dscp);
			else
				dscp = t->apply[i].arg;
		if (t->clear) {
			set_port = 0;
			set_dscp = 99;
		}
		for (unsigned i = 0; i < t->n_write; i++)
			*(t->write[i].output ? &set_port : &set_dscp) = t->write[i].arg;
		table = t->goto_table;
		on = table;
	}
	if (set_dscp != 99)
		dscp = set_dscp;
	if (set_port)
		twin_output(s, set_port, dscp);
	return true;
}

static void twin_round(void)
{
	for (unsigned dscp = 0; dscp < 4; dscp++) {
		struct seen want = {0}, got = {0};
		struct pkt *p = packet();
		uint8_t *ip = p->data + 14;
		be16 sum;

		ip[1] = (uint8_t)(dscp << 2);
		memset(ip + 10, 0, 2);
		sum = csum(ip, 20);
		memcpy(ip + 10, &sum, 2);
		if (!twin_run(&want, dscp))
			want = (struct seen){0};
		n_sent = 0;
		run(p);
		for (unsigned i = 0; i < n_sent; i++) {
			assert_int_equal(csum(sent[i].octet + 14, 20), 0);
			twin_output(&got, sent[i].ofport, sent[i].octet[15] >> 2);
		}
		assert_memory_equal(&got, &want, sizeof got);
	}
}

static void paths_equal_a_twin(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		for (unsigned t = 0; t < TABLES; t++)
			for (unsigned n = 0; n < PER_TABLE; n++)
				make_twin_rule(t, n);
		twin_round();
		for (unsigned t = 0; t < TABLES; t++) {
			table_destroy(dp.table[t]);
			dp.table[t] = NULL;
		}
		n_rules = 0;
		if (!(round % 256))
			rcu_barrier();
	}
}

#define UNIT(F) cmocka_unit_test_setup_teardown(F, up, route_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		UNIT(a_rule_alone_is_its_own_path),
		UNIT(misses_and_drops_have_reasons),
		UNIT(later_tables_see_what_was_set),
		UNIT(outputs_send_what_the_packet_was_then),
		UNIT(the_action_set_runs_last_and_in_order),
		UNIT(metadata_is_written_under_its_mask),
		UNIT(packet_ins_show_the_metadata_of_their_place),
		UNIT(packet_ins_name_their_rule),
		UNIT(the_guard_comes_first),
		UNIT(panic_goes_by_the_fib),
		UNIT(paths_are_bounded),
		UNIT(a_batch_may_overflow_the_arena),
		UNIT(a_batch_sees_its_version),
		UNIT(packet_outs_go_through_the_tables),
		UNIT(early_drops_are_counted_once),
		UNIT(paths_equal_a_twin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
