/* SPDX-License-Identifier: Apache-2.0 */
/* The control side of groups: what is accepted and what is refused with which code, staging, undo
 * after a failed commit, restart, rules that name groups, limits. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "datapath/group.h"
#include "ofproto/groups.h"
#include "store-dir.h"

static struct refusal why;

static int try_group(struct ofproto *o, uint16_t command, const char *text)
{
	struct group_mod gm;
	int error;

	why = (struct refusal){0};
	error = group_parse(text, command, &gm, &why);
	if (error)
		return error;
	error = ofproto_group_mod(o, &gm, NULL, &why);
	group_mod_free(&gm);
	return error;
}

static void group(struct ofproto *o, uint16_t command, const char *text)
{
	if (try_group(o, command, text))
		fail_msg("%s: %s", text, why.text);
}

#define REFUSED(COMMAND, TEXT, CODE)                                                    \
	do {                                                                            \
		assert_int_not_equal(try_group(o, COMMAND, TEXT), 0);                   \
		if (why.code != REFUSED_##CODE)                                         \
			fail_msg("%s: %s: %s", TEXT, refusal_name(why.code), why.text); \
		assert_true(why.text[0]);                                               \
	} while (0)

struct dump {
	struct group_visit visit;
	struct buf text;
};

static int dump_one(struct group_visit *v, const struct group_spec *spec,
		    const struct group_stats *s)
{
	struct buf *text = &container_of(v, struct dump, visit)->text;

	group_format(spec, text);
	buf_printf(text, " refs=%u\n", s->refs);
	return 0;
}

static const char *dump(struct ofproto *o)
{
	static char text[8192];
	struct dump d = {.visit = {dump_one}};

	ofproto_groups(o, OFPG_ALL, &d.visit);
	snprintf(text, sizeof text, "%s", buf_text(&d.text));
	buf_free(&d.text);
	return text;
}

#define assert_groups(text) assert_string_equal(dump(o), text)
#define assert_flows(text)  assert_string_equal(switch_dump(o, NULL, false), text)
#define BEGIN               "table=0,priority=0 actions=NORMAL\n"

static void test_text(void **state)
{
	struct ofproto *o = switch_up(NULL);

	(void)state;
	group(o, OFPGC_ADD, "group_id=1,type=all,bucket=output:1,bucket=actions=drop");
	group(o, OFPGC_ADD,
	      "type=select group_id=0x10 bucket=weight:2,watch_port:3,actions=output:1,"
	      "set_field:1->reg0 bucket=output:2");
	group(o, OFPGC_ADD,
	      "group_id=2,type=ff,bucket=bucket_id:0,watch_group:1,"
	      "actions=set_field:1->reg0,group:1,bucket=watch_port=LOCAL,"
	      "actions=LOCAL");
	group(o, OFPGC_ADD, "group_id=0,type=indirect,bucket=actions=CONTROLLER:128");
	assert_groups("group_id=0,type=indirect,bucket=actions=CONTROLLER:128 refs=0\n"
		      "group_id=1,type=all,bucket=actions=output:1,bucket=actions=drop refs=1\n"
		      "group_id=2,type=ff,bucket=watch_group:1,actions=set_field:0x1->reg0,group:1,"
		      "bucket=watch_port:LOCAL,actions=LOCAL refs=0\n"
		      "group_id=16,type=select,bucket=weight:2,watch_port:3,actions=output:1,"
		      "set_field:0x1->reg0,bucket=actions=output:2 refs=0\n");
	REFUSED(OFPGC_ADD, "type=all,bucket=output:1", SYNTAX);
	REFUSED(OFPGC_ADD, "group_id=3,bucket=output:1", SYNTAX);
	REFUSED(OFPGC_ADD, "group_id=3,group_id=4,type=all", SYNTAX);
	REFUSED(OFPGC_ADD, "group_id=3,typ=all", UNKNOWN_WORD);
	REFUSED(OFPGC_ADD, "group_id=3,type=any", GROUP_TYPE);
	REFUSED(OFPGC_ADD, "group_id=all,type=all", BAD_VALUE);
	REFUSED(OFPGC_ADD, "group_id=3,type=all,bucket=weight:65536", BAD_VALUE);
	REFUSED(OFPGC_ADD, "group_id=3,type=ff,bucket=watch_port:p9", BAD_WATCH);
	REFUSED(OFPGC_ADD, "group_id=3,type=all,bucket=outptu:1", UNKNOWN_WORD);
	REFUSED(OFPGC_ADD, "group_id=3,type=all,bucket=set_field:(1->reg0", SYNTAX);
	REFUSED(OFPGC_DELETE, "group_id=3,type=all", SYNTAX);
	REFUSED(OFPGC_DELETE, "bucket=output:1", SYNTAX);
	ofproto_destroy(o);
}

/* Each row that can arise (TS-023, 7.4.4.9). */
static void test_codes(void **state)
{
	struct ofproto *o = switch_up(NULL);
	struct group_mod gm = {.command = 3};
	struct buf text = {0};

	(void)state;
	group(o, OFPGC_ADD, "group_id=1,type=all,bucket=output:1");
	REFUSED(OFPGC_ADD, "group_id=1,type=all", GROUP_EXISTS);
	REFUSED(OFPGC_MODIFY, "group_id=2,type=all", UNKNOWN_GROUP);
	REFUSED(OFPGC_ADD, "group_id=2,type=indirect", INVALID_GROUP);
	REFUSED(OFPGC_ADD, "group_id=2,type=indirect,bucket=output:1,bucket=output:2",
		INVALID_GROUP);
	REFUSED(OFPGC_ADD, "group_id=2,type=all,bucket=weight:1,output:1", INVALID_GROUP);
	REFUSED(OFPGC_ADD, "group_id=2,type=all,bucket=watch_port:1,output:1", WATCH_UNSUPPORTED);
	REFUSED(OFPGC_ADD, "group_id=2,type=indirect,bucket=watch_group:1", WATCH_UNSUPPORTED);
	REFUSED(OFPGC_ADD, "group_id=2,type=ff,bucket=output:1", BAD_WATCH);
	REFUSED(OFPGC_ADD, "group_id=2,type=ff,bucket=watch_port:4096,output:1", BAD_WATCH);
	REFUSED(OFPGC_ADD, "group_id=2,type=ff,bucket=watch_port:NORMAL,output:1", BAD_WATCH);
	REFUSED(OFPGC_ADD, "group_id=2,type=select,bucket=watch_group:3,output:1", BAD_WATCH);
	REFUSED(OFPGC_ADD, "group_id=2,type=all,bucket=output:4096", BAD_OUT_PORT);
	REFUSED(OFPGC_ADD, "group_id=2,type=all,bucket=TABLE", BAD_OUT_PORT);
	REFUSED(OFPGC_ADD, "group_id=2,type=all,bucket=group:3", BAD_OUT_GROUP);
	REFUSED(OFPGC_ADD, "group_id=2,type=all,bucket=limit:1mbps,output:1", BAD_ACTION);
	REFUSED(OFPGC_ADD, "group_id=2,type=all,bucket=group:2", GROUP_LOOP);
	REFUSED(OFPGC_ADD, "group_id=2,type=ff,bucket=watch_group:2,output:1", GROUP_LOOP);
	buf_printf(&text, "group_id=2,type=select,bucket=weight:1");
	for (unsigned i = 0; i < 10; i++)
		buf_printf(&text, ",bucket=weight:65535,set_field:%u->reg0", i);
	REFUSED(OFPGC_ADD, buf_text(&text), WEIGHT_UNSUPPORTED);
	buf_free(&text);
	buf_printf(&text, "group_id=2,type=all");
	for (unsigned i = 0; i <= GROUP_ALL_BUCKETS; i++)
		buf_printf(&text, ",bucket=output:1");
	REFUSED(OFPGC_ADD, buf_text(&text), OUT_OF_BUCKETS);
	buf_free(&text);
	buf_printf(&text, "group_id=2,type=select");
	for (unsigned i = 0; i <= GROUP_SELECT_BUCKETS; i++)
		buf_printf(&text, ",bucket=output:1");
	REFUSED(OFPGC_ADD, buf_text(&text), OUT_OF_BUCKETS);
	buf_free(&text);
	assert_int_not_equal(ofproto_group_mod(o, &gm, NULL, &why), 0);
	assert_int_equal(why.code, REFUSED_GROUP_COMMAND);
	gm = (struct group_mod){.spec = {.id = 2, .type = 4}};
	assert_int_not_equal(ofproto_group_mod(o, &gm, NULL, &why), 0);
	assert_int_equal(why.code, REFUSED_GROUP_TYPE);
	gm = (struct group_mod){.spec = {.id = OFPG_MAX + 1}};
	assert_int_not_equal(ofproto_group_mod(o, &gm, NULL, &why), 0);
	assert_int_equal(why.code, REFUSED_INVALID_GROUP);
	gm = (struct group_mod){.command = OFPGC_DELETE, .spec = {.id = OFPG_ANY}};
	assert_int_not_equal(ofproto_group_mod(o, &gm, NULL, &why), 0);
	assert_int_equal(why.code, REFUSED_INVALID_GROUP);
	assert_groups("group_id=1,type=all,bucket=actions=output:1 refs=0\n"); /* as it was */
	ofproto_destroy(o);
}

