/* SPDX-License-Identifier: Apache-2.0 */
/* What port-mods forbid: receiving, sending, both, and asking controllers; as changes that are
 * staged, undone, kept over a restart and forgotten with their port. */
#include "datapath/group.h"
#include "ofproto/groups.h"
#include "ofproto/state.h"
#include "store-dir.h"

static struct ofproto *o;
static struct port *p1, *p2, *p3;

static void ports_up(const char *db)
{
	o = switch_up(db);
	p1 = switch_port(o, "p1 type=dummy");
	p2 = switch_port(o, "p2 type=dummy");
	p3 = switch_port(o, "p3 type=dummy");
}

static int port_mod(uint32_t ofport, uint32_t config, uint32_t mask, struct refusal *r)
{
	const struct port_mod pm = {ofport, config, mask};

	return ofproto_port_mod(o, &pm, NULL, r);
}

static void set(uint32_t ofport, uint32_t config)
{
	assert_int_equal(port_mod(ofport, config, ~0u, NULL), 0);
}

static uint64_t dropped(void)
{
	return ofproto_datapath(o)->worker[0]->n.dropped[DROP_PORT_CONFIG];
}

/* Where a packet of p1 comes out, of p2 and p3; and how many are dropped for it. */
static unsigned way(unsigned drops)
{
	uint64_t before = dropped();

	switch_inject(o, p1, 1, 2);
	assert_int_equal(dropped() - before, drops);
	return switch_taken(p2) + 2 * switch_taken(p3);
}

static void forbidden(void **state)
{
	(void)state;
	ports_up(NULL);
	switch_flow(o, OFPFC_ADD, "priority=1 actions=output:2");
	assert_int_equal(way(0), 1);
	set(1, OFPPC_NO_RECV);
	assert_int_equal(way(1), 0);
	set(1, OFPPC_NO_FWD | OFPPC_NO_PACKET_IN);
	assert_int_equal(way(0), 1);
	set(1, OFPPC_PORT_DOWN);
	assert_int_equal(way(1), 0);
	set(1, 0);
	set(2, OFPPC_NO_RECV | OFPPC_NO_PACKET_IN);
	assert_int_equal(way(0), 1);
	set(2, OFPPC_NO_FWD);
	assert_int_equal(way(1), 0);
	/* A mask says which bits are meant. */
	assert_int_equal(port_mod(2, OFPPC_PORT_DOWN, OFPPC_NO_FWD | OFPPC_PORT_DOWN, NULL), 0);
	assert_int_equal(p2->config, OFPPC_PORT_DOWN);
	assert_int_equal(port_mod(2, 0, OFPPC_NO_RECV, NULL), 0);
	assert_int_equal(p2->config, OFPPC_PORT_DOWN);
	assert_int_equal(way(1), 0);
	ofproto_destroy(o);
}

static void floods_and_groups_go_round_it(void **state)
{
	struct group_mod gm;

	(void)state;
	ports_up(NULL);
	switch_flow(o, OFPFC_ADD, "priority=1 actions=FLOOD");
	assert_int_equal(way(0), 3);
	set(2, OFPPC_NO_FWD);
	assert_int_equal(way(0), 2);
	set(2, OFPPC_PORT_DOWN);
	set(3, OFPPC_NO_RECV);
	assert_int_equal(way(0), 2);
	/* A port that is down is not live; one that may not be sent to is. */
	assert_int_equal(group_parse("group_id=1,type=ff,bucket=watch_port:2,output:2,"
				     "bucket=watch_port:3,output:3",
				     OFPGC_ADD, &gm, NULL),
			 0);
	assert_int_equal(ofproto_group_mod(o, &gm, NULL, NULL), 0);
	group_mod_free(&gm);
	switch_flow(o, OFPFC_ADD, "priority=1 actions=group:1");
	assert_int_equal(way(0), 2);
	set(2, OFPPC_NO_FWD);
	assert_int_equal(way(1), 0);
	set(2, 0);
	assert_int_equal(way(0), 1);
	ofproto_destroy(o);
}

static void controllers_are_not_asked(void **state)
{
	struct ring *events;
	uint32_t size;

	(void)state;
	ports_up(NULL);
	events = &ofproto_datapath(o)->worker[0]->events;
	switch_flow(o, OFPFC_ADD, "priority=1 actions=CONTROLLER");
	way(0);
	assert_non_null(ring_peek(events, &size));
	ring_release(events);
	set(1, OFPPC_NO_PACKET_IN);
	way(1);
	assert_null(ring_peek(events, &size));
	ofproto_destroy(o);
}

