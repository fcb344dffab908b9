/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for the switch as a whole: settings, routes without a kernel, controllers, confirming. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/flow-set.h"
#include "ctl/rows.h"
#include "ctl/verb.h"
#include "ofproto/groups.h"

/* Words as iproute2 has them (`dev PORT`, `lladdr MAC`) or as options (`dev=PORT`). */
static void run_fib(struct verb_call *call,
		    int (*add)(struct ofproto *o, struct words words, struct refusal *r))
{
	struct refusal r = {0};
	const char *word[ARGS_MAX];
	char dev[PORT_NAME + 8];
	struct words words = {0, word};

	for (unsigned i = 0; i < call->args.n; i++) {
		const char *w = call->args.word[i];
		bool more = i + 1 < call->args.n;

		if (!strcmp(w, "lladdr") && more)
			continue;
		if (!strcmp(w, "dev") && more) {
			snprintf(dev, sizeof dev, "dev=%s", call->args.word[++i]);
			w = dev;
		}
		word[words.n++] = w;
	}
	if (add(call->daemon->ofproto, words, &r))
		verb_refuse(call, &r);
	else
		verb_done(call, NULL, NULL);
}

void do_add_route(struct verb_call *call)
{
	run_fib(call, ofproto_add_route);
}

void do_add_neigh(struct verb_call *call)
{
	run_fib(call, ofproto_add_neigh);
}

/* ---- Settings ---- */

/* What was said is said again as it was. */
static void undo_settings(struct verb_call *call)
{
	const struct switch_settings *s = ofproto_settings(call->daemon->ofproto);
	char words[10][32];

	snprintf(words[0], sizeof words[0], "dpid=%016" PRIx64, s->dpid);
	snprintf(words[1], sizeof words[1], "fail-mode=%s",
		 s->fail_secure ? "secure" : "standalone");
	snprintf(words[2], sizeof words[2], "packet-in=%s",
		 s->packet_in_headers ? "headers" : "full");
	snprintf(words[3], sizeof words[3], s->sample_every ? "sample=%u" : "sample=off",
		 s->sample_every);
	snprintf(words[4], sizeof words[4], "sample-max=%u", s->sample_max);
	snprintf(words[5], sizeof words[5], "reject-max=%u", s->reject_max);
	snprintf(words[6], sizeof words[6], "wide-drop=%s", wide_drop_names[s->wide_drop]);
	snprintf(words[7], sizeof words[7], "probe=%u", s->probe_s);
	snprintf(words[8], sizeof words[8], "fail-after=%u", s->fail_after_s);
	snprintf(words[9], sizeof words[9], "guard-max=%u", s->guard_max);
	for (unsigned i = 0; i < call->args.n; i++)
		for (unsigned k = 0; k < ARRAY_SIZE(words); k++)
			if (!strncmp(call->args.word[i], words[k], strcspn(words[k], "=") + 1))
				verb_undo(call, "set-switch", words[k]);
}

void do_set_switch(struct verb_call *call)
{
	struct waiter *w = verb_waiter(call);
	struct refusal r = {0};

	undo_settings(call);
	verb_waits(call, w, ofproto_set_switch(call->daemon->ofproto, call->words, w, &r), &r);
}

static json_t *show_settings(struct daemon *d, struct buf *text)
{
	const struct switch_settings *s = ofproto_settings(d->ofproto);
	json_t *row = json_object();
	char dpid[17], sample[16];

	snprintf(dpid, sizeof dpid, "%016" PRIx64, s->dpid);
	json_put(row, "dpid", json_string(dpid));
	json_put(row, "fail_mode", json_string(s->fail_secure ? "secure" : "standalone"));
	json_put(row, "packet_in", json_string(s->packet_in_headers ? "headers" : "full"));
	json_put_u64(row, "sample", s->sample_every);
	json_put_u64(row, "sample_max", s->sample_max);
	json_put_u64(row, "reject_max", s->reject_max);
	json_put(row, "wide_drop", json_string(wide_drop_names[s->wide_drop]));
	json_put_u64(row, "guard_max", s->guard_max);
	json_put_u64(row, "probe_s", s->probe_s);
	json_put_u64(row, "fail_after_s", s->fail_after_s);
	json_put(row, "standalone", json_boolean(ofproto_is_standalone(d->ofproto)));
	json_put_u64(row, "n_tables", ofproto_n_tables(d->ofproto));
	snprintf(sample, sizeof sample, s->sample_every ? "%u" : "off", s->sample_every);
	buf_printf(text,
		   "dpid=%s fail-mode=%s packet-in=%s sample=%s sample-max=%u reject-max=%u "
		   "wide-drop=%s guard-max=%u probe=%u fail-after=%u n_tables=%u\n",
		   dpid, s->fail_secure ? "secure" : "standalone",
		   s->packet_in_headers ? "headers" : "full", sample, s->sample_max, s->reject_max,
		   wide_drop_names[s->wide_drop], s->guard_max, s->probe_s, s->fail_after_s,
		   ofproto_n_tables(d->ofproto));
	if (ofproto_is_standalone(d->ofproto))
		buf_printf(text, "standalone: no controller is there, and the rules of OpenFlow's "
				 "tables are aside; what the guard lets through is routed\n");
	return row;
}

