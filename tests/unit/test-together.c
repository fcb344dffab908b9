/* SPDX-License-Identifier: Apache-2.0 */
/* Several changes as one: in one version of the tables, or not at all; and a worker meets rules,
 * groups and meters of one version. */
#include "datapath/group.h"
#include "datapath/meter.h"
#include "ofproto/groups.h"
#include "ofproto/journal.h"
#include "ofproto/meters.h"
#include "store-dir.h"

#define BEGIN                 "table=0,priority=0 actions=NORMAL\n"
#define assert_flows(o, text) assert_string_equal(switch_dump(o, NULL, false), text)

static int group(struct ofproto *o, uint16_t command, const char *text, struct refusal *r)
{
	struct group_mod gm;
	int error;

	assert_int_equal(group_parse(text, command, &gm, r), 0);
	error = ofproto_group_mod(o, &gm, NULL, r);
	group_mod_free(&gm);
	return error;
}

static int meter(struct ofproto *o, uint16_t command, const char *text)
{
	struct meter_config m;

	assert_int_equal(meter_parse(text, &m, NULL), 0);
	return ofproto_meter_mod(o, command, &m, NULL, NULL);
}

static void sync_it(struct ofproto *o)
{
	struct refusal r = {0};

	if (ofproto_sync(o, &r))
		fail_msg("%s", r.text);
}

/* Everything of the staged kind: rules that come, go, are changed and take another's place; groups
 * and meters that come, change, go and come again. */
static void stage_much(struct ofproto *o)
{
	assert_int_equal(group(o, OFPGC_ADD, "group_id=9,type=all,bucket=output:1", NULL), 0);
	switch_flow(o, OFPFC_ADD, "cookie=9,priority=9,udp actions=group:9");
	assert_int_equal(group(o, OFPGC_MODIFY, "group_id=9,type=all,bucket=output:2", NULL), 0);
	assert_int_equal(group(o, OFPGC_MODIFY, "group_id=1,type=all,bucket=output:2", NULL), 0);
	assert_int_equal(group(o, OFPGC_DELETE, "group_id=1", NULL), 0); /* and its rule */
	assert_int_equal(group(o, OFPGC_ADD, "group_id=1,type=all,bucket=output:3", NULL), 0);
	assert_int_equal(meter(o, OFPMC_ADD, "meter=9,bands=type=drop,rate=9"), 0);
	switch_flow(o, OFPFC_ADD, "cookie=8,priority=8,udp actions=meter:9,output:1");
	assert_int_equal(meter(o, OFPMC_MODIFY, "meter=1,bands=type=drop,rate=9"), 0);
	assert_int_equal(meter(o, OFPMC_DELETE, "meter=1"), 0);
	assert_int_equal(meter(o, OFPMC_ADD, "meter=1,bands=type=drop,rate=8"), 0);
	switch_flow(o, OFPFC_MODIFY, "arp actions=output:7");
	switch_flow(o, OFPFC_ADD, "cookie=6,priority=3,arp actions=drop");
	switch_flow(o, OFPFC_DELETE, "strict priority=0");
}

#define BEFORE                                                         \
	"cookie=0x3,table=0,priority=3,arp actions=drop\n"             \
	"cookie=0x2,table=0,priority=2,tcp actions=meter:1,output:1\n" \
	"cookie=0x1,table=0,priority=1,ip actions=group:1\n" BEGIN
#define AFTER                                                          \
	"cookie=0x9,table=0,priority=9,udp actions=group:9\n"          \
	"cookie=0x8,table=0,priority=8,udp actions=meter:9,output:1\n" \
	"cookie=0x6,table=0,priority=3,arp actions=drop\n"

static struct ofproto *up(const char *db)
{
	struct ofproto *o = switch_up(db);

	assert_int_equal(group(o, OFPGC_ADD, "group_id=1,type=all,bucket=output:1", NULL), 0);
	assert_int_equal(meter(o, OFPMC_ADD, "meter=1,bands=type=drop,rate=5"), 0);
	switch_flow(o, OFPFC_ADD, "cookie=1,priority=1,ip actions=group:1");
	switch_flow(o, OFPFC_ADD, "cookie=2,priority=2,tcp actions=meter:1,output:1");
	switch_flow(o, OFPFC_ADD, "cookie=3,priority=3,arp actions=drop");
	return o;
}

