/* SPDX-License-Identifier: Apache-2.0 */
/* A network interface's queues over AF_XDP: the control side.
 *
 *	type=afxdp [dev=IF] [queues=all|N] [mode=auto|zerocopy|copy|skb] [host=kernel|none|rules]
 *	[busy-poll=yes] [force=yes] [confirm=N]
 *
 * `dev` is the port's name unless given.  `mode=auto` tries zero copy, then copying in the driver
 * (native), then in the generic hook (skb); `status` says which it got, as read back from the
 * kernel, and why.  `host` says who gets what is addressed to this host (sluice.bpf.c); the
 * default is `kernel` when the interface has an address, else `none`, where sluice takes every
 * frame, promiscuously.  The interface of the default route is taken with force=yes or confirm=N
 * alone: with host=none, or a wrong rule, it is how one loses the machine.
 *
 * VLAN tags are received with host=none; with host=kernel tagged frames are the kernel's.  The
 * device's own stripping of tags, invisible to XDP, is off while the port is there.  The port's MAC
 * address is the interface's when the port is opened.
 *
 * Order: the program is attached, then sockets are bound, then they are entered into its map; and
 * the opposite at the end.  An interface that has an XDP program already is refused. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "datapath/afxdp.h"
#include "datapath/netdev.h"
#include "lib/log.h"
#include "lib/panic.h"

enum mode { MODE_AUTO, MODE_ZEROCOPY, MODE_COPY, MODE_SKB };

/* In the order of enum steer_host. */
static const char *const hosts[] = {"none", "kernel", "rules", NULL};
enum { HOST_BY_ADDRESS = ARRAY_SIZE(hosts) };

enum { LET_GO_MSEC = 50 };

struct wanted {
	const char *dev;
	enum mode mode;
	uint64_t queues; /* 0: all */
	unsigned host;   /* enum steer_host, or HOST_BY_ADDRESS */
	bool busy_poll, force, restored;
	uint64_t confirm; /* ns */
};

static int read_options(struct port *port, struct options *o, struct wanted *want,
			struct refusal *r)
{
	static const char *const modes[] = {"auto", "zerocopy", "copy", "skb", NULL};
	const char *queues = option(o, "queues");
	unsigned mode = MODE_AUTO;

	*want = (struct wanted){
		.dev = option(o, "dev"), .host = HOST_BY_ADDRESS, .restored = o->restored};
	if (!want->dev)
		want->dev = port->name;
	if (option_word(o, "mode", modes, &mode, r) ||
	    option_word(o, "host", hosts, &want->host, r) ||
	    option_bool(o, "busy-poll", &want->busy_poll, r) ||
	    option_bool(o, "force", &want->force, r) ||
	    option_time(o, "confirm", &want->confirm, r)) /* the timer is the control side's */
		return -EINVAL;
	if (queues && strcmp(queues, "all") &&
	    option_u64(o, "queues", (struct range){1, PORT_QUEUES}, &want->queues, r))
		return -EINVAL;
	want->mode = mode;
	return 0;
}

/* What speaks against taking this interface. */
static int check(const struct wanted *want, const struct netdev *n, struct refusal *r)
{
	char occupant[64];

	if (want->queues > n->n_queues)
		return refuse(r, BAD_VALUE, "queues", "%s has %u queues; queues=all takes them all",
			      want->dev, n->n_queues);
	if (n->n_queues > PORT_QUEUES && !want->queues)
		return refuse(r, LIMIT, "queues",
			      "%s has %u queues, a port at most %u; ethtool -L sets fewer",
			      want->dev, n->n_queues, PORT_QUEUES);
	if (n->default_route && !want->force && !want->confirm && !want->restored)
		return refuse(r, NEEDS_FORCE, "dev",
			      "the default route leaves by %s; confirm=SECONDS puts it back unless "
			      "confirmed, "
			      "force=yes takes it all the same",
			      want->dev);
	if (steer_occupant(n->ifindex, occupant, sizeof occupant))
		return refuse(r, OCCUPIED, "dev",
			      "%s has an XDP program already: %s; it has to go first", want->dev,
			      occupant);
	return 0;
}

/* ---- Opening in one mode ----------------------------------------------------------------- */

static void close_sockets(struct port *port)
{
	struct afxdp *x = port->priv;

	for (unsigned i = 0; i < x->n; i++) {
		steer_socket_clear(x->steer, i);
		xsk_close(&x->queue[i].xsk);
		port->queue[i].fd = -1;
	}
	x->n = 0;
}

static int open_sockets(struct port *port, bool zerocopy)
{
	struct afxdp *x = port->priv;

	for (unsigned i = 0; i < port->n_queues; i++) {
		struct xsk_config config = {
			.ifindex = port->ifindex,
			.queue = i,
			.umem = &port->dp->umem,
			.share = i ? &x->queue[0].xsk : NULL,
			.zerocopy = zerocopy,
			.busy_poll = x->busy_poll,
		};
		int e = xsk_open(&x->queue[i].xsk, &config);

		if (!e) {
			x->n = i + 1;
			port->queue[i].fd = x->queue[i].xsk.fd;
			e = steer_socket_set(x->steer, i, port->queue[i].fd);
		}
		if (e) {
			close_sockets(port);
			return e;
		}
	}
	return 0;
}

