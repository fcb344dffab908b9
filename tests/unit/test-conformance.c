/* SPDX-License-Identifier: Apache-2.0 */
/* Actions, byte for byte (TS-023, 5.10 to 5.12 and 7.2.5): a case is a frame, a match, actions and
 * the frame that must come out.
 *
 * Each is tried in every way that it can be said: as an apply list, over the wire and back; with a
 * table behind, whose match is all of the key that the expected frame has; one action also in the
 * action set and in a group's bucket. */
#include "tests/unit/frame-text.h"
#include "tests/unit/switch.h"

#include "datapath/parse.h"
#include "ofproto/groups.h"

struct conformance {
	const char *in, *match, *actions;
	const char *out; /* NULL: none */
};

static const struct conformance cases[] = {
#include "tests/unit/conformance-set.def"
#include "tests/unit/conformance-push.def"
#include "tests/unit/conformance-ttl.def"
};

static struct ofproto *o;
static struct port *port[4];

static void say(const char *what, const uint8_t *octets, size_t size)
{
	fprintf(stderr, "%8s", what);
	for (size_t i = 0; i < size; i++)
		fprintf(stderr, "%s%02x", i % 2 ? "" : " ", octets[i]);
	fprintf(stderr, "\n");
}

/* What comes out of port 2 is this, and nothing comes out of port 3. */
static void expect(const struct conformance *c, const char *way)
{
	struct frame_octets in = frame_of(c->in), out = {.size = 0};
	const struct dummy_frame *f;

	if (c->out)
		out = frame_of(c->out);
	assert_int_equal(dummy_inject(port[1], in.at, in.size), 0);
	while (worker_turn(ofproto_datapath(o)->worker[0]))
		;
	f = dummy_take(port[2]);
	if ((f != NULL) != (c->out != NULL) || (f && f->size != out.size) ||
	    (f && memcmp(f->octet, out.at, out.size))) {
		say("in", in.at, in.size);
		say("out", f ? f->octet : NULL, f ? f->size : 0);
		say("expected", out.at, out.size);
		fail_msg("%s: %s, actions=%s (%s)", c->in, c->match, c->actions, way);
	}
	if (f)
		dummy_release(port[2]);
	if (switch_taken(port[3]))
		fail_msg("%s: %s, actions=%s: the key behind it is another (%s)", c->in, c->match,
			 c->actions, way);
	ofproto_run(o);
}

/* The rule as a controller would send it, and as it would be read back. */
static void over_the_wire(struct flow_mod *fm)
{
	struct buf match = {0}, actions = {0};
	struct reader r;
	struct refusal why = {0};

	assert_true(match_put_oxm(&fm->match, &match, true));
	instructions_put(&fm->instructions, &actions);
	instructions_free(&fm->instructions);
	r = reader_of(match.data, match.size);
	if (match_get_oxm(&fm->match, &r, &why))
		fail_msg("%s", why.text);
	r = reader_of(actions.data, actions.size);
	if (instructions_get(&r, &fm->instructions, &why))
		fail_msg("%s", why.text);
	buf_free(&match);
	buf_free(&actions);
}

static void add(const char *text, const struct match *match)
{
	struct refusal r = {0};
	struct flow_mod fm;

	if (flow_parse(text, OFPFC_ADD, &fm, &r))
		fail_msg("%s: %s", text, r.text);
	if (match)
		fm.match = *match;
	over_the_wire(&fm);
	if (ofproto_flow_mod(o, &fm, NULL, &r))
		fail_msg("%s: %s", text, r.text);
	flow_mod_free(&fm);
	ofproto_run(o);
}

static void clear(void)
{
	switch_flow(o, OFPFC_DELETE, "");
	ofproto_run(o);
}