static void as_it_was(struct ofproto *o)
{
	struct buf text = {0};

	assert_flows(o, BEFORE);
	assert_null(ofproto_group(o, 9, NULL));
	assert_null(ofproto_meter(o, 9));
	group_format(ofproto_group(o, 1, NULL), &text);
	buf_printf(&text, " ");
	meter_format(ofproto_meter(o, 1), &text);
	assert_string_equal(buf_text(&text), "group_id=1,type=all,bucket=actions=output:1 "
					     "meter=1,bands=type=drop,rate=5");
	buf_free(&text);
}

static void test_one_version(void **state)
{
	struct ofproto *o = up(NULL);
	uint64_t version = ofproto_datapath(o)->version;

	(void)state;
	ofproto_begin(o);
	stage_much(o);
	assert_int_equal(ofproto_datapath(o)->version, version);
	assert_flows(o, BEFORE);
	ofproto_commit(o, NULL);
	assert_int_equal(ofproto_datapath(o)->version, version + 1);
	assert_flows(o, AFTER);
	switch_flow(o, OFPFC_ADD, "cookie=1,priority=1,ip actions=group:1");
	assert_int_equal(ofproto_datapath(o)->version, version + 2);
	ofproto_destroy(o);
}

static void test_abandoned(void **state)
{
	struct ofproto *o = up(NULL);
	uint64_t version = ofproto_datapath(o)->version;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		ofproto_begin(o);
		stage_much(o);
		ofproto_abandon(o);
		as_it_was(o);
	}
	assert_int_equal(ofproto_datapath(o)->version, version);
	/* What was there is whole, and what was not can come. */
	switch_flow(o, OFPFC_MODIFY, "ip actions=group:1");
	ofproto_begin(o);
	stage_much(o);
	ofproto_commit(o, NULL);
	assert_flows(o, AFTER);
	ofproto_destroy(o);
}

/* What one peer asked for before, in the same group, stays; so does what comes behind. */
static void test_beside_others(void **state)
{
	const struct actor actor = {.who = "test", .what = "before", .gathers = true};
	const struct actor bundle = {.who = "test", .what = "bundle", .gathers = true};
	struct ofproto *o = up(file);

	(void)state;
	sync_it(o);
	ofproto_actor(o, &actor);
	switch_flow(o, OFPFC_ADD, "cookie=4,priority=4,sctp actions=drop");
	ofproto_actor(o, &bundle);
	ofproto_begin(o);
	stage_much(o);
	ofproto_abandon(o);
	ofproto_actor(o, &actor);
	switch_flow(o, OFPFC_ADD, "cookie=5,priority=5,sctp actions=drop");
	sync_it(o);
	assert_string_equal(ofproto_journal_entry(o, 1)->what, "before");
	assert_int_equal(ofproto_journal_entry(o, 1)->n_in, 1);
	assert_null(ofproto_journal_entry(o, 2)); /* the abandoned one's */
	assert_int_equal(ofproto_journal_entry(o, 3)->n_in, 1);
	ofproto_actor(o, NULL);
	switch_flow(o, OFPFC_DELETE, "sctp");
	sync_it(o);
	as_it_was(o);
	ofproto_destroy(o);
	o = switch_up(file); /* nor has the store heard of it */
	as_it_was(o);
	ofproto_begin(o);
	stage_much(o);
	ofproto_commit(o, NULL);
	sync_it(o);
	ofproto_destroy(o);
	o = switch_up(file);
	assert_flows(o, AFTER);
	ofproto_destroy(o);
}

/* A whole that the disk refuses is taken back whole. */
static void test_disk_full(void **state)
{
	struct ofproto *o = up(file);

	(void)state;
	sync_it(o);
	disk_full(true);
	ofproto_begin(o);
	stage_much(o);
	ofproto_commit(o, NULL);
	assert_int_equal(ofproto_sync(o, NULL), -EIO);
	disk_full(false);
	as_it_was(o);
	ofproto_destroy(o);
}

