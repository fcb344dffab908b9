/* SPDX-License-Identifier: Apache-2.0 */
/* Ports: opened by their class, numbered, named. */
#include <stdio.h>

#include "lib/log.h"
#include "ofproto/kernel.h"
#include "ofproto/memory.h"
#include "ofproto/state.h"

static const void *class_find(const char *type)
{
	return port_class_by_name(type);
}

int port_begin(struct ofproto *o, struct port *port, struct options *opt, struct refusal *r)
{
	int error;

	port->up = true;
	port->dp = &o->dp;
	error = port->class->open(port, opt, r);
	if (error)
		return error;
	error = options_finish(opt, r);
	if (!error && datapath_add_port(&o->dp, port))
		error = refuse(r, LIMIT, "name", "there are %d ports, as many as there can be",
			       PORT_MAX);
	if (error && port->class->close)
		port->class->close(port);
	if (!error)
		kernel_port_added(o, port);
	return error;
}

static void port_free(struct port *port)
{
	free(port->queue);
	rcu_free(port);
}

void port_end(struct ofproto *o, struct port *port)
{
	datapath_del_port(&o->dp, port);
	if (port->class->close)
		port->class->close(port);
	port_free(port);
}

/* confirm=N: seconds until it is taken back.  force=yes is for the class; every port knows the
 * word. */
static int read_confirm(struct ofproto *o, struct object *b, struct options *opt, struct refusal *r)
{
	uint64_t ns = 0;
	bool force;

	if (option_time(opt, "confirm", &ns, r) || option_bool(opt, "force", &force, r))
		return -EINVAL;
	b->confirm_ns = ns ? ofproto_now(o) + ns : TIMER_NEVER;
	return 0;
}

/* host=… by default depends on whether the interface has an address.  After a restart it may not
 * have it yet, and the machine must not lose its packets to the rules for that: the choice is kept.
 */
struct choice {
	struct report report;
	char word[32];
};

static void no_number(struct report *r, const char *key, uint64_t value)
{
	(void)r, (void)key, (void)value;
}

static void see_host(struct report *r, const char *key, const char *value)
{
	struct choice *c = container_of(r, struct choice, report);

	if (!strcmp(key, "host"))
		snprintf(c->word, sizeof c->word, "host=%s", value);
}

static void keep_choice(struct object *b)
{
	struct choice c = {.report = {no_number, see_host}};

	if (!b->port->class->status || strstr(b->text, "\nhost="))
		return;
	b->port->class->status(b->port, &c.report);
	if (*c.word)
		object_append(b, c.word);
}

struct object *port_make(struct ofproto *o, struct words words, struct refusal *r)
{
	struct options opt = {0};
	struct object *b = object_new(o, words, &opt, r);
	struct port *port;

	if (!b) {
		options_free(&opt);
		return NULL;
	}
	port = b->port = mem_new(sizeof *port);
	snprintf(port->name, sizeof port->name, "%s", b->name);
	port->class = object_type(&opt, class_find, "add-port", r);
	if (!port->class || object_number(o, b, &opt, r) || read_confirm(o, b, &opt, r) ||
	    port_begin(o, port, &opt, r)) {
		options_free(&opt);
		port_free(port);
		object_free(b);
		return NULL;
	}
	options_free(&opt);
	keep_choice(b);
	if (port->ifindex > 0)
		host_port_make(o);
	return b;
}

void port_unmake(struct ofproto *o, struct object *b)
{
	port_end(o, b->port);
}

/* ---- LOCAL ------------------------------------------------------------------------------- */

enum { HOST_NAMES = 16 };

/* sluice0, or the next name that is free: daemons may share a namespace. */
void host_port_make(struct ofproto *o)
{
	struct refusal r = {0};

	if (o->offline || o->dp.local)
		return;
	for (unsigned i = 0; i < HOST_NAMES; i++) {
		struct port *port = mem_new(sizeof *port);
		struct options opt = {0};

		snprintf(port->name, sizeof port->name, "sluice%u", i);
		port->class = port_class_by_name("tun");
		port->ofport = OFPP_LOCAL;
		if (!port_begin(o, port, &opt, &r)) {
			rcu_set(o->dp.local, port);
			return;
		}
		port_free(port);
		if (r.code != REFUSED_IN_USE)
			break;
	}
	LOG(WARN, "ports: no way into the host: %s", r.text);
}

void host_port_unmake(struct ofproto *o)
{
	struct port *port = o->dp.local;

	if (port)
		port_end(o, port);
}

/* ---- Names, for the text of rules --------------------------------------------------------- */

static struct ofproto *named; /* there is one switch in a process */

static bool number_of(const char *name, uint32_t *ofport)
{
	const struct port *port = named ? ofproto_port(named, name) : NULL;

	if (port)
		*ofport = port->ofport;
	return port != NULL;
}

static const char *name_of(uint32_t ofport)
{
	for (struct object *b = named ? named->objects.first : NULL; b; b = b->next)
		if (!b->leaving && b->port->ofport == ofport)
			return b->name;
	return NULL;
}

void ports_name(struct ofproto *o)
{
	static const struct port_names names = {number_of, name_of};

	named = o;
	port_names = o ? &names : NULL;
}
