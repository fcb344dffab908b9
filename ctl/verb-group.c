/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs on groups, in ovs-ofctl's words. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/verb.h"
#include "lib/openflow.h"
#include "ofproto/groups.h"

static int call_group(struct verb_call *call, uint16_t command, struct group_mod *gm)
{
	char *text = verb_join(call, 0);
	struct refusal r = {0};
	int error = group_parse(text, command, gm, &r);

	free(text);
	if (error)
		verb_refuse(call, &r);
	return error;
}

static void run(struct verb_call *call, struct group_mod *gm)
{
	struct waiter *w = verb_waiter(call);
	struct refusal r = {0};
	int error = ofproto_group_mod(call->daemon->ofproto, gm, w, &r);

	group_mod_free(gm);
	verb_waits(call, w, error, &r);
}

/* [VERB, GROUP] of the group as it is now: what takes a change of it back. */
static json_t *undo_words(const char *verb, const struct group_spec *spec)
{
	const struct port_names *names = port_names;
	json_t *words = json_array();
	struct buf text = {0};

	port_names = NULL; /* numbers last, names need not */
	group_format(spec, &text);
	port_names = names;
	json_array_append_new(words, json_text(verb));
	json_array_append_new(words, json_text(buf_text(&text)));
	buf_free(&text);
	return words;
}

void do_add_group(struct verb_call *call)
{
	json_t *words = json_array();
	struct group_mod gm;
	char id[32];

	if (call_group(call, OFPGC_ADD, &gm)) {
		json_decref(words);
		return;
	}
	snprintf(id, sizeof id, "group_id=%" PRIu32, gm.spec.id);
	json_array_append_new(words, json_string("del-groups"));
	json_array_append_new(words, json_string(id));
	json_array_append_new(words, json_string("--unused"));
	verb_undo_words(call, words);
	run(call, &gm);
}

void do_mod_group(struct verb_call *call)
{
	const struct group_spec *was;
	struct group_mod gm;

	if (call_group(call, OFPGC_MODIFY, &gm))
		return;
	was = ofproto_group(call->daemon->ofproto, gm.spec.id, NULL);
	if (was)
		verb_undo_words(call, undo_words("mod-group", was));
	run(call, &gm);
}

/* ---- del-groups --------------------------------------------------------------------------- */

struct del_visit {
	struct group_visit visit;
	json_t *undo;
	uint32_t used; /* one that rules use; OFPG_ANY: none */
};

static int look_at(struct group_visit *v, const struct group_spec *spec,
		   const struct group_stats *s)
{
	struct del_visit *d = container_of(v, struct del_visit, visit);

	json_array_append_new(d->undo, undo_words("add-group", spec));
	if (s->refs)
		d->used = spec->id;
	return 0;
}

void do_del_groups(struct verb_call *call)
{
	struct del_visit del = {{look_at}, NULL, OFPG_ANY};
	struct refusal r = {0};
	struct group_mod gm;

	if (!call->args.n && !args_option(&call->args, "--all")) {
		refuse(&r, NEEDS_FORCE, "--all",
		       "deleting every group deletes the rules that use one; say --all when you "
		       "mean it, or group_id=N");
		verb_refuse(call, &r);
		return;
	}
	if (call_group(call, OFPGC_DELETE, &gm))
		return;
	del.undo = json_array();
	ofproto_groups(call->daemon->ofproto, gm.spec.id, &del.visit);
	verb_undo_list(call, del.undo);
	if (del.used != OFPG_ANY && args_option(&call->args, "--unused")) {
		refuse(&r, IN_USE, "group_id",
		       "group %" PRIu32 " is used by rules or groups; without --unused it would be "
		       "deleted with those rules",
		       del.used);
		verb_refuse(call, &r);
		return;
	}
	run(call, &gm);
}

/* ---- dump-groups -------------------------------------------------------------------------- */

struct group_rows {
	struct group_visit visit;
	bool no_text, no_json;
	uint32_t n;
	struct buf text;
	json_t *list;
};

static void row_text(struct buf *text, const struct group_spec *spec, const struct group_stats *s)
{
	group_format(spec, text);
	buf_printf(text, " # refs=%" PRIu32 ", n_packets=%" PRIu64 ", n_bytes=%" PRIu64, s->refs,
		   s->total.packets, s->total.bytes);
	for (unsigned i = 0; i < spec->n_buckets; i++)
		buf_printf(text, ", bucket %u: %" PRIu64 " packets, %" PRIu64 " octets%s", i,
			   s->bucket[i].packets, s->bucket[i].bytes,
			   s->live[i] ? "" : " (not live)");
	buf_printf(text, "\n");
}

static json_t *bucket_json(const struct group_spec *spec, unsigned i, const struct group_stats *s)
{
	const struct bucket_spec *b = &spec->bucket[i];
	json_t *row = json_object();
	struct buf actions = {0};

	actions_format(b->actions.data, b->actions.size, &actions);
	if (spec->type == OFPGT_SELECT)
		json_put_u64(row, "weight", b->weight);
	if (b->watch_port != OFPP_ANY)
		json_put_u64(row, "watch_port", b->watch_port);
	if (b->watch_group != OFPG_ANY)
		json_put_u64(row, "watch_group", b->watch_group);
	json_put(row, "actions", json_text(actions.size ? buf_text(&actions) : "drop"));
	json_put(row, "live", json_boolean(s->live[i]));
	json_put_u64(row, "packets", s->bucket[i].packets);
	json_put_u64(row, "bytes", s->bucket[i].bytes);
	buf_free(&actions);
	return row;
}

static json_t *row_json(const struct group_spec *spec, const struct group_stats *s)
{
	json_t *row = json_object(), *buckets = json_array();
	struct buf text = {0};

	group_format(spec, &text);
	json_put_u64(row, "group_id", spec->id);
	json_put(row, "type", json_string(group_types[spec->type]));
	json_put(row, "text", json_text(buf_text(&text)));
	buf_free(&text);
	json_put_u64(row, "refs", s->refs);
	json_put_u64(row, "duration_ns", s->duration_ns);
	json_put_u64(row, "packets", s->total.packets);
	json_put_u64(row, "bytes", s->total.bytes);
	for (unsigned i = 0; i < spec->n_buckets; i++)
		json_array_append_new(buckets, bucket_json(spec, i, s));
	json_put(row, "buckets", buckets);
	return row;
}

static int row(struct group_visit *v, const struct group_spec *spec, const struct group_stats *s)
{
	struct group_rows *rows = container_of(v, struct group_rows, visit);

	rows->n++;
	if (!rows->no_text)
		row_text(&rows->text, spec, s);
	if (!rows->no_json)
		json_array_append_new(rows->list, row_json(spec, s));
	return 0;
}

void do_dump_groups(struct verb_call *call)
{
	struct group_rows rows = {
		.visit = {row}, .no_text = call->no_text, .no_json = call->no_json};
	struct refusal r = {0};
	struct group_mod gm;

	if (call_group(call, OFPGC_DELETE, &gm)) /* it says which */
		return;
	rows.list = json_array();
	ofproto_groups(call->daemon->ofproto, gm.spec.id, &rows.visit);
	if (gm.spec.id != OFPG_ALL && !rows.n) {
		json_decref(rows.list);
		refuse(&r, UNKNOWN_GROUP, "group_id", "there is no group %" PRIu32, gm.spec.id);
		verb_refuse(call, &r);
		return;
	}
	verb_done(call, &rows.text, rows.list);
}
