/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/verb.h"
#include "lib/openflow.h"

/* ---- Rules ---- */

static uint64_t expires_in(const struct flow_rows *rows, const struct flow *f)
{
	return f->expires_ns > rows->now ? f->expires_ns - rows->now : 0;
}

/* `cookie=…` and `table=…` come first, as in ovs-ofctl; flow_format() puts both in front as well.
 */
static void flow_rest(const struct flow *f, struct buf *text)
{
	struct buf flow = {0};
	const char *rest;

	flow_format(f, &flow);
	rest = strstr(buf_text(&flow), "table=");
	rest = rest ? strchr(rest, ',') : NULL;
	buf_printf(text, "%s", rest ? rest + 1 : buf_text(&flow));
	if (f->reason)
		buf_printf(text, " # %s", f->reason); /* a comment where rules are read */
	buf_printf(text, "\n");
	buf_free(&flow);
}

void flow_row_text(struct flow_rows *rows, const struct flow *f, const struct flow_stats *stats)
{
	struct buf *t = &rows->text;

	buf_printf(t, " cookie=0x%" PRIx64 ", duration=%.3fs, ", f->cookie,
		   (double)stats->duration_ns / NSEC_PER_SEC);
	if (f->table == TABLE_GUARD)
		buf_printf(t, "table=guard, ");
	else
		buf_printf(t, "table=%u, ", f->table);
	buf_printf(t, "n_packets=%" PRIu64 ", n_bytes=%" PRIu64 ", idle_age=%" PRIu64 ", ",
		   stats->packets, stats->bytes, stats->idle_ns / (uint64_t)NSEC_PER_SEC);
	if (f->expires_ns != TIMER_NEVER)
		buf_printf(t, "expires=%" PRIu64 "s, ",
			   expires_in(rows, f) / (uint64_t)NSEC_PER_SEC);
	if (stats->early)
		buf_printf(t, "early=yes, ");
	else if (stats->shadowed_by != RULE_NONE)
		buf_printf(t, "shadowed_by=%u, ", stats->shadowed_by);
	if (stats->hidden_by != RULE_NONE)
		buf_printf(t, "hidden_by=%u, ", stats->hidden_by);
	if (f->origin != ORIGIN_CLI || f->table == TABLE_GUARD)
		buf_printf(t, "origin=%s, ", origin_names[f->origin]);
	buf_printf(t, "id=%u, ", f->rule_id);
	flow_rest(f, t);
}

json_t *flow_row_json(const struct flow_rows *rows, const struct flow *f,
		      const struct flow_stats *stats)
{
	json_t *row = json_object();
	struct buf text = {0};

	flow_format(f, &text);
	json_put(row, "flow", json_text(buf_text(&text)));
	text.size = 0;
	match_format(&f->match, &text);
	json_put(row, "match", json_text(buf_text(&text)));
	text.size = 0;
	instructions_format(&f->instructions, &text);
	json_put(row, "actions", json_text(buf_text(&text)));
	buf_free(&text);
	json_put_u64(row, "id", f->rule_id);
	if (f->table == TABLE_GUARD)
		json_put(row, "table", json_string("guard"));
	else
		json_put_u64(row, "table", f->table);
	json_put_u64(row, "priority", f->priority);
	json_put_u64(row, "cookie", f->cookie);
	json_put(row, "origin", json_string(origin_names[f->origin]));
	if (f->reason)
		json_put(row, "reason", json_text(f->reason));
	json_put_u64(row, "idle_timeout", f->idle_timeout);
	json_put_u64(row, "hard_timeout", f->hard_timeout);
	if (f->expires_ns != TIMER_NEVER) {
		json_put_u64(row, "expires_ns", expires_in(rows, f));
		json_put(row, "expires_s",
			 json_real((double)expires_in(rows, f) / (double)NSEC_PER_SEC));
	}
	json_put_u64(row, "packets", stats->packets);
	json_put_u64(row, "bytes", stats->bytes);
	json_put_u64(row, "duration_ns", stats->duration_ns);
	json_put_u64(row, "idle_ns", stats->idle_ns);
	json_put(row, "early", json_boolean(stats->early));
	if (stats->shadowed_by != RULE_NONE)
		json_put_u64(row, "shadowed_by", stats->shadowed_by);
	if (stats->hidden_by != RULE_NONE)
		json_put_u64(row, "hidden_by", stats->hidden_by);
	return row;
}

/* ---- Ports and connections ---- */

static int by_ofport(const void *a, const void *b)
{
	const struct port *x = *(struct port *const *)a, *y = *(struct port *const *)b;

	return (x->ofport > y->ofport) - (x->ofport < y->ofport);
}

struct port **ports_sorted(struct ofproto *o, bool conns)
{
	struct datapath *dp = ofproto_datapath(o);
	struct port **list = calloc(PORT_MAX + 1, sizeof *list);
	size_t n = 0;

	if (!list)
		abort();
	for (uint32_t id = 0; id < PORT_MAX; id++) {
		struct port *p = port_get(dp, id);

		if (p && !(p->flags & PORT_INTERNAL) && !(p->flags & PORT_CONN) == !conns)
			list[n++] = p;
	}
	if (n)
		qsort(list, n, sizeof *list, by_ofport);
	return list;
}

