/* SPDX-License-Identifier: Apache-2.0 */
/* Match fields: frames that they take and that they do not; and what the standard's table of fields
 * says of each (TS-023, table 12): number, length, mask, prerequisites, with the error for whatever
 * is said against it. */
#include "tests/unit/frame-text.h"
#include "tests/unit/switch.h"

static struct ofproto *o;
static struct port *port[4];

/* ---- Frames -------------------------------------------------------------------------------- */

static const struct {
	const char *match, *taken, *other;
} cases[] = {
#include "tests/unit/conformance-match.def"
};

/* As a controller sends it: the same match, and the same octets again. */
static void over_the_wire(struct match *m, const char *text)
{
	struct buf wire = {0}, again = {0};
	struct refusal why = {0};
	struct match back;
	struct reader r;

	if (!match_put_oxm(m, &wire, true))
		fail_msg("%s cannot be said", text);
	r = reader_of(wire.data, wire.size);
	if (match_get_oxm(&back, &r, &why))
		fail_msg("%s: %s", text, why.text);
	if (!match_equal(m, &back) || !match_put_oxm(&back, &again, true) ||
	    again.size != wire.size || memcmp(again.data, wire.data, wire.size))
		fail_msg("%s is another when it is read back", text);
	*m = back;
	buf_free(&wire);
	buf_free(&again);
}

static bool takes(const char *text)
{
	struct frame_octets f = frame_of(text);
	bool taken, missed;

	assert_int_equal(dummy_inject(port[1], f.at, f.size), 0);
	while (worker_turn(ofproto_datapath(o)->worker[0]))
		;
	taken = switch_taken(port[2]);
	missed = switch_taken(port[3]);
	if (taken == missed)
		fail_msg("%s: lost, or doubled", text);
	return taken;
}

static void frames_are_told_apart(void **state)
{
	(void)state;
	switch_flow(o, OFPFC_ADD, "priority=1,actions=output:3");
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct refusal r = {0};
		struct flow_mod fm;
		char text[200];

		snprintf(text, sizeof text, "priority=2,%s,actions=output:2", cases[i].match);
		if (flow_parse(text, OFPFC_ADD, &fm, &r))
			fail_msg("%s: %s", text, r.text);
		over_the_wire(&fm.match, text);
		if (ofproto_flow_mod(o, &fm, NULL, &r))
			fail_msg("%s: %s", text, r.text);
		ofproto_run(o);
		if (cases[i].taken && !takes(cases[i].taken))
			fail_msg("%s does not take %s", cases[i].match, cases[i].taken);
		if (cases[i].other && takes(cases[i].other))
			fail_msg("%s takes %s", cases[i].match, cases[i].other);
		fm.command = OFPFC_DELETE_STRICT;
		assert_int_equal(ofproto_flow_mod(o, &fm, NULL, &r), 0);
		flow_mod_free(&fm);
		ofproto_run(o);
	}
}

/* ---- The standard's table of fields -----------------------------------------------------------
 */

#define TYPE(T)  "80000a02" T
#define PROTO(P) "80001401" P
#define IP4      TYPE("0800")
#define IP6      TYPE("86dd")
#define ND(T)    IP6 PROTO("3a") "80003a01" T

static const struct {
	uint8_t number, octets;
	uint16_t bits;
	bool maskable;
	const char *needs; /* OXM, in front of it */
	const char *other; /* … that will not do; NULL: nothing could be missing */
	uint64_t value;    /* 0: one */
} table[] = {
	{0, 4, 32, false, "", NULL, 0},
	{1, 4, 32, false, "8000000400000001", "", 0},
	{2, 8, 64, true, "", NULL, 0},
	{3, 6, 48, true, "", NULL, 0},
	{4, 6, 48, true, "", NULL, 0},
	{5, 2, 16, false, "", NULL, 0},
	{6, 2, 13, true, "", NULL, 0x1001},
	{7, 1, 3, false, "80000c021005", "80000c020000", 0},
	{8, 1, 6, false, IP4, TYPE("0806"), 0},
	{9, 1, 2, false, IP6, "", 0},
	{10, 1, 8, false, IP4, TYPE("8847"), 0},
	{11, 4, 32, true, IP4, IP6, 0},
	{12, 4, 32, true, IP4, TYPE("0806"), 0},
	{13, 2, 16, false, IP4 PROTO("06"), IP4 PROTO("11"), 0},
	{14, 2, 16, false, IP6 PROTO("06"), IP6, 0},
	{15, 2, 16, false, IP4 PROTO("11"), IP4 PROTO("06"), 0},
	{16, 2, 16, false, IP6 PROTO("11"), IP6, 0},
	{17, 2, 16, false, IP4 PROTO("84"), IP4 PROTO("11"), 0},
	{18, 2, 16, false, IP6 PROTO("84"), IP6, 0},
	{19, 1, 8, false, IP4 PROTO("01"), IP4 PROTO("3a"), 0},
	{20, 1, 8, false, IP4 PROTO("01"), IP6 PROTO("01"), 0},
	{21, 2, 16, false, TYPE("0806"), IP4, 0},
	{22, 4, 32, true, TYPE("0806"), IP4, 0},
	{23, 4, 32, true, TYPE("0806"), "", 0},
	{24, 6, 48, true, TYPE("0806"), IP6, 0},
	{25, 6, 48, true, TYPE("0806"), IP4, 0},
	{26, 16, 128, true, IP6, IP4, 0},
	{27, 16, 128, true, IP6, "", 0},
	{28, 4, 20, true, IP6, IP4, 0},
	{29, 1, 8, false, IP6 PROTO("3a"), IP4 PROTO("3a"), 0},
	{30, 1, 8, false, IP6 PROTO("3a"), IP6 PROTO("01"), 0},
	{31, 16, 128, true, ND("87"), IP6 PROTO("3a"), 0},
	{32, 6, 48, true, ND("87"), ND("88"), 0},
	{33, 6, 48, true, ND("88"), ND("87"), 0},
	{34, 4, 20, false, TYPE("8847"), IP4, 0},
	{35, 1, 3, false, TYPE("8848"), TYPE("88e7"), 0},
	{36, 1, 1, false, TYPE("8847"), "", 0},
	{37, 3, 24, true, TYPE("88e7"), TYPE("8847"), 0},
	{38, 8, 64, true, "", NULL, 0},
	{39, 2, 9, true, IP6, IP4, 0},
};

