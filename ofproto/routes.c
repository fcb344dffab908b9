/* SPDX-License-Identifier: Apache-2.0 */
/* add-route, add-neigh: the FIB where no kernel feeds it (offline, and ports that the kernel does
 * not know). */
#include "ofproto/memory.h"
#include "ofproto/state.h"

/* The interface that stands for a port: the kernel's, or -1 - id. */
static int device(struct ofproto *o, const char *word, int *ifindex, struct refusal *r)
{
	const struct port *port;

	if (!word || strncmp(word, "dev=", 4))
		return refuse(r, SYNTAX, "dev", "dev=PORT is expected%s%s", word ? ", not " : "",
			      word ? word : "");
	port = ofproto_port(o, word + 4);
	if (!port)
		return refuse(r, NOT_FOUND, "dev", "there is no port %s", word + 4);
	*ifindex = port->ifindex > 0 ? port->ifindex : -1 - (int)port->id;
	return 0;
}

/* PREFIX [via IP] dev=PORT; PREFIX local [dev=PORT]: an address of the switch itself, and whose. */
int ofproto_add_route(struct ofproto *o, struct words words, struct refusal *r)
{
	struct fib_route *route = mem_new(sizeof *route + sizeof *route->path);
	unsigned at = 1;
	int error = 0;

	route->n_paths = 1;
	route->path[0].weight = 1;
	if (!words.n || !ip_prefix_parse(words.word[0], &route->prefix))
		error = refuse(r, BAD_VALUE, "prefix",
			       "PREFIX [via IP] dev=PORT is expected, not %s",
			       words.n ? words.word[0] : "nothing");
	if (!error && words.n >= 2 && !strcmp(words.word[1], "local")) {
		route->kind = FIB_LOCAL;
		route->own = true;
		route->n_paths = words.n > 2;
		at = 2;
		if (words.n > 2)
			error = device(o, words.word[at++], &route->path[0].ifindex, r);
	} else if (!error) {
		if (words.n > 2 && !strcmp(words.word[1], "via")) {
			if (!ip_parse(words.word[2], &route->path[0].via))
				error = refuse(r, BAD_VALUE, "via", "%s is no address",
					       words.word[2]);
			at = 3;
		}
		if (!error)
			error = device(o, at < words.n ? words.word[at] : NULL,
				       &route->path[0].ifindex, r);
		at++;
	}
	if (!error && at < words.n)
		error = refuse(r, SYNTAX, words.word[at], "%s is too much", words.word[at]);
	if (!error)
		fib_route_set(&o->dp.fib, route);
	free(route);
	return error;
}

/* IP MAC dev=PORT */
int ofproto_add_neigh(struct ofproto *o, struct words words, struct refusal *r)
{
	struct fib_neigh neigh = {0};
	int error;

	if (words.n != 3)
		return refuse(r, SYNTAX, "", "IP MAC dev=PORT is expected");
	if (!ip_parse(words.word[0], &neigh.ip))
		return refuse(r, BAD_VALUE, "ip", "%s is no address", words.word[0]);
	if (!eth_parse(words.word[1], neigh.mac))
		return refuse(r, BAD_VALUE, "mac", "%s is no Ethernet address", words.word[1]);
	error = device(o, words.word[2], &neigh.ifindex, r);
	if (!error)
		fib_neigh_set(&o->dp.fib, &neigh);
	return error;
}
