/* SPDX-License-Identifier: Apache-2.0 */
/* What controllers forbid ports to do (TS-023, 7.2.1 and 7.3.4.3): a change like any other, kept in
 * the store by the port's name until the port is deleted.  The interface itself is left alone. */
#include <inttypes.h>
#include <stdlib.h>

#include "lib/log.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

enum {
	OUTWARD = OFPPC_NO_FWD | OFPPC_NO_PACKET_IN,
	SETTABLE = OUTWARD | OFPPC_PORT_DOWN | OFPPC_NO_RECV,
};

struct port_step {
	struct step step;
	struct port *port;
	uint32_t was, comes;
};

static void mod_publish(struct ofproto *o, struct step *s)
{
	const struct port_step *ps = container_of(s, struct port_step, step);

	(void)o;
	__atomic_store_n(&ps->port->config, ps->comes, __ATOMIC_RELAXED);
}

static void mod_done(struct ofproto *o, struct step *s)
{
	struct port_step *ps = container_of(s, struct port_step, step);

	if (ps->was != ps->comes)
		tell_port_status(o, ps->port, OFPPR_MODIFY);
	free(ps);
}

static void mod_undo(struct ofproto *o, struct step *s)
{
	struct port_step *ps = container_of(s, struct port_step, step);

	(void)o;
	ps->port->config_staged = ps->was;
	free(ps);
}

static const struct step_class mod_class = {mod_publish, mod_done, mod_undo};

void port_config_keep(struct ofproto *o, const char *name, uint32_t config)
{
	char text[16];

	snprintf(text, sizeof text, "%" PRIu32, config);
	change_store(o, store_op_object("port-config", name, config ? text : NULL));
}

/* What a connection gives has been paid for before it is a packet of a port. */
static int check(const struct port *port, const struct port_mod *pm, struct refusal *r)
{
	uint32_t settable = port->flags & PORT_CONN ? OUTWARD : SETTABLE;

	if (pm->config & pm->mask & ~settable)
		return refuse(r, PORT_MOD_CONFIG, "config",
			      "configuration bits 0x%x of %s cannot be set; those of 0x%x can",
			      pm->config & pm->mask & ~settable, port->name, settable);
	return 0;
}

int ofproto_port_mod(struct ofproto *o, const struct port_mod *pm, struct waiter *w,
		     struct refusal *r)
{
	struct port *port = port_by_ofport(&o->dp, pm->ofport);
	const char *name = pm->ofport == OFPP_LOCAL ? "LOCAL" : port ? port->name : "";
	struct port_step *ps;

	if (!port || ofproto_port(o, name) != port) /* it is on its way out */
		return refuse(r, PORT_MOD_PORT, "port_no", "port %u does not exist", pm->ofport);
	if (check(port, pm, r))
		return -EINVAL;
	ps = mem_new(sizeof *ps);
	ps->step.class = &mod_class;
	ps->port = port;
	ps->was = port->config_staged;
	ps->comes = (ps->was & ~pm->mask) | (pm->config & pm->mask);
	port->config_staged = ps->comes;
	change_step(o, &ps->step);
	port_config_keep(o, name, ps->comes);
	change_staged(o, w);
	return 0;
}

/* ---- Restart ----------------------------------------------------------------------------- */

struct restore {
	struct store_visit visit;
	struct ofproto *o;
};

void port_config_restore(struct port *port, uint32_t config)
{
	if (port)
		port->config = port->config_staged = config;
}

/* Of a port whose interface is not there yet it waits with it. */
static int restore_one(struct store_visit *v, const char *name, const char *text, struct refusal *r)
{
	struct ofproto *o = container_of(v, struct restore, visit)->o;
	uint32_t config = (uint32_t)strtoul(text, NULL, 10) & SETTABLE;
	struct lost *lost = lost_find(o, name);

	(void)r;
	port_config_restore(ofproto_port(o, name), config);
	if (lost)
		lost->config = config;
	return 0;
}

int port_configs_restore(struct ofproto *o, struct refusal *r)
{
	struct restore restore = {.visit.object = restore_one, .o = o};

	return store_load_objects(o->store, "port-config", &restore.visit, r);
}