/* A few rules changed again and again would take more memory than all there can be. */
static void test_again_and_again(void **state)
{
	enum { RULES = 256 };
	struct ofproto *o = switch_up(file);
	struct refusal r = {0};
	char text[64];
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < RULES; i++) {
		snprintf(text, sizeof text, "table=1,udp,tp_dst=%u actions=output:1", i);
		switch_flow(o, OFPFC_ADD, text);
	}
	sync_it(o);
	ofproto_begin(o);
	while (!r.code) {
		assert_int_equal(ofproto_is_behind(o, true), n * 2 * RULES >= CHANGES_BEHIND);
		assert_int_equal(ofproto_is_behind(o, false), n * 2 * RULES >= 4 * CHANGES_BEHIND);
		snprintf(text, sizeof text, "table=1 actions=output:%u", 1 + ++n % 9);
		switch_try_flow(o, OFPFC_MODIFY, text, NULL, &r);
		assert_true(n <= 8 * CHANGES_BEHIND / (2 * RULES) + 8);
	}
	assert_int_equal(r.code, REFUSED_LIMIT);
	ofproto_abandon(o);
	assert_false(ofproto_is_behind(o, true));
	switch_flow(o, OFPFC_MODIFY, "table=1 actions=output:2");
	ofproto_destroy(o);
}

/* Where a packet goes, of p1 and p2. */
static unsigned way(struct ofproto *o)
{
	switch_inject(o, ofproto_port(o, "p3"), 1, 2);
	return switch_taken(ofproto_port(o, "p1")) + 2 * switch_taken(ofproto_port(o, "p2"));
}

static struct ofproto *three_ports(void)
{
	struct ofproto *o = switch_up(NULL);

	switch_port(o, "p1 type=dummy");
	switch_port(o, "p2 type=dummy");
	switch_port(o, "p3 type=dummy");
	return o;
}

static void test_groups_are_of_a_version(void **state)
{
	struct ofproto *o = three_ports();
	struct datapath *dp = ofproto_datapath(o);
	const uint32_t counter[] = {7, 8};
	struct group *old, *fresh;
	struct group_mod gm;

	(void)state;
	assert_int_equal(group(o, OFPGC_ADD, "group_id=1,type=indirect,bucket=output:1", NULL), 0);
	switch_flow(o, OFPFC_ADD, "priority=1 actions=group:1");
	assert_int_equal(way(o), 1);
	assert_int_equal(
		group_parse("group_id=1,type=indirect,bucket=output:2", OFPGC_ADD, &gm, NULL), 0);
	old = group_find(dp, 1);
	fresh = group_make(&gm.spec, counter);
	group_publish(dp, fresh, dp->version + 1);
	assert_int_equal(way(o), 1); /* published, and not of the worker's version */
	rcu_set(dp->version, dp->version + 1);
	assert_int_equal(way(o), 2);
	group_settle(fresh);
	assert_int_equal(way(o), 2);
	group_publish(dp, old, dp->version);
	group_settle(old);
	group_defer(fresh);
	group_mod_free(&gm);
	ofproto_destroy(o);
}

static void test_meters_are_of_a_version(void **state)
{
	struct ofproto *o = three_ports();
	struct datapath *dp = ofproto_datapath(o);
	struct meter *old, fresh;

	(void)state;
	assert_int_equal(meter(o, OFPMC_ADD,
			       "meter=1,pktps,burst,bands=type=drop,rate=1,"
			       "burst_size=100"),
			 0);
	switch_flow(o, OFPFC_ADD, "priority=1 actions=meter:1,output:2");
	assert_int_equal(way(o), 2);
	old = meter_find(dp, 1);
	fresh = *old;
	fresh.n_bands = 1;
	fresh.band[0].rate = bucket_rate(1, 1, 1); /* one passes */
	fresh.band[0].given = 7;
	bucket_reset(&dp->meter_bucket[fresh.slot * METER_BANDS + 7]);
	meter_publish(dp, &fresh, dp->version + 1);
	assert_int_equal(way(o), 2);
	assert_int_equal(way(o), 2);
	assert_int_equal(way(o), 2);
	rcu_set(dp->version, dp->version + 1);
	assert_int_equal(way(o), 2);
	assert_int_equal(way(o), 0);
	meter_settle(&fresh);
	meter_publish(dp, old, dp->version);
	meter_settle(old);
	assert_int_equal(way(o), 2);
	ofproto_destroy(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_version),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test_setup_teardown(test_beside_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_disk_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_again_and_again, set_up, tear_down),
		cmocka_unit_test(test_groups_are_of_a_version),
		cmocka_unit_test(test_meters_are_of_a_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
