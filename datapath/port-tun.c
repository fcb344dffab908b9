/* SPDX-License-Identifier: Apache-2.0 */
/* A tun device: the way into the kernel and out of it.
 *
 *	type=tun [dev=NAME] [mtu=N]
 *
 * The device is made here (a name of the port's own without dev=), brought up, and gone when the
 * port closes or the daemon dies.  What the kernel routes to it arrives here; what is output to it
 * arrives in the kernel as if received.  One queue, a PORT_L3 port. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/port-copy.h"

/* Asking is a system call, so a device that had nothing is left alone for a while; a worker that
 * sleeps is woken all the same. */
enum { QUIET_NS = 20000 };

struct tun {
	uint64_t quiet_until;
	uint8_t octets[PORT_OCTETS_MAX];
};

static void tun_close(struct port *port)
{
	if (port->queue && port->queue[0].fd >= 0)
		close(port->queue[0].fd);
	free(port->priv);
	port->priv = NULL;
}

static int tun_create(const char *dev, struct refusal *r)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return refuse(r, SYSTEM, "dev", "/dev/net/tun: %s", strerror(errno));
	memcpy(ifr.ifr_name, dev, strlen(dev));
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		int error = errno;

		close(fd);
		if (error == EBUSY || error == EINVAL)
			return refuse(r, IN_USE, "dev",
				      "there is an interface %s already; dev= takes a new name",
				      dev);
		return refuse(r, SYSTEM, "dev", "cannot make tun device %s: %s%s", dev,
			      strerror(error),
			      error == EPERM ? " (CAP_NET_ADMIN is needed, as root has it)" : "");
	}
	return fd;
}

/* MTU, up, and the interface's index. */
static int tun_configure(struct port *port, const char *dev, struct refusal *r)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), e;
	struct ifreq ifr = {0};

	memcpy(ifr.ifr_name, dev, strlen(dev));
	ifr.ifr_mtu = (int)port->mtu;
	e = s < 0 || ioctl(s, SIOCSIFMTU, &ifr) || ioctl(s, SIOCGIFFLAGS, &ifr);
	if (!e) {
		ifr.ifr_flags |= IFF_UP;
		e = ioctl(s, SIOCSIFFLAGS, &ifr) || ioctl(s, SIOCGIFINDEX, &ifr);
		port->ifindex = ifr.ifr_ifindex;
	}
	if (e)
		refuse(r, SYSTEM, "dev", "cannot bring %s up: %s", dev, strerror(errno));
	if (s >= 0)
		close(s);
	return e ? -EINVAL : 0;
}

static int tun_open(struct port *port, struct options *o, struct refusal *r)
{
	const char *dev = option(o, "dev");
	uint64_t mtu = 1500;

	if (!dev)
		dev = port->name;
	if (option_u64(o, "mtu", (struct range){68, 65535}, &mtu, r))
		return -EINVAL;
	if (o->offline)
		return refuse(r, NOT_HERE, "type",
			      "type=tun needs the kernel; offline there are pcap ports");
	if (!*dev || strlen(dev) >= IFNAMSIZ || strchr(dev, '%') || strchr(dev, '/'))
		return refuse(
			r, BAD_VALUE, "dev",
			"'%s' is no name for an interface: 1 to %d octets, without '/' or '%%'",
			dev, IFNAMSIZ - 1);
	port->priv = calloc(1, sizeof(struct tun));
	if (!port->priv || port_queues(port, 1)) {
		tun_close(port);
		return refuse(r, SYSTEM, "dev", "no memory for the port");
	}
	port->flags |= PORT_L3;
	port->mtu = (uint32_t)mtu;
	port->up = true;
	port->queue[0].fd = tun_create(dev, r);
	if (port->queue[0].fd < 0 || tun_configure(port, dev, r)) {
		tun_close(port);
		return -EINVAL;
	}
	return 0;
}

static unsigned tun_rx(struct worker *w, struct queue *q, struct batch *b)
{
	struct tun *t = q->port->priv;
	unsigned n;

	if (w->now < t->quiet_until)
		return 0;
	/* Without frames the kernel's queue is the better place to wait. */
	for (n = 0; n < BATCH_MAX && w->frames.n_free > PKT_SEGS && w->n_free_pkts; n++) {
		ssize_t size = read(q->fd, t->octets, sizeof t->octets);

		if (size <= 0) {
			if (size < 0 && errno != EAGAIN)
				counter_add(&w->port[q->port->id].rx_errors, 1);
			t->quiet_until = w->now + QUIET_NS;
			break;
		}
		port_receive(w, q, b,
			     (struct wire_octets){t->octets, (uint32_t)size, (uint32_t)size});
	}
	return n;
}

static void tun_tx(struct worker *w, struct queue *q)
{
	struct tun *t = q->port->priv;
	struct pkt *p;

	BATCH_FOR_EACH (p, &q->out) {
		uint32_t size = port_copy_out(w, q, p, t->octets);

		if (!size)
			continue;
		if (write(q->fd, t->octets, size) == (ssize_t)size) {
			pkt_sent(w, q, p, false);
		} else {
			counter_add(&w->port[q->port->id].tx_errors, 1);
			drop(w, p, DROP_TX_ERROR);
		}
	}
	q->out.n = 0;
}

const struct port_class port_tun = {
	.name = "tun",
	.open = tun_open,
	.close = tun_close,
	.rx = tun_rx,
	.tx = tun_tx,
};
