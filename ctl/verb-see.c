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