/* Appends to the account of what was tried. */
static void say(struct afxdp *x, const char *what, const char *result)
{
	size_t n = strlen(x->why);

	snprintf(x->why + n, sizeof x->why - n, "%s%s: %s", n ? "; " : "", what, result);
}

static bool detached(const struct port *port)
{
	return port->dp->panic && panic_on(&port->dp->panic->detach);
}

/* Names the link in the panic page, where it can be taken off when we do not answer. */
static void tell_page(struct port *port)
{
	struct panic_page *page = port->dp->panic;
	struct afxdp *x = port->priv;
	uint32_t id = steer_link_id(x->steer);

	if (!page)
		return;
	if (id && panic_link_add(page, (uint32_t)port->ifindex, id))
		LOG(ERR, "%s: more ports than `panic detach` can take off without us", port->name);
	if (id && detached(port))
		steer_off(x->steer); /* it was asked for before the link had a name */
	if (!steer_link_id(x->steer))
		panic_link_del(page, (uint32_t)port->ifindex);
}

static int attach(struct port *port, bool generic)
{
	struct afxdp *x = port->priv;
	struct steer_config config = {.ifindex = port->ifindex,
				      .host = x->host,
				      .generic = generic,
				      .off = detached(port)};
	char why[128];

	memcpy(config.mac, port->mac, sizeof config.mac);
	x->steer = steer_attach(&config, why, sizeof why);
	if (x->steer) {
		tell_page(port);
		return 0;
	}
	say(x, generic ? "generic hook" : "driver's hook", why);
	return -errno;
}

static void detach(struct port *port)
{
	struct afxdp *x = port->priv;

	if (x->steer && port->dp->panic)
		panic_link_del(port->dp->panic, (uint32_t)port->ifindex);
	if (x->steer)
		steer_detach(x->steer);
	x->steer = NULL;
}

static int afxdp_hook(struct port *port, bool on)
{
	struct afxdp *x = port->priv;
	int e = 0;

	if (!on) {
		steer_off(x->steer); /* also what somebody else took off */
	} else if (!steer_link_id(x->steer)) {
		e = steer_on(x->steer, x->generic);
		/* Opened in a panic, it was never tried. */
		if (e && !x->generic && !x->queue[0].xsk.zerocopy) {
			e = steer_on(x->steer, true);
			x->generic = !e;
		}
	}
	tell_page(port);
	return e;
}

static int try_sockets(struct port *port, bool zerocopy)
{
	struct afxdp *x = port->priv;
	int e = open_sockets(port, zerocopy);

	/* EOPNOTSUPP has two numbers' worth of text; this one is read by people. */
	say(x, zerocopy ? "zero copy" : "copy",
	    e == -EOPNOTSUPP ? "not supported by the driver"
	    : e == -EBUSY    ? "the queue is bound by another process"
	    : e              ? strerror(-e)
			     : "yes");
	return e;
}

static int open_mode(struct port *port, enum mode mode)
{
	struct afxdp *x = port->priv;
	int e = -EOPNOTSUPP;

	if (mode != MODE_SKB) {
		e = attach(port, false);
		if (!e && mode != MODE_COPY)
			e = try_sockets(port, true);
		else if (!e)
			e = try_sockets(port, false);
		if (e && mode == MODE_AUTO && x->steer)
			e = try_sockets(port, false);
		if (!e)
			return 0;
		detach(port);
	}
	if (mode == MODE_AUTO || mode == MODE_SKB) {
		x->generic = true;
		e = attach(port, true);
		e = e ? e : try_sockets(port, false);
		if (e)
			detach(port);
	}
	return e;
}

/* ---- Open and close ---------------------------------------------------------------------- */

static void free_port(struct port *port)
{
	struct afxdp *x = port->priv;

	if (x && x->promiscuous >= 0)
		close(x->promiscuous);
	if (x && x->vlan_stripping)
		netdev_vlan_stripping(port->ifindex, true);
	if (x)
		for (unsigned i = 0; i < port->n_queues; i++)
			free(x->queue[i].held);
	free(x);
	port->priv = NULL;
}

static int make_port(struct port *port, const struct netdev *n, const struct wanted *want,
		     struct refusal *r)
{
	unsigned n_queues = want->queues ? (unsigned)want->queues : n->n_queues;
	struct afxdp *x = calloc(1, sizeof *x + n_queues * sizeof x->queue[0]);
	bool ok = x && !port_queues(port, n_queues);

