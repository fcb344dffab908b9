/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of what handlers and reports show: a rule, a port, a connection, as text and as a value.
 *
 * Rows are made from the control side's state and from counters that workers write, on the control
 * thread; values are the caller's. */
#ifndef SLUICE_CTL_ROWS_H
#define SLUICE_CTL_ROWS_H

#include "ctl/mgmt.h"

struct flow_rows {
	struct flow_visit visit;
	uint64_t now;
	struct buf text;
	json_t *list;
	bool no_text, no_json;
};

/* ` cookie=0x0, duration=3.2s, table=0, n_packets=…, …, priority=…,MATCH actions=…`: flow_parse()
 * reads it back, and passes over what was counted. */
void flow_row_text(struct flow_rows *rows, const struct flow *f, const struct flow_stats *stats);
json_t *flow_row_json(const struct flow_rows *rows, const struct flow *f,
		      const struct flow_stats *stats);

/* A port's or connection's name, number, options, readings and counters. */
json_t *port_row(struct ofproto *o, struct port *p);
void port_row_text(const json_t *row, struct buf *text);

/* Ports (conns false) or connections in order of their OpenFlow numbers: an array of pointers that
 * ends with NULL; free() it. */
struct port **ports_sorted(struct ofproto *o, bool conns);

static inline struct conn *conn_of(struct port *p)
{
	return container_of(p, struct conn, port);
}

/* The controllers' methods and connections, as a list and as lines. */
json_t *controllers_show(struct daemon *d, struct buf *text);
/* Those that the store remembers, at the start. */
int controllers_restore(struct daemon *d, struct refusal *r);
/* verb-tls.c */
int tls_restore(struct daemon *d, struct refusal *r);
bool controller_there(struct daemon *d, const char *method, const char *options);

/* Collectors of samples: what was sent, to whom, as a value and as lines; those of the store. */
json_t *sflow_collect(struct daemon *d);
void sflow_text(const json_t *value, struct buf *text);
int collectors_restore(struct daemon *d, struct refusal *r);

/* An enum panic_state: false, "pass", or "detach", whatever the rules do. */
json_t *panic_json(unsigned state);

#endif