static void test_chains(void **state)
{
	struct ofproto *o = switch_up(NULL);
	char text[96];

	(void)state;
	group(o, OFPGC_ADD, "group_id=1,type=all,bucket=output:1");
	group(o, OFPGC_ADD, "group_id=2,type=all,bucket=group:1,bucket=group:1");
	group(o, OFPGC_ADD, "group_id=3,type=ff,bucket=watch_group:2,group:1");
	REFUSED(OFPGC_MODIFY, "group_id=1,type=all,bucket=group:3", GROUP_LOOP);
	REFUSED(OFPGC_MODIFY, "group_id=1,type=all,bucket=output:1,bucket=group:2", GROUP_LOOP);
	REFUSED(OFPGC_MODIFY, "group_id=2,type=select,bucket=watch_group:3,output:1", GROUP_LOOP);
	REFUSED(OFPGC_DELETE, "group_id=1", CHAINED_GROUP);
	REFUSED(OFPGC_DELETE, "group_id=2", CHAINED_GROUP);
	assert_non_null(strstr(dump(o), "group_id=1,type=all,bucket=actions=output:1 refs=2\n"));
	group(o, OFPGC_DELETE, "group_id=3");
	group(o, OFPGC_DELETE, "group_id=2");
	group(o, OFPGC_DELETE, "group_id=1");
	group(o, OFPGC_DELETE, "group_id=1"); /* no error (TS-023, 6.7) */
	assert_groups("");
	/* Not more than 16 deep: neither below nor above what changes. */
	group(o, OFPGC_ADD, "group_id=1,type=all");
	for (unsigned i = 2; i <= GROUP_DEPTH; i++) {
		snprintf(text, sizeof text, "group_id=%u,type=all,bucket=group:%u", i, i - 1);
		group(o, OFPGC_ADD, text);
	}
	REFUSED(OFPGC_ADD, "group_id=17,type=all,bucket=group:16", CHAINING);
	group(o, OFPGC_ADD, "group_id=17,type=all,bucket=group:15");
	group(o, OFPGC_ADD, "group_id=20,type=all");
	REFUSED(OFPGC_MODIFY, "group_id=1,type=all,bucket=group:20", CHAINING);
	group(o, OFPGC_DELETE, "group_id=all");
	assert_groups("");
	ofproto_destroy(o);
}