static json_t *show_tables(struct daemon *d, struct buf *text)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ofproto_n_tables(d->ofproto); i++) {
		struct table_stats n;
		json_t *row;

		ofproto_table_stats(d->ofproto, i, &n);
		if (!n.n_active && !n.n_lookups)
			continue;
		row = json_object();
		json_put_u64(row, "table", i);
		json_put_u64(row, "rules", n.n_active);
		json_put_u64(row, "masks", n.n_masks);
		json_put_u64(row, "refused", n.n_refused);
		json_put_u64(row, "lookups", n.n_lookups);
		json_put_u64(row, "matches", n.n_matches);
		json_array_append_new(list, row);
		buf_printf(text,
			   "table %u: %u rules of %u masks, %" PRIu64 " lookups, %" PRIu64
			   " matches\n",
			   i, n.n_active, n.n_masks, n.n_lookups, n.n_matches);
	}
	return list;
}

static json_t *show_groups(struct daemon *d, struct buf *text)
{
	struct group_totals n = ofproto_group_totals(d->ofproto);
	json_t *row = json_object();

	json_put_u64(row, "groups", n.groups);
	json_put_u64(row, "buckets", n.buckets);
	json_put_u64(row, "slots", n.slots);
	json_put_u64(row, "refused", n.n_refused);
	if (n.groups || n.n_refused)
		buf_printf(text,
			   "groups: %u of %u, with %u of %u buckets, select tables of %u of %u "
			   "slots; %" PRIu64 " refused\n",
			   n.groups, GROUPS_MAX, n.buckets, GROUP_BUCKETS_TOTAL, n.slots,
			   GROUP_SLOTS_TOTAL, n.n_refused);
	return row;
}

static json_t *show_ports(struct daemon *d, bool conns, struct buf *text)
{
	struct port **ports = ports_sorted(d->ofproto, conns);
	json_t *list = json_array();

	for (struct port **p = ports; *p; p++) {
		json_t *row = port_row(d->ofproto, *p);

		buf_printf(text, "%s ", conns ? "connection" : "port");
		port_row_text(row, text);
		json_array_append_new(list, row);
	}
	free(ports);
	return list;
}

static json_t *show_management(const struct daemon *d, struct buf *text)
{
	json_t *row = json_object();

	json_put_u64(row, "turned_away", d->n_mgmt_turned_away);
	json_put_u64(row, "accept_failed", d->n_mgmt_accept_failed);
	if (d->n_mgmt_turned_away || d->n_mgmt_accept_failed)
		buf_printf(text,
			   "management: %" PRIu64 " turned away, %" PRIu64
			   " times no descriptor for one more\n",
			   d->n_mgmt_turned_away, d->n_mgmt_accept_failed);
	return row;
}

void do_show(struct verb_call *call)
{
	struct buf text = {0};
	unsigned panic = ofproto_panic(call->daemon->ofproto);
	json_t *row;

	if (panic)
		buf_printf(&text, "%s\n", panic_text(panic));
	row = show_settings(call->daemon, &text);
	json_put(row, "panic", panic_json(panic));
	json_put(row, "tables", show_tables(call->daemon, &text));
	json_put(row, "groups", show_groups(call->daemon, &text));
	json_put(row, "ports", show_ports(call->daemon, false, &text));
	json_put(row, "conns", show_ports(call->daemon, true, &text));
	json_put(row, "controllers", controllers_show(call->daemon, &text));
	json_put(row, "management", show_management(call->daemon, &text));
	verb_done(call, &text, row);
}

void do_version(struct verb_call *call)
{
	json_t *row = json_object();
	struct buf text = {0};

	json_put(row, "version", json_string(PACKAGE_VERSION));
	buf_printf(&text, "%s\n", PACKAGE_STRING);
	verb_done(call, &text, row);
}
