/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs on meters, in ovs-ofctl's words. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/verb.h"
#include "lib/openflow.h"
#include "ofproto/meters.h"

static void run(struct verb_call *call, uint16_t command, const struct meter_config *m)
{
	struct waiter *w = verb_waiter(call);
	struct refusal r = {0};

	verb_waits(call, w, ofproto_meter_mod(call->daemon->ofproto, command, m, w, &r), &r);
}

static int call_meter(struct verb_call *call, struct meter_config *m)
{
	char *text = verb_join(call, 0);
	struct refusal r = {0};
	int error = meter_parse(text, m, &r);

	free(text);
	if (error)
		verb_refuse(call, &r);
	return error;
}

/* [VERB, METER] of the meter as it is now: what takes a change of it back. */
static json_t *undo_words(const char *verb, const struct meter_config *m)
{
	json_t *words = json_array();
	struct buf text = {0};

	meter_format(m, &text);
	json_array_append_new(words, json_text(verb));
	json_array_append_new(words, json_text(buf_text(&text)));
	buf_free(&text);
	return words;
}

void do_add_meter(struct verb_call *call)
{
	struct meter_config m;
	char word[32];

	if (call_meter(call, &m))
		return;
	snprintf(word, sizeof word, "meter=%" PRIu32, m.number);
	verb_undo(call, "del-meters", word);
	run(call, OFPMC_ADD, &m);
}

void do_mod_meter(struct verb_call *call)
{
	const struct meter_config *was;
	struct meter_config m;

	if (call_meter(call, &m))
		return;
	was = ofproto_meter(call->daemon->ofproto, m.number);
	if (was)
		verb_undo_words(call, undo_words("mod-meter", was));
	run(call, OFPMC_MODIFY, &m);
}

struct undo_visit {
	struct meter_visit visit;
	json_t *list;
};

static int undo_one(struct meter_visit *v, const struct meter_config *m,
		    const struct meter_stats *s)
{
	(void)s;
	json_array_append_new(container_of(v, struct undo_visit, visit)->list,
			      undo_words("add-meter", m));
	return 0;
}

void do_del_meters(struct verb_call *call)
{
	struct undo_visit undo = {{undo_one}, NULL};
	struct meter_config m = {0};
	struct refusal r = {0};

	if (!call->args.n && !args_option(&call->args, "--all"))
		refuse(&r, NEEDS_FORCE, "--all",
		       "deleting every meter deletes the rules that use one; say --all when you "
		       "mean it, or meter=N");
	else if (!meter_parse_which(call->args.n ? call->args.word[0] : "all", &m.number, &r)) {
		undo.list = json_array();
		ofproto_meters(call->daemon->ofproto, m.number, &undo.visit);
		verb_undo_list(call, undo.list);
		run(call, OFPMC_DELETE, &m);
		return;
	}
	verb_refuse(call, &r);
}

/* ---- dump-meters -------------------------------------------------------------------------- */

struct meter_rows {
	struct meter_visit visit;
	struct buf text;
	json_t *list;
};

static void row_text(struct buf *text, const struct meter_config *m, const struct meter_stats *s)
{
	meter_format(m, text);
	buf_printf(text, " # flows=%" PRIu32 ", n_packets=%" PRIu64 ", n_bytes=%" PRIu64,
		   s->n_flows, s->in.packets, s->in.bytes);
	for (unsigned i = 0; i < m->n_bands; i++)
		buf_printf(text, ", band %u: %" PRIu64 " packets, %" PRIu64 " octets", i,
			   s->band[i].packets, s->band[i].bytes);
	buf_printf(text, "\n");
}

static json_t *band_json(const struct meter_band_config *b, const struct meter_count *n)
{
	json_t *row = json_object();

	json_put(row, "type", json_string(b->type == OFPMBT_DROP ? "drop" : "dscp_remark"));
	json_put_u64(row, "rate", b->rate);
	json_put_u64(row, "burst_size", b->burst);
	if (b->type == OFPMBT_DSCP_REMARK)
		json_put_u64(row, "prec_level", b->prec_level);
	json_put_u64(row, "packets", n->packets);
	json_put_u64(row, "bytes", n->bytes);
	return row;
}

static json_t *row_json(const struct meter_config *m, const struct meter_stats *s)
{
	json_t *row = json_object(), *bands = json_array();
	struct buf text = {0};

	meter_format(m, &text);
	json_put_u64(row, "meter", m->number);
	json_put(row, "text", json_text(buf_text(&text)));
	buf_free(&text);
	json_put(row, "unit", json_string(m->flags & OFPMF_PKTPS ? "pktps" : "kbps"));
	json_put(row, "burst", json_boolean(m->flags & OFPMF_BURST));
	json_put(row, "stats", json_boolean(m->flags & OFPMF_STATS));
	json_put(row, "aggregate", json_boolean(m->flags & SLUICE_METER_AGGREGATE));
	json_put_u64(row, "flows", s->n_flows);
	json_put_u64(row, "duration_ns", s->duration_ns);
	json_put_u64(row, "packets", s->in.packets);
	json_put_u64(row, "bytes", s->in.bytes);
	for (unsigned i = 0; i < m->n_bands; i++)
		json_array_append_new(bands, band_json(&m->band[i], &s->band[i]));
	json_put(row, "bands", bands);
	return row;
}

static int row(struct meter_visit *v, const struct meter_config *m, const struct meter_stats *s)
{
	struct meter_rows *rows = container_of(v, struct meter_rows, visit);

	row_text(&rows->text, m, s);
	json_array_append_new(rows->list, row_json(m, s));
	return 0;
}

void do_dump_meters(struct verb_call *call)
{
	struct meter_rows rows = {.visit = {row}};
	struct refusal r = {0};
	uint32_t number;

	if (meter_parse_which(call->args.n ? call->args.word[0] : "", &number, &r)) {
		verb_refuse(call, &r);
		return;
	}
	if (number != OFPM_ALL && !ofproto_meter(call->daemon->ofproto, number)) {
		refuse(&r, UNKNOWN_METER, "meter", "there is no meter %" PRIu32, number);
		verb_refuse(call, &r);
		return;
	}
	rows.list = json_array();
	ofproto_meters(call->daemon->ofproto, number, &rows.visit);
	verb_done(call, &rows.text, rows.list);
}
