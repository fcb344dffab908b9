/* SPDX-License-Identifier: Apache-2.0 */
/* Auxiliary connections (TS-023, 6.3): more of them to a controller that we dial.
 *
 * Each is a method of its own that says as its main one does, dialled while that one is connected
 * and ended with it, so that no controller sees one without the other.  Together they are one
 * channel: the role, what is heard and miss_send_len are the main connection's, whichever was
 * told (ofconn_channel()).  Any message may come on any of them, and is answered on the same;
 * barriers and bundles are a connection's own.  What we say unasked goes by the main connection,
 * but packet-ins, spread over the others. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/of-method.h"

static struct of_method *auxiliary_new(struct of_method *m, uint8_t id)
{
	size_t room = strlen(m->text) + sizeof " auxiliary 255";
	struct of_method *a = calloc(1, sizeof *a + room);

	if (!a)
		abort();
	a->of = m->of;
	a->method = m->method;
	a->main = m;
	a->auxiliary_id = id;
	snprintf(a->text, room, "%s auxiliary %u", m->text, id);
	method_dial(a);
	return a;
}

void auxiliaries_make(struct of_method *m)
{
	for (uint8_t i = 0; i < m->method.n_aux; i++)
		m->aux[i] = auxiliary_new(m, i + 1);
}

void auxiliaries_begin(struct of_method *m)
{
	const struct timeval now = {0, 0};

	for (unsigned i = 0; i < m->method.n_aux; i++) {
		m->aux[i]->n_failures = 0;
		event_add(m->aux[i]->again, &now);
	}
}

void auxiliary_ready(struct of_method *a)
{
	a->conn->main->aux[a->auxiliary_id - 1] = a->conn;
}

/* The connection may outlive its end, and its main one's. */
void auxiliary_ended(struct of_method *a, struct ofconn *c)
{
	c->main->aux[a->auxiliary_id - 1] = NULL;
	c->main = NULL;
	a->conn = NULL;
}

static void stop(struct of_method *a)
{
	struct ofconn *c = a->conn;

	if (c) {
		c->ready = c->ended = NULL;
		auxiliary_ended(a, c);
		ofconn_end(c, "");
	}
	if (a->dialling)
		bufferevent_free(a->dialling);
	a->dialling = NULL;
	event_del(a->again);
	event_del(a->deadline);
}

void auxiliaries_stop(struct of_method *m)
{
	for (unsigned i = 0; i < m->method.n_aux && m->aux[i]; i++)
		stop(m->aux[i]);
}
