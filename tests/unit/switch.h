/* SPDX-License-Identifier: Apache-2.0 */
/* A switch for units: offline unless a store is asked for, dummy ports, flows as text. */
#ifndef SLUICE_TESTS_SWITCH_H
#define SLUICE_TESTS_SWITCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "datapath/port-dummy.h"
#include "datapath/worker.h"
#include "lib/openflow.h"
#include "ofproto/ofproto.h"

static inline struct ofproto *switch_up(const char *db)
{
	const struct ofproto_config config = {.db = db, .offline = !db, .n_workers = 1};
	struct refusal r = {0};
	struct ofproto *o = ofproto_create(&config, &r);

	if (!o)
		fail_msg("%s", r.text);
	if (!db)
		ofproto_set_now(o, NSEC_PER_SEC);
	/* Most units have short rules; test-admit sets it back. */
	((struct switch_settings *)(uintptr_t)ofproto_settings(o))->wide_drop = WIDE_DROP_ANY;
	return o;
}

static inline int switch_try_flow(struct ofproto *o, uint8_t command, const char *text,
				  struct waiter *w, struct refusal *r)
{
	struct flow_mod fm;
	int error = flow_parse(text, command, &fm, r);

	if (error)
		return error;
	error = ofproto_flow_mod(o, &fm, w, r);
	flow_mod_free(&fm);
	return error;
}

static inline void switch_flow(struct ofproto *o, uint8_t command, const char *text)
{
	struct refusal r = {0};

	if (switch_try_flow(o, command, text, NULL, &r))
		fail_msg("%s: %s", text, r.text);
}

static inline enum refusal_code switch_refuses(struct ofproto *o, uint8_t command, const char *text)
{
	struct refusal r = {0};

	assert_int_not_equal(switch_try_flow(o, command, text, NULL, &r), 0);
	return r.code;
}

static inline int switch_try_words(struct ofproto *o, const char *text, struct waiter *waiter,
				   struct refusal *r)
{
	char copy[512], *save = NULL;
	const char *word[32];
	struct words words = {0, word};
	bool conn = !strncmp(text, "conn ", 5);

	snprintf(copy, sizeof copy, "%s", text + (conn ? 5 : 0));
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		word[words.n++] = w;
	return conn ? ofproto_add_conn(o, words, waiter, r) : ofproto_add_port(o, words, waiter, r);
}

static inline struct port *switch_port(struct ofproto *o, const char *words)
{
	struct refusal r = {0};
	char name[64];

	if (switch_try_words(o, words, NULL, &r))
		fail_msg("%s: %s", words, r.text);
	assert_int_equal(sscanf(words, "%63s", name), 1);
	return ofproto_port(o, name);
}

/* All rules as text, one a line; with `stats` their packets in front. */
struct switch_dump {
	struct flow_visit visit;
	struct buf text;
	bool stats;
};

static inline int switch_dump_one(struct flow_visit *v, const struct flow *f,
				  const struct flow_stats *s)
{
	struct switch_dump *d = container_of(v, struct switch_dump, visit);

	if (d->stats)
		buf_printf(&d->text, "n=%llu ", (unsigned long long)s->packets);
	flow_format(f, &d->text);
	buf_printf(&d->text, "\n");
	return 0;
}

static inline char *switch_dump(struct ofproto *o, const struct flow_filter *filter, bool stats)
{
	struct switch_dump d = {.visit.flow = switch_dump_one, .stats = stats};
	static char text[8192];
	struct flow_filter all;

	flow_filter_init(&all);
	ofproto_flows(o, filter ? filter : &all, &d.visit);
	snprintf(text, sizeof text, "%s", buf_text(&d.text));
	buf_free(&d.text);
	return text;
}

/* A minimal UDP frame between two addresses of 10.0.0.0/8. */
static inline void switch_inject_from(struct ofproto *o, struct port *port, uint16_t link,
				      uint8_t src, uint8_t dst)
{
	uint8_t f[60] = {2, 0, 0,  0,  0, 9, 2,  0, 0, 0,   0,  8, 8, 0,   0x45, 0, 0, 46, 0, 0,
			 0, 0, 64, 17, 0, 0, 10, 0, 0, src, 10, 0, 0, dst, 0,    7, 0, 9,  0, 26};
	uint32_t sum = 0;

	put_be16(f + 10, link);
	for (unsigned i = 14; i < 34; i += 2)
		sum += get_be16(f + i);
	put_be16(f + 24, (uint16_t) ~(sum % 0xffff));
	assert_int_equal(dummy_inject(port, f, sizeof f), 0);
	ofproto_datapath(o)->worker[0]->now = ofproto_now(o);
	while (worker_turn(ofproto_datapath(o)->worker[0]))
		;
}

static inline void switch_inject(struct ofproto *o, struct port *port, uint8_t src, uint8_t dst)
{
	switch_inject_from(o, port, 8, src, dst);
}

static inline unsigned switch_taken(struct port *port)
{
	unsigned n = 0;

	for (; dummy_take(port); n++)
		dummy_release(port);
	return n;
}

#endif