/* All that a frame's headers say, and what the actions leave alone. */
static struct match match_of(const struct frame_octets *f)
{
	struct headers h = {.data = f->at, .size = (uint32_t)f->size, .whole = (uint32_t)f->size};
	struct outer_key none = {0};
	struct match m = {0};
	struct key key = {0};
	struct prereq_facts facts;

	headers_parse(&h, HEADERS_ETHERNET, &key.du);
	facts = prereq_facts_of(&key.du, &none);
	key.du.in_port = htobe32(1);
	key.du.reg[7] = htobe32(9);
	key.du.metadata = htobe64(0x99);
	for (unsigned i = 0; i < N_FIELDS; i++) {
		bool said =
			i != FIELD_IN_PHY_PORT && i != FIELD_TUNNEL_ID && i <= FIELD_IPV6_EXTHDR;

		if ((said || i == FIELD_NW_TTL || i == FIELD_REG7) &&
		    field_is_there(&fields[i], &facts))
			assert_int_equal(
				match_set(&m, &fields[i], field_in(&key, &fields[i]), NULL, NULL),
				0);
	}
	assert_int_equal(match_finish(&m, NULL), 0);
	return m;
}

static const char *flow(const char *match, const char *form, const char *actions)
{
	static char text[600];
	int n = snprintf(text, sizeof text, "%s%sactions=", match, *match ? "," : "");

	snprintf(text + n, sizeof text - (size_t)n, form, actions);
	return text;
}

static void in_an_apply_list(const struct conformance *c)
{
	add(flow(c->match, "%s,output:2", c->actions), NULL);
	expect(c, "apply");
	/* Once more, of what the cache holds. */
	expect(c, "apply again");
	clear();
}

static void with_a_table_behind(const struct conformance *c)
{
	struct frame_octets out;
	struct match key;

	add(flow(c->match, "set_field:9->reg7,%s,write_metadata:0x99,goto_table:1", c->actions),
	    NULL);
	add("table=1,priority=0,actions=output:3", NULL);
	if (c->out) {
		out = frame_of(c->out);
		key = match_of(&out);
		add("table=1,actions=output:2", &key);
	}
	expect(c, "goto");
	expect(c, "goto again");
	clear();
}

static void in_an_action_set(const struct conformance *c)
{
	add(flow(c->match, "write_actions(%s,output:2)", c->actions), NULL);
	expect(c, "action set");
	clear();
}

static void without_output(const struct conformance *c)
{
	char match[100];

	snprintf(match, sizeof match, "in_port=1,%s", c->match); /* a wide drop it is not */
	add(flow(match, "%s", c->actions), NULL);
	expect(c, "no output");
	clear();
}

static void group(uint16_t command, const char *text)
{
	struct refusal r = {0};
	struct group_mod gm;

	if (group_parse(text, command, &gm, &r) || ofproto_group_mod(o, &gm, NULL, &r))
		fail_msg("%s: %s", text, r.text);
	group_mod_free(&gm);
	ofproto_run(o);
}

static void in_a_bucket(const struct conformance *c)
{
	char text[300];

	snprintf(text, sizeof text, "group_id=1,type=indirect,bucket=%s,output:2", c->actions);
	group(OFPGC_ADD, text);
	add(flow(c->match, "%s", "group:1"), NULL);
	expect(c, "bucket");
	clear();
	group(OFPGC_DELETE, "group_id=1");
}

static void every_case(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct conformance *c = &cases[i];

		in_an_apply_list(c);
		with_a_table_behind(c);
		if (strchr(c->actions, ','))
			continue;
		in_an_action_set(c);
		in_a_bucket(c);
	}
}

/* ---- Paths --------------------------------------------------------------------------------- */

static const struct path {
	const char *in, *rules, *out[2];
} paths[] = {
#define PATH(IN, RULES, TWO, THREE) {IN, RULES, {TWO, THREE}},
#include "tests/unit/conformance-path.def"
#undef PATH
};

