/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/trace.h"

#include "datapath/worker.h"
#include "lib/cursor.h"

static const char *const texts[N_TRACES] = {
#define TRACE(ID, TEXT) [TRACE_##ID] = TEXT,
#include "datapath/traces.def"
#undef TRACE
};

void trace_add(struct worker *w, uint32_t id, enum trace_point point, uint64_t a, uint64_t b)
{
	struct trace_record *r = ring_reserve(&w->traces, sizeof *r);

	if (!r)
		return; /* nobody reads: the first records are the ones that matter */
	*r = (struct trace_record){w->now, id, (uint16_t)point, (uint16_t)w->id, a, b};
	ring_submit(&w->traces);
}

void trace_begin(struct worker *w, struct pkt *p)
{
	p->flags |= PKT_TRACED;
	p->trace_id = ++w->trace_id;
}

void trace_keyed(struct worker *w, struct pkt *p)
{
	/* Looking for it counts nowhere: that is for rules. */
	struct probe probe = {.key = key_view_of(&p->key, &p->outer->key),
			      .worker = w,
			      .pkt = p,
			      .unverified = true};

	if (!w->trace_match)
		return;
	if (w->trace_left && match_met(w->trace_match, &probe)) {
		w->trace_left--;
		trace(w, p, MATCHED, 0, 0);
	} else {
		p->flags &= (uint8_t)~PKT_TRACED;
	}
}

static void port_name(const struct datapath *dp, uint64_t id, struct buf *text)
{
	const struct port *port = id < PORT_MAX ? port_get(dp, (uint32_t)id) : NULL;

	if (port)
		buf_printf(text, "%s", port->name);
	else
		buf_printf(text, id == PORT_NONE ? "no port" : "port %u (gone)", (unsigned)id);
}

/* What an action's first argument means depends on the action. */
static void action_argument(unsigned kind, uint64_t v, struct buf *text)
{
	switch (kind) {
	case ACTION_OUTPUT:
		buf_printf(text, " to ");
		port_format((uint32_t)v, text);
		break;
	case ACTION_SET_FIELD:
		buf_printf(text, " of %s", v < N_FIELDS ? fields[v].name : "?");
		break;
	case ACTION_GROUP:
	case ACTION_METER:
		buf_printf(text, " %llu", (unsigned long long)v);
		break;
	case ACTION_CLAMP_MSS:
	case ACTION_SET_NW_TTL:
		buf_printf(text, " to %llu", (unsigned long long)v);
		break;
	case ACTION_SAMPLE:
		buf_printf(text, " of one in %llu", (unsigned long long)v);
		break;
	case ACTION_PUSH_VLAN:
		buf_printf(text, " of type 0x%llx", (unsigned long long)v);
		break;
	}
}

static void argument(const struct datapath *dp, char kind, uint64_t v, struct buf *text)
{
	const uint8_t *o = (const uint8_t *)&v;

	switch (kind) {
	case 'p':
	case 'c':
		port_name(dp, v, text);
		break;
	case 'x':
		buf_printf(text, "0x%llx", (unsigned long long)v);
		break;
	case 'd':
		buf_printf(text, "%s (%s)", drop_reasons[v % N_DROPS].name,
			   drop_reasons[v % N_DROPS].text);
		break;
	case 's':
		buf_printf(text, "%s", consume_reasons[v % N_CONSUMES].text);
		break;
	case 'a':
		buf_printf(text, "%s", action_class(v % N_ACTIONS)->name);
		break;
	case '4':
		buf_printf(text, "%u.%u.%u.%u", o[0], o[1], o[2], o[3]);
		break;
	case 'i':
		buf_printf(text, "%lld", (long long)v);
		break;
	default:
		buf_printf(text, "%llu", (unsigned long long)v);
	}
}

static void condition(const uint64_t args[2], struct buf *text)
{
	struct cond c = cond_unpack(args);

	if (c.kind < N_CONDS && c.field <= N_FIELDS && c.field2 <= N_FIELDS)
		cond_format(&c, text);
}

void trace_text(const struct datapath *dp, const struct trace_record *r, struct buf *text)
{
	uint64_t args[2] = {r->a, r->b};
	unsigned n = 0;

	for (const char *c = texts[r->point % N_TRACES]; *c; c++) {
		if (*c != '%')
			buf_u8(text, (uint8_t)*c);
		else if (c[1] == 'C' && c++)
			condition(args, text);
		else if (c[1] == 'A' && c++)
			action_argument((unsigned)r->a, args[n++], text);
		else if (c[1] == 'k' && c++)
			limiter_text_key(dp->limiter, r->a, r->b, text);
		else if (c[1] == 'l' && c++)
			limiter_text_state(dp->limiter, r->a, r->b, text);
		else if (n < 2)
			argument(dp, *++c, args[n++], text);
	}
}