/* ---- Rules ----------------------------------------------------------------------------- */

static void test_rules(void **state)
{
	struct ofproto *o = switch_up(NULL);
	struct flow_filter filter;

	(void)state;
	assert_int_equal(switch_refuses(o, OFPFC_ADD, "actions=group:1"), REFUSED_BAD_OUT_GROUP);
	group(o, OFPGC_ADD, "group_id=1,type=all,bucket=output:1");
	group(o, OFPGC_ADD, "group_id=2,type=all,bucket=output:1");
	switch_flow(o, OFPFC_ADD, "priority=1,actions=group:1,group:1,write_actions(group:1)");
	switch_flow(o, OFPFC_ADD, "priority=2,actions=write_actions(group:2)");
	switch_flow(o, OFPFC_ADD, "table=3,priority=3,actions=output:1");
	switch_flow(o, OFPFC_ADD, "priority=4,actions=group:2,output:1");
	assert_groups("group_id=1,type=all,bucket=actions=output:1 refs=1\n"
		      "group_id=2,type=all,bucket=actions=output:1 refs=2\n");
	flow_filter_init(&filter);
	filter.out_group = 1;
	assert_string_equal(switch_dump(o, &filter, false),
			    "table=0,priority=1 actions=group:1,group:1,write_actions(group:1)\n");
	switch_flow(o, OFPFC_MODIFY, "strict priority=4,actions=group:1");
	assert_groups("group_id=1,type=all,bucket=actions=output:1 refs=2\n"
		      "group_id=2,type=all,bucket=actions=output:1 refs=1\n");
	switch_flow(o, OFPFC_DELETE, "out_group=7");
	switch_flow(o, OFPFC_DELETE, "out_group=2");
	assert_flows("table=0,priority=4 actions=group:1\n"
		     "table=0,priority=1 actions=group:1,group:1,write_actions(group:1)\n" BEGIN
		     "table=3,priority=3 actions=output:1\n");
	group(o, OFPGC_DELETE, "group_id=2");
	group(o, OFPGC_DELETE, "group_id=1");
	assert_flows(BEGIN "table=3,priority=3 actions=output:1\n");
	group(o, OFPGC_ADD, "group_id=1,type=all,bucket=output:1");
	switch_flow(o, OFPFC_ADD, "priority=1,actions=group:1");
	group(o, OFPGC_DELETE, "");
	assert_flows(BEGIN "table=3,priority=3 actions=output:1\n");
	assert_groups("");
	ofproto_destroy(o);
}