static void comes_out(const struct path *c, unsigned n)
{
	const struct dummy_frame *f = dummy_take(port[2 + n]);
	struct frame_octets out = {.size = 0};

	if (c->out[n])
		out = frame_of(c->out[n]);
	if ((f ? f->size : 0) != out.size || (f && memcmp(f->octet, out.at, out.size))) {
		say("out", f ? f->octet : NULL, f ? f->size : 0);
		say("expected", out.at, out.size);
		fail_msg("%s: port %u: %s", c->in, 2 + n, c->rules);
	}
	if (f)
		dummy_release(port[2 + n]);
	assert_int_equal(switch_taken(port[2 + n]), 0);
}

static void every_path(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(paths); i++) {
		struct frame_octets in = frame_of(paths[i].in);
		char rules[512], *save = NULL;

		snprintf(rules, sizeof rules, "%s", paths[i].rules);
		for (char *rule = strtok_r(rules, ";", &save); rule;
		     rule = strtok_r(NULL, ";", &save))
			add(rule, NULL);
		/* Once more, of what the cache holds. */
		for (unsigned n = 0; n < 2; n++) {
			assert_int_equal(dummy_inject(port[1], in.at, in.size), 0);
			while (worker_turn(ofproto_datapath(o)->worker[0]))
				;
			comes_out(&paths[i], 0);
			comes_out(&paths[i], 1);
		}
		clear();
	}
}

/* ---- Packet-ins ----------------------------------------------------------------------------- */

/* What controllers are told of. */
static struct told {
	struct listener listener;
	unsigned n;
	uint8_t reason;
	struct frame_octets frame;
} told;

static void told_of(struct listener *l, const struct event_packet_in *pi, const struct flow *f)
{
	(void)l;
	assert_non_null(f);
	assert_int_equal(be32toh(pi->key.du.in_port), 1);
	told.n++;
	told.reason = pi->reason;
	told.frame.size = pi->held;
	memcpy(told.frame.at, pi->octet, MIN(pi->held, sizeof told.frame.at));
}

/* A TTL that cannot be counted down goes to who asks for it, as it came (TS-023, 5.12, 7.4.1). */
static void invalid_ttls_are_told(void **state)
{
	static const struct conformance ttls[] = {
		{"eth ip4:ttl=1 tcp", "ip", "dec_ttl", NULL},
		{"eth ip6:hop=0 udp", "ipv6", "dec_ttl", NULL},
		{"eth vlan mpls:ttl=1 ip4 tcp", "mpls", "dec_mpls_ttl", NULL},
	};

	(void)state;
	told.listener.packet_in = told_of;
	ofproto_listen(o, &told.listener);
	for (unsigned i = 0; i < 4 * ARRAY_SIZE(ttls); i++) {
		struct frame_octets in = frame_of(ttls[i / 4].in);

		told.n = 0;
		ofproto_tell_invalid_ttl(o, i % 2);
		(i & 2 ? without_output : in_an_action_set)(&ttls[i / 4]);
		assert_int_equal(told.n, i % 2);
		if (!told.n)
			continue;
		assert_int_equal(told.reason, OFPR_INVALID_TTL);
		assert_int_equal(told.frame.size, in.size);
		assert_memory_equal(told.frame.at, in.at, in.size);
	}
	ofproto_unlisten(o, &told.listener);
	ofproto_tell_invalid_ttl(o, false);
}

static int up(void **state)
{
	(void)state;
	o = switch_up(NULL);
	port[1] = switch_port(o, "p1 type=dummy ofport=1");
	port[2] = switch_port(o, "p2 type=dummy ofport=2");
	port[3] = switch_port(o, "p3 type=dummy ofport=3");
	return 0;
}

static int down(void **state)
{
	(void)state;
	ofproto_destroy(o);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case),
		cmocka_unit_test(every_path),
		cmocka_unit_test(invalid_ttls_are_told),
	};

	return cmocka_run_group_tests(tests, up, down);
}
