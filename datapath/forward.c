/* SPDX-License-Identifier: Apache-2.0 */
/* fib_forward(): from a destination address to a port, by route, next hop and neighbour. */
#include "datapath/worker.h"
#include "lib/openflow.h"

enum { NEIGH_ASK_MS = 100 };

/* Asks the control thread for a next hop's link address: at most once in a while for each slot of
 * a small table, so that neither one destination nor a scan of many floods it. */
static void neigh_ask(struct worker *w, const struct ip *ip, int ifindex)
{
	uint64_t *asked = &w->neigh_asked[(ip_hash(ip) + (uint32_t)ifindex) % NEIGH_SLOTS];
	struct event_neigh event = {
		.event = {EVENT_NEIGH, sizeof event}, .ip = *ip, .ifindex = ifindex};

	if (*asked && w->now - *asked < NEIGH_ASK_MS * NSEC_PER_MSEC)
		return;
	if (event_send(w, &event, sizeof event, NULL, 0))
		*asked = w->now;
}

/* To a neighbour on an Ethernet port. */
static void send_on_link(struct worker *w, struct pkt *p, struct port *port, const struct ip *hop,
			 int ifindex)
{
	const struct fib_neigh *neigh = fib_neigh_find(&w->dp->fib, hop, ifindex);

	if (!neigh) {
		neigh_ask(w, hop, ifindex);
		drop(w, p, DROP_NEIGH_UNRESOLVED);
		return;
	}
	if (pkt_own(w, p, ETH_HLEN_, 0)) {
		drop(w, p, DROP_NO_FRAME);
		return;
	}
	memcpy(p->data, neigh->mac, 6);
	memcpy(p->data + 6, port->mac, 6);
	p->flags &= (uint8_t)~PKT_VIRTUAL_ETH;
	port_output(w, p, port);
}

static void send_by(struct worker *w, struct pkt *p, const struct fib_path *path,
		    const struct ip *dst)
{
	const struct ip *hop = path->via.family ? &path->via : dst;
	struct port *port = port_by_ifindex(w->dp, path->ifindex);

	if (!port) {
		drop(w, p, DROP_NO_PORT);
		return;
	}
	trace(w, p, ROUTE, port->id, hop->family == 4 ? ip_as_v4(hop) : 0);
	if (!port->up) {
		drop(w, p, DROP_PORT_DOWN);
	} else if (port->mtu && p->len - ETH_HLEN_ > port->mtu) {
		/* Fragmentation and "packet too big" belong here; until they exist it is a loss
		 * with a name. */
		drop(w, p, DROP_MTU);
	} else if (port->flags & (PORT_L3 | PORT_CONN)) {
		p->flags |= PKT_VIRTUAL_ETH; /* the link header it came with has had its day */
		port_output(w, p, port);
	} else {
		send_on_link(w, p, port, hop, path->ifindex);
	}
}

/* Its destination address; false where there is no IP header directly behind Ethernet's. */
static bool ip_destination(const struct pkt *p, struct ip *dst)
{
	const uint8_t *ip = p->data + ETH_HLEN_;

	if (p->l3 != ETH_HLEN_)
		return false;
	if (p->seg[0].len >= ETH_HLEN_ + 20 && ip[0] >> 4 == 4) {
		be32 addr;

		memcpy(&addr, ip + 16, sizeof addr);
		*dst = ip_v4(addr);
		return true;
	}
	if (p->seg[0].len >= ETH_HLEN_ + 40 && ip[0] >> 4 == 6) {
		*dst = ip_v6(ip + 24);
		return true;
	}
	return false;
}

void fib_forward(struct worker *w, struct pkt *p)
{
	const struct fib_route *route;
	const struct fib_path *path;
	struct ip dst;

	if (!ip_destination(p, &dst)) {
		drop(w, p, DROP_NOT_OURS);
		return;
	}
	route = fib_lookup(&w->dp->fib, &dst);
	if (route && route->kind == FIB_LOCAL) {
		output_run(w, p, OFPP_LOCAL, 0);
		return;
	}
	path = route && route->kind == FIB_UNICAST ? fib_path_choose(route, pkt_flow_hash(p))
						   : NULL;
	if (!path)
		drop(w, p, DROP_NO_ROUTE);
	else
		send_by(w, p, path, &dst);
}