struct heard {
	struct listener listener;
	unsigned n;
	uint8_t reason;
};

static void hear_removed(struct listener *l, const struct flow_removed *fr)
{
	struct heard *h = container_of(l, struct heard, listener);

	h->n++;
	h->reason = fr->reason;
}

static void test_flow_removed_says_group(void **state)
{
	struct ofproto *o = switch_up(NULL);
	struct heard h = {.listener.flow_removed = hear_removed};

	(void)state;
	ofproto_listen(o, &h.listener);
	group(o, OFPGC_ADD, "group_id=1,type=all,bucket=output:1");
	switch_flow(o, OFPFC_ADD, "send_flow_rem,priority=1,actions=group:1");
	group(o, OFPGC_DELETE, "group_id=1");
	assert_int_equal(h.n, 1);
	assert_int_equal(h.reason, OFPRR_GROUP_DELETE);
	ofproto_unlisten(o, &h.listener);
	ofproto_destroy(o);
}

/* ---- The store ------------------------------------------------------------------------- */

static void sync_it(struct ofproto *o)
{
	struct refusal r = {0};

	if (ofproto_sync(o, &r))
		fail_msg("%s", r.text);
}

static void test_restart(void **state)
{
	struct ofproto *o = switch_up(file);
	uint32_t slots;
	char *text;

	(void)state;
	group(o, OFPGC_ADD, "group_id=1,type=all,bucket=output:1");
	group(o, OFPGC_ADD, "group_id=5,type=all,bucket=output:1");
	/* Made before what it forwards to in the end. */
	group(o, OFPGC_MODIFY, "group_id=1,type=all,bucket=group:5,set_field:1->reg0");
	group(o, OFPGC_ADD,
	      "group_id=6,type=ff,bucket=watch_port:1,output:1,"
	      "bucket=watch_group:5,actions=group:1");
	/* One that was large keeps its table's size. */
	group(o, OFPGC_ADD,
	      "group_id=7,type=select,bucket=output:1,bucket=output:2,bucket=output:3,"
	      "bucket=output:4,bucket=output:5,bucket=output:6,bucket=output:7,"
	      "bucket=output:8,bucket=output:9,bucket=output:10,bucket=output:11,"
	      "bucket=output:12,bucket=output:13");
	group(o, OFPGC_MODIFY, "group_id=7,type=select,bucket=weight:3,output:1,bucket=output:2");
	group(o, OFPGC_ADD, "group_id=8,type=all");
	group(o, OFPGC_DELETE, "group_id=8");
	switch_flow(o, OFPFC_ADD, "priority=1,actions=group:6");
	assert_groups(""); /* not before the commit */
	sync_it(o);
	slots = group_find(ofproto_datapath(o), 7)->n_slots;
	assert_int_equal(slots, 65521);
	text = strdup(dump(o));
	assert_non_null(strstr(text, "group_id=6") && strstr(text, "refs=1") ? text : NULL);
	ofproto_destroy(o);
	o = switch_up(file);
	assert_groups(text);
	assert_flows("table=0,priority=1 actions=group:6\n" BEGIN);
	assert_int_equal(group_find(ofproto_datapath(o), 7)->n_slots, slots);
	group(o, OFPGC_DELETE, "");
	sync_it(o);
	ofproto_destroy(o);
	o = switch_up(file);
	assert_groups("");
	assert_flows(BEGIN);
	ofproto_destroy(o);
	free(text);
}