struct json_report {
	struct report report;
	json_t *object;
};

static void report_number(struct report *r, const char *key, uint64_t value)
{
	json_put_u64(container_of(r, struct json_report, report)->object, key, value);
}

static void report_string(struct report *r, const char *key, const char *value)
{
	json_put(container_of(r, struct json_report, report)->object, key, json_text(value));
}

static json_t *readings(struct port *p)
{
	struct json_report jr = {{report_number, report_string}, json_object()};

	if (p->flags & PORT_CONN) {
		struct conn *c = conn_of(p);

		if (c->class->status)
			c->class->status(c, &jr.report);
	} else if (p->class->status) {
		p->class->status(p, &jr.report);
	}
	return jr.object;
}

static json_t *counters(const struct datapath *dp, const struct port *p)
{
	json_t *row = json_object();
	struct port_counters n;

	datapath_port_counters(dp, p->id, &n);
	json_put_u64(row, "rx_packets", n.rx_packets);
	json_put_u64(row, "rx_bytes", n.rx_bytes);
	json_put_u64(row, "tx_packets", n.tx_packets);
	json_put_u64(row, "tx_bytes", n.tx_bytes);
	json_put_u64(row, "rx_dropped", n.rx_dropped);
	json_put_u64(row, "tx_dropped", n.tx_dropped);
	json_put_u64(row, "rx_errors", n.rx_errors);
	json_put_u64(row, "tx_errors", n.tx_errors);
	if (p->flags & PORT_CONN) {
		json_put_u64(row, "n_early", n.n_early);
		json_put_u64(row, "early_bytes", n.early_bytes);
	}
	return row;
}

/* By a controller's port-mod; empty: nothing. */
static json_t *forbidden(const struct port *p)
{
	static const struct {
		uint32_t bit;
		const char *word;
	} words[] = {{OFPPC_PORT_DOWN, "all"},
		     {OFPPC_NO_RECV, "receive"},
		     {OFPPC_NO_FWD, "forward"},
		     {OFPPC_NO_PACKET_IN, "packet-in"}};
	json_t *list = json_array();

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (p->config & words[i].bit)
			json_array_append_new(list, json_text(words[i].word));
	return list;
}

json_t *port_row(struct ofproto *o, struct port *p)
{
	const char *spec = ofproto_port_spec(o, p);
	bool is_conn = p->flags & PORT_CONN;
	json_t *row = json_object();
	char text[ETH_TEXT];

	json_put(row, "name", json_text(p->name));
	json_put_u64(row, "ofport", p->ofport);
	json_put(row, "type", json_text(is_conn ? conn_of(p)->class->name : p->class->name));
	spec = spec ? strchr(spec, ' ') : NULL; /* behind the name */
	json_put(row, "spec", json_text(spec ? spec + 1 : ""));
	json_put(row, "up", json_boolean(p->up));
	json_put(row, "forbidden", forbidden(p));
	if (is_conn) {
		const struct conn *c = conn_of(p);

		json_put_u64(row, "owner", c->owner);
	} else {
		json_put(row, "mac", json_text(eth_text(p->mac, text)));
		json_put_u64(row, "queues", p->n_queues);
	}
	json_put_u64(row, "mtu", p->mtu);
	json_put(row, "readings", readings(p));
	json_put(row, "counters", counters(ofproto_datapath(o), p));
	return row;
}

/* `key=value` of an object's members, in one indented line or several of about 90 columns. */
static void members_text(const json_t *object, struct buf *text)
{
	size_t column = 0;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		size_t before;

		if (!column || column > 80) {
			buf_printf(text, "%s    ", column ? "\n" : "");
			column = 4;
		}
		before = text->size;
		if (json_is_integer(value))
			buf_printf(text, "%s=%llu ", key,
				   (unsigned long long)json_integer_value(value));
		else
			buf_printf(text, "%s=%s ", key, json_string_value(value));
		column += text->size - before;
	}
	if (column)
		buf_printf(text, "\n");
}

void port_row_text(const json_t *row, struct buf *text)
{
	uint32_t ofport = (uint32_t)json_integer_value(json_object_get(row, "ofport"));
	const json_t *word;
	char number[16];
	size_t i;

	if (ofport == OFPP_LOCAL)
		snprintf(number, sizeof number, "LOCAL");
	else
		snprintf(number, sizeof number, "%u", ofport);
	buf_printf(text, "%s (%s): %s%s", number, json_string_value(json_object_get(row, "name")),
		   json_string_value(json_object_get(row, "spec")),
		   json_is_true(json_object_get(row, "up")) ? "" : " DOWN");
	json_array_foreach(json_object_get(row, "forbidden"), i, word)
		buf_printf(text, "%s%s", i ? "," : " forbidden=", json_string_value(word));
	buf_printf(text, "\n");
	members_text(json_object_get(row, "readings"), text);
	members_text(json_object_get(row, "counters"), text);
}

json_t *panic_json(unsigned state)
{
	if (!state)
		return json_false();
	return json_string(state & PANIC_DETACH ? "detach" : "pass");
}
