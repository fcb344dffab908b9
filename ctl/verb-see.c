/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs for seeing: counters, drops, traces. */
#include <inttypes.h>
#include <stdlib.h>

#include "ctl/stats.h"
#include "ctl/verb.h"
#include "lib/openflow.h"

void do_stats(struct verb_call *call)
{
	json_t *stats = stats_collect(call->daemon);
	struct buf text = {0};

	stats_text(stats, &text);
	verb_done(call, &text, stats);
}

void do_drops(struct verb_call *call)
{
	json_t *drops = drops_collect(call->daemon, args_option(&call->args, "--all"));
	struct buf text = {0};

	drops_text(drops, &text);
	verb_done(call, &text, drops);
}

/* ---- status ---- */

static uint64_t dropped_in_all(const json_t *drops, const json_t **top)
{
	uint64_t sum = 0;
	json_t *row;
	size_t i;

	*top = NULL;
	json_array_foreach(drops, i, row)
	{
		sum += json_u64(row, "packets");
		if (!*top || json_u64(row, "packets") > json_u64(*top, "packets"))
			*top = row;
	}
	return sum;
}

/* What stands at a bound: a pool of frames that runs out. */
static void limits_text(const json_t *stats, json_t *limits, struct buf *text)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(stats, "workers"), i, row)
	{
		const json_t *frames = json_object_get(row, "frames");
		char line[96];

		if (json_u64(frames, "free") * 20 >= json_u64(frames, "total"))
			continue;
		snprintf(line, sizeof line,
			 "worker %" PRIu64 ": %" PRIu64 " of %" PRIu64 " frames are free",
			 json_u64(row, "worker"), json_u64(frames, "free"),
			 json_u64(frames, "total"));
		json_array_append_new(limits, json_string(line));
		buf_printf(text, "at a limit: %s\n", line);
	}
	if (!json_array_size(limits))
		buf_printf(text, "nothing is at a limit\n");
}

static uint64_t count_rules(struct daemon *d)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < ofproto_n_tables(d->ofproto); i++) {
		struct table_stats stats;

		ofproto_table_stats(d->ofproto, i, &stats);
		n += stats.n_active;
	}
	return n;
}

void do_status(struct verb_call *call)
{
	struct daemon *d = call->daemon;
	json_t *row = json_object(), *stats = stats_collect(d), *drops = drops_collect(d, false);
	json_t *limits = json_array();
	const json_t *packets = json_object_get(stats, "packets"), *top;
	uint64_t up = (ofproto_now(d->ofproto) - d->started_ns) / NSEC_PER_SEC;
	uint64_t dropped = dropped_in_all(drops, &top);
	uint64_t rules = count_rules(d);
	struct buf text = {0};

	json_put_u64(row, "uptime_s", up);
	json_put_u64(row, "ports", json_array_size(json_object_get(stats, "ports")));
	json_put_u64(row, "conns", json_array_size(json_object_get(stats, "conns")));
	json_put_u64(row, "rules", rules);
	json_put_u64(row, "rx", json_u64(packets, "rx"));
	json_put_u64(row, "tx", json_u64(packets, "tx"));
	json_put_u64(row, "dropped", dropped);
	if (top)
		json_put(row, "top_drop", json_string(json_str(top, "reason")));
	buf_printf(&text, "up %" PRIu64 " s, %zu ports, %zu connections, %" PRIu64 " rules\n", up,
		   json_array_size(json_object_get(stats, "ports")),
		   json_array_size(json_object_get(stats, "conns")), rules);
	buf_printf(&text, "received %s, sent %s, dropped %s\n", text_count(json_u64(packets, "rx")),
		   text_count(json_u64(packets, "tx")), text_count(dropped));
	if (top)
		buf_printf(&text, "most drops: %s %s (%s)\n", text_count(json_u64(top, "packets")),
			   json_str(top, "reason"), json_str(top, "text"));
	limits_text(stats, limits, &text);
	json_put(row, "limits", limits);
	json_decref(stats);
	json_decref(drops);
	verb_done(call, &text, row);
}

/* ---- trace ---- */

static void trace_next(struct verb_call *call, const char *count)
{
	struct flow_mod mod;
	struct refusal r = {0};
	uint64_t n = 0;
	char *match;

	if (parse_u64(count, &n) || !n || n > 1000) {
		refuse(&r, BAD_VALUE, "--next", "%.40s is no number of packets; 1 to 1000 are",
		       count);
		verb_refuse(call, &r);
		return;
	}
	match = verb_join(call, 0);
	flow_mod_init(&mod);
	if (flow_parse(match, OFPFC_DELETE, &mod, &r) ||
	    ofproto_trace_next(call->daemon->ofproto, &mod.match, (unsigned)n, &r))
		verb_refuse(call, &r);
	else
		verb_done(call, NULL, NULL);
	flow_mod_free(&mod);
	free(match);
}

void do_trace(struct verb_call *call)
{
	const char *next = args_option(&call->args, "--next");
	struct buf text = {0};
	struct refusal r = {0};
	char *packet;

	if (next) {
		trace_next(call, next);
		return;
	}
	if (args_option(&call->args, "--read")) {
		ofproto_trace_read(call->daemon->ofproto, &text);
		verb_done(call, &text, NULL);
		return;
	}
	if (!call->args.n) {
		call->misused = true;
		refuse(&r, SYNTAX, "PACKET",
		       "trace wants a packet (in_port=1,ip,… or hexadecimal), --next or --read");
		verb_refuse(call, &r);
		return;
	}
	packet = verb_join(call, 0);
	if (ofproto_trace(call->daemon->ofproto, packet, &text, &r)) {
		buf_free(&text);
		verb_refuse(call, &r);
	} else {
		verb_done(call, &text, NULL);
	}
	free(packet);
}