static void test_failure_undoes(void **state)
{
	struct ofproto *o = switch_up(file);
	struct refusal r = {0};
	struct group *one, *two;
	struct group_totals totals;
	char *text;

	(void)state;
	group(o, OFPGC_ADD, "group_id=1,type=select,bucket=output:1,bucket=output:2");
	group(o, OFPGC_ADD, "group_id=2,type=all,bucket=group:1");
	switch_flow(o, OFPFC_ADD, "priority=1,actions=group:1");
	switch_flow(o, OFPFC_ADD, "priority=2,actions=group:2");
	sync_it(o);
	text = strdup(dump(o));
	totals = ofproto_group_totals(o);
	one = group_find(ofproto_datapath(o), 1);
	two = group_find(ofproto_datapath(o), 2);
	disk_full(true);
	group(o, OFPGC_MODIFY, "group_id=1,type=all,bucket=output:3");
	switch_flow(o, OFPFC_ADD, "priority=3,actions=group:1");
	group(o, OFPGC_MODIFY, "group_id=1,type=all,bucket=output:4,bucket=output:5");
	group(o, OFPGC_DELETE, "group_id=2");
	group(o, OFPGC_ADD, "group_id=2,type=indirect,bucket=output:1");
	switch_flow(o, OFPFC_ADD, "priority=4,actions=group:2");
	group(o, OFPGC_ADD, "group_id=3,type=all");
	group(o, OFPGC_DELETE, "");
	assert_int_equal(ofproto_sync(o, &r), -EIO);
	assert_groups(text);
	assert_flows("table=0,priority=2 actions=group:2\n"
		     "table=0,priority=1 actions=group:1\n" BEGIN);
	assert_ptr_equal(group_find(ofproto_datapath(o), 1), one);
	assert_ptr_equal(group_find(ofproto_datapath(o), 2), two);
	assert_int_equal(ofproto_group_totals(o).buckets, totals.buckets);
	assert_int_equal(ofproto_group_totals(o).slots, totals.slots);
	disk_full(false);
	/* Everything works on, on the old ground. */
	REFUSED(OFPGC_DELETE, "group_id=1", CHAINED_GROUP);
	group(o, OFPGC_DELETE, "group_id=2");
	group(o, OFPGC_MODIFY, "group_id=1,type=all,bucket=output:3");
	sync_it(o);
	assert_groups("group_id=1,type=all,bucket=actions=output:3 refs=1\n");
	ofproto_destroy(o);
	free(text);
}