static void refused(void **state)
{
	struct refusal r;

	(void)state;
	ports_up(NULL);
	assert_int_not_equal(port_mod(77, 0, 0, &r), 0);
	assert_int_equal(r.code, REFUSED_PORT_MOD_PORT);
	assert_int_not_equal(port_mod(1, 1 << 1, ~0u, &r), 0);
	assert_int_equal(r.code, REFUSED_PORT_MOD_CONFIG);
	assert_int_equal(port_mod(1, 1 << 1, OFPPC_NO_FWD, &r), 0); /* it is not meant */
	assert_int_equal(p1->config, 0);
	ofproto_destroy(o);
}

static void lasts(void **state)
{
	(void)state;
	ports_up(file);
	set(2, OFPPC_NO_FWD);
	assert_int_equal(p2->config, 0); /* not before its commit */
	assert_int_equal(port_mod(2, OFPPC_NO_RECV, OFPPC_NO_RECV, NULL), 0);
	set(3, OFPPC_PORT_DOWN);
	assert_int_equal(ofproto_sync(o, NULL), 0);
	assert_int_equal(p2->config, OFPPC_NO_FWD | OFPPC_NO_RECV);
	disk_full(true);
	set(2, OFPPC_PORT_DOWN);
	assert_int_equal(ofproto_sync(o, NULL), -EIO);
	disk_full(false);
	assert_int_equal(p2->config, OFPPC_NO_FWD | OFPPC_NO_RECV);
	ofproto_destroy(o);
	o = switch_up(file);
	p2 = ofproto_port(o, "p2");
	assert_int_equal(p2->config, OFPPC_NO_FWD | OFPPC_NO_RECV);
	assert_int_equal(port_mod(2, 0, OFPPC_NO_FWD, NULL), 0); /* and the rest is known */
	assert_int_equal(ofproto_del_port(o, "p3", NULL, NULL), 0);
	assert_int_equal(ofproto_sync(o, NULL), 0);
	assert_int_equal(p2->config, OFPPC_NO_RECV);
	switch_port(o, "p3 type=dummy");
	assert_int_equal(ofproto_sync(o, NULL), 0);
	ofproto_destroy(o);
	o = switch_up(file);
	assert_int_equal(ofproto_port(o, "p3")->config, 0);
	ofproto_destroy(o);
}

/* An empty capture: a port that can be made, or not. */
static void capture(const char *path, bool there)
{
	static const uint8_t header[24] = {0xd4, 0xc3, 0xb2,        0xa1,        2,       0,
					   4,    0,    [16] = 0xff, [17] = 0xff, [20] = 1};
	FILE *f = there ? fopen(path, "w") : NULL;

	if (!there)
		unlink(path);
	else if (!f || fwrite(header, sizeof header, 1, f) != 1 || fclose(f))
		fail_msg("%s", path);
}

/* Its interface comes late, after a restart, or never; or a port of its name is another. */
static void waits_for_its_port(void **state)
{
	char path[160], words[200];

	(void)state;
	snprintf(path, sizeof path, "%s/capture", directory);
	snprintf(words, sizeof words, "late type=pcap in=%s ofport=7", path);
	capture(path, true);
	o = switch_up(file);
	switch_port(o, words);
	set(7, OFPPC_NO_FWD);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ofproto_sync(o, NULL), 0);
		ofproto_destroy(o);
		capture(path, false);
		o = switch_up(file);
		assert_null(ofproto_port(o, "late"));
		capture(path, true);
		if (i)
			break;
		o->objects.retry = true; /* an interface came */
		ofproto_run(o);
		assert_int_equal(ofproto_port(o, "late")->config, OFPPC_NO_FWD);
	}
	assert_int_equal(ofproto_del_port(o, "late", NULL, NULL), 0);
	assert_int_equal(ofproto_sync(o, NULL), 0);
	switch_port(o, words);
	assert_int_equal(ofproto_sync(o, NULL), 0);
	ofproto_destroy(o);
	o = switch_up(file);
	assert_int_equal(ofproto_port(o, "late")->config, 0);
	assert_int_equal(ofproto_del_port(o, "late", NULL, NULL), 0);
	/* One that is never confirmed leaves nothing to who comes. */
	switch_port(o, "p1 type=dummy ofport=8 confirm=60");
	set(8, OFPPC_PORT_DOWN);
	assert_int_equal(ofproto_sync(o, NULL), 0);
	ofproto_destroy(o);
	o = switch_up(file);
	switch_port(o, "p1 type=dummy ofport=8");
	assert_int_equal(ofproto_sync(o, NULL), 0);
	ofproto_destroy(o);
	o = switch_up(file);
	assert_int_equal(ofproto_port(o, "p1")->config, 0);
	ofproto_destroy(o);
	capture(path, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forbidden),
		cmocka_unit_test(floods_and_groups_go_round_it),
		cmocka_unit_test(controllers_are_not_asked),
		cmocka_unit_test(refused),
		cmocka_unit_test_setup_teardown(lasts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(waits_for_its_port, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