struct wire {
	uint8_t at[256];
	size_t size;
};

static void put(struct wire *w, const char *hex)
{
	for (; *hex; hex += 2)
		w->at[w->size++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
}

static void put_number(struct wire *w, uint64_t value, unsigned octets)
{
	while (octets--)
		w->at[w->size++] = octets < 8 ? (uint8_t)(value >> 8 * octets) : 0;
}

/* One field as it is, or with what is wrong with it. */
struct said {
	const char *needs;
	unsigned octets; /* of the value */
	bool mask;
	uint64_t value, mask_value;
	unsigned times;
};

static void put_field(struct wire *w, unsigned number, const struct said *f)
{
	put_number(w, 0x8000, 2);
	put_number(w, number << 1 | f->mask, 1);
	put_number(w, f->octets << f->mask, 1);
	put_number(w, f->value, f->octets);
	if (f->mask)
		put_number(w, f->mask_value, f->octets);
}

/* The error's type and code that a match with this ends with, or -1. */
static int error_of(unsigned number, const struct said *f)
{
	struct wire w = {.size = 4};
	struct refusal r = {0};
	struct reader wire;
	uint16_t type, code;
	struct match m;
	size_t size;
	int error;

	put(&w, f->needs);
	for (unsigned i = 0; i < f->times; i++)
		put_field(&w, number, f);
	size = w.size;
	put_be16(w.at, OFPMT_OXM);
	put_be16(w.at + 2, (uint16_t)size);
	wire = reader_of(w.at, ROUND_UP(size, 8u));
	error = match_get_oxm(&m, &wire, &r);
	assert_int_equal(!error, r.code == REFUSED_NOTHING);
	if (!error)
		return -1;
	refusal_openflow(r.code, &type, &code);
	return type << 16 | code;
}

static void check(unsigned row, const char *what, const struct said *f, int want)
{
	int got = error_of(table[row].number, f);

	if (want >= 0)
		want |= OFPET_BAD_MATCH << 16;
	if (got != want)
		fail_msg("field %u, %s: error 0x%x, not 0x%x", table[row].number, what, got, want);
}

static void fields_are_the_standards(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_SIZE(table), 40);
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t value = table[i].value ? table[i].value : 1;
		const struct said right = {table[i].needs, table[i].octets, false, value, 0, 1};
		struct said f = right;

		check(i, "as it is", &f, -1);
		f.times = 2;
		check(i, "given twice", &f, OFPBMC_DUP_FIELD);
		f = right;
		f.octets++;
		check(i, "too long", &f, OFPBMC_BAD_LEN);
		f.octets -= 2;
		check(i, "too short", &f, OFPBMC_BAD_LEN);
		f = right;
		f.mask = true;
		f.mask_value = value;
		check(i, "with a mask", &f,
		      table[i].maskable || table[i].bits == 1 ? -1 : OFPBMC_BAD_MASK);
		f.mask_value = 0;
		check(i, "outside its mask", &f,
		      table[i].maskable ? OFPBMC_BAD_WILDCARDS : OFPBMC_BAD_MASK);
		f = right;
		f.value |= 1ull << table[i].bits % 64;
		if (table[i].bits < table[i].octets * 8)
			check(i, "with too many bits", &f, OFPBMC_BAD_VALUE);
		f = right;
		f.needs = table[i].other;
		if (f.needs)
			check(i, "without what it needs", &f, OFPBMC_BAD_PREREQ);
	}
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
		cmocka_unit_test(frames_are_told_apart),
		cmocka_unit_test(fields_are_the_standards),
	};

	return cmocka_run_group_tests(tests, up, down);
}