/* Delete and add again within one commit: from the one to the other without a gap. */
static void test_within_one_commit(void **state)
{
	struct ofproto *o = switch_up(file);

	(void)state;
	group(o, OFPGC_ADD, "group_id=1,type=all,bucket=output:1");
	sync_it(o);
	group(o, OFPGC_DELETE, "group_id=1");
	group(o, OFPGC_ADD, "group_id=1,type=all,bucket=output:2");
	group(o, OFPGC_MODIFY, "group_id=1,type=all,bucket=output:3");
	switch_flow(o, OFPFC_ADD, "priority=1,actions=group:1");
	assert_groups("group_id=1,type=all,bucket=actions=output:1 refs=0\n");
	sync_it(o);
	assert_groups("group_id=1,type=all,bucket=actions=output:3 refs=1\n");
	assert_non_null(group_find(ofproto_datapath(o), 1));
	assert_int_equal(ofproto_datapath(o)->groups.n, 1);
	group(o, OFPGC_ADD, "group_id=2,type=all");
	group(o, OFPGC_DELETE, "group_id=2");
	sync_it(o);
	assert_int_equal(ofproto_datapath(o)->groups.n, 1);
	ofproto_destroy(o);
}

/* ---- Limits ---------------------------------------------------------------------------- */

static void test_limits(void **state)
{
	struct ofproto *o = switch_up(NULL);
	struct buf text = {0};
	char add[96];

	(void)state;
	for (unsigned i = 0; i < GROUPS_MAX; i++) {
		snprintf(add, sizeof add, "group_id=%u,type=indirect,bucket=output:1", i);
		group(o, OFPGC_ADD, add);
	}
	assert_int_equal(ofproto_group_totals(o).groups, GROUPS_MAX);
	REFUSED(OFPGC_ADD, "group_id=20000,type=all", OUT_OF_GROUPS);
	group(o, OFPGC_MODIFY, "group_id=5,type=all,bucket=output:1"); /* not one more */
	group(o, OFPGC_DELETE, "group_id=5");
	group(o, OFPGC_ADD, "group_id=20000,type=all");
	assert_true(ofproto_group_totals(o).n_refused >= 1);
	group(o, OFPGC_DELETE, "");
	/* Buckets of all groups together. */
	for (unsigned i = 0; i < GROUP_BUCKETS_TOTAL / GROUP_ALL_BUCKETS; i++) {
		buf_free(&text);
		buf_printf(&text, "group_id=%u,type=all", i);
		for (unsigned k = 0; k < GROUP_ALL_BUCKETS; k++)
			buf_printf(&text, ",bucket=drop");
		group(o, OFPGC_ADD, buf_text(&text));
	}
	buf_free(&text);
	assert_int_equal(ofproto_group_totals(o).buckets, GROUP_BUCKETS_TOTAL);
	REFUSED(OFPGC_ADD, "group_id=20000,type=all,bucket=output:1", OUT_OF_BUCKETS);
	group(o, OFPGC_ADD, "group_id=20000,type=all");
	group(o, OFPGC_DELETE, "");
	ofproto_destroy(o);
}

/* Tables of select groups have a limit of their own: 64 Mi slots. */
static void test_slots(void **state)
{
	struct ofproto *o = switch_up(NULL);
	unsigned n = GROUP_SLOTS_TOTAL / GROUP_SLOTS_MOST;
	char add[160];

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		snprintf(add, sizeof add, "group_id=%u,type=select,slots=%u,bucket=output:1", i,
			 GROUP_SLOTS_MOST);
		group(o, OFPGC_ADD, add);
	}
	snprintf(add, sizeof add, "group_id=%u,type=select,slots=%u,bucket=output:1", n,
		 GROUP_SLOTS_MOST);
	REFUSED(OFPGC_ADD, add, OUT_OF_BUCKETS);
	group(o, OFPGC_DELETE, "group_id=0");
	group(o, OFPGC_ADD, add);
	ofproto_destroy(o);
}

int main(void)
{
#define STORE(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_flow_removed_says_group),
		STORE(test_restart),
		STORE(test_failure_undoes),
		STORE(test_within_one_commit),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_slots),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