	port->priv = x;
	for (unsigned i = 0; ok && i < n_queues; i++) {
		x->queue[i].xsk.fd = -1;
		x->queue[i].held = calloc(port->dp->umem.n, sizeof x->queue[i].held[0]);
		port->queue[i].priv = &x->queue[i];
		ok = x->queue[i].held;
	}
	if (!ok) {
		if (x)
			x->promiscuous = -1;
		free_port(port);
		return refuse(r, SYSTEM, "queues", "no memory for %u queues", n_queues);
	}
	x->promiscuous = -1;
	x->channels = n->n_queues;
	x->busy_poll = want->busy_poll;
	x->host = want->host != HOST_BY_ADDRESS ? want->host
		  : n->has_address              ? STEER_HOST_KERNEL
						: STEER_HOST_NONE;
	memcpy(x->driver, n->driver, sizeof x->driver);
	port->ifindex = n->ifindex;
	port->mtu = n->mtu;
	port->up = n->up;
	memcpy(port->mac, n->mac, sizeof port->mac);
	return 0;
}

static int afxdp_open(struct port *port, struct options *o, struct refusal *r)
{
	struct wanted want;
	struct netdev n;
	struct afxdp *x;
	int e;

	if (read_options(port, o, &want, r))
		return -EINVAL;
	if (o->offline)
		return refuse(r, NOT_HERE, "type",
			      "type=afxdp needs the kernel; offline there are pcap ports");
	if (netdev_read(want.dev, &n, r) || check(&want, &n, r) || make_port(port, &n, &want, r))
		return -EINVAL;
	x = port->priv;
	x->vlan_stripping = netdev_vlan_stripping(port->ifindex, false);
	e = open_mode(port, want.mode);
	if (e) {
		refuse(r, SYSTEM, "mode", "%s: %s%s", want.dev, x->why,
		       e == -EPERM ? " (CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF are needed)" : "");
		free_port(port);
		return -EINVAL;
	}
	if (x->host == STEER_HOST_NONE)
		x->promiscuous = netdev_promiscuous(port->ifindex);
	return 0;
}

static void give_back(struct worker *w, void *arg)
{
	afxdp_give_back(w, arg);
}

static void afxdp_close(struct port *port)
{
	struct afxdp *x = port->priv;
	bool zerocopy = x->queue[0].xsk.zerocopy;

	close_sockets(port);
	/* The kernel ends zero copy some time after the socket: until then the driver may write
	 * into our frames, and must not lose its program. */
	if (zerocopy)
		nanosleep(&(struct timespec){0, LET_GO_MSEC * NSEC_PER_MSEC}, NULL);
	detach(port);
	for (unsigned i = 0; i < port->n_queues; i++)
		worker_call(port->dp->worker[port->queue[i].owner], give_back, &x->queue[i]);
	free_port(port);
}

/* ---- Status ------------------------------------------------------------------------------ */

static void socket_statistics(const struct afxdp *x, struct report *r)
{
	struct xdp_statistics sum = {0};
	uint64_t wakeups = 0, bad = 0;

	for (unsigned i = 0; i < x->n; i++) {
		struct xdp_statistics s = {0};
		socklen_t size = sizeof s;

		getsockopt(x->queue[i].xsk.fd, SOL_XDP, XDP_STATISTICS, &s, &size);
		sum.rx_dropped += s.rx_dropped;
		sum.rx_ring_full += s.rx_ring_full;
		sum.rx_fill_ring_empty_descs += s.rx_fill_ring_empty_descs;
		sum.rx_invalid_descs += s.rx_invalid_descs;
		sum.tx_invalid_descs += s.tx_invalid_descs;
		wakeups += counter_read(&x->queue[i].n_wakeups);
		bad += counter_read(&x->queue[i].n_bad);
	}
	r->number(r, "kernel_rx_dropped", sum.rx_dropped);
	r->number(r, "kernel_rx_ring_full", sum.rx_ring_full);
	r->number(r, "kernel_fill_ring_empty", sum.rx_fill_ring_empty_descs);
	r->number(r, "kernel_invalid_descriptors",
		  sum.rx_invalid_descs + sum.tx_invalid_descs + bad);
	r->number(r, "wakeups", wakeups);
}

static void afxdp_status(const struct port *port, struct report *r)
{
	const struct afxdp *x = port->priv;
	const struct xsk *first = &x->queue[0].xsk;
	char dev[IF_NAMESIZE];

	r->string(r, "dev", if_indextoname((unsigned)port->ifindex, dev) ? dev : "gone");
	r->string(r, "driver", x->driver);
	r->string(r, "mode", first->zerocopy ? "zerocopy" : x->generic ? "skb" : "copy");
	r->string(r, "why", x->why);
	r->string(r, "host", hosts[x->host]);
	r->string(r, "attached", steer_link_id(x->steer) ? "yes" : "no");
	r->string(r, "segments", first->segments ? "yes" : "no");
	r->string(r, "busy_poll", first->busy_poll ? "yes" : "no");
	r->number(r, "queues", port->n_queues);
	r->number(r, "queues_of_interface", x->channels);
	socket_statistics(x, r);
}

const struct port_class port_afxdp = {
	.name = "afxdp",
	.open = afxdp_open,
	.close = afxdp_close,
	.rx = afxdp_rx,
	.tx = afxdp_tx,
	.kick = afxdp_kick,
	.hook = afxdp_hook,
	.status = afxdp_status,
	.frames_held = afxdp_frames_held,
};
