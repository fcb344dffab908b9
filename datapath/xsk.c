/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/xsk.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69
#define SO_BUSY_POLL_BUDGET 70
#endif

enum { BUSY_POLL_USEC = 20, BUSY_POLL_PACKETS = 64 };

static int set(int fd, int option, const void *value, socklen_t size)
{
	return setsockopt(fd, SOL_XDP, option, value, size) ? -errno : 0;
}

static int register_umem(int fd, const struct umem *u)
{
	struct xdp_umem_reg reg = {
		.addr = (uintptr_t)u->base,
		.len = (uint64_t)u->n * FRAME_SIZE,
		.chunk_size = FRAME_SIZE,
	};

	return set(fd, XDP_UMEM_REG, &reg, sizeof reg);
}

static int make_rings(int fd)
{
	uint32_t n = XSK_RING;
	int e = set(fd, XDP_UMEM_FILL_RING, &n, sizeof n);

	e = e ? e : set(fd, XDP_UMEM_COMPLETION_RING, &n, sizeof n);
	e = e ? e : set(fd, XDP_RX_RING, &n, sizeof n);
	return e ? e : set(fd, XDP_TX_RING, &n, sizeof n);
}

/* Maps one ring; NULL on failure. */
static uint8_t *map_ring(struct xsk *x, unsigned i, size_t size, off_t offset)
{
	void *at =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, x->fd, offset);

	if (at == MAP_FAILED)
		return NULL;
	x->map[i].at = at;
	x->map[i].size = size;
	return at;
}

static int map_prod(struct xsk *x, struct xsk_ring_prod *ring, unsigned i,
		    const struct xdp_ring_offset *o)
{
	size_t entry = i == 0 ? sizeof(uint64_t) : sizeof(struct xdp_desc);
	uint8_t *at = map_ring(x, i, o->desc + XSK_RING * entry,
			       i == 0 ? XDP_UMEM_PGOFF_FILL_RING : XDP_PGOFF_TX_RING);

	if (!at)
		return -errno;
	*ring = (struct xsk_ring_prod){
		.mask = XSK_RING - 1,
		.size = XSK_RING,
		.producer = (void *)(at + o->producer),
		.consumer = (void *)(at + o->consumer),
		.flags = (void *)(at + o->flags),
		.ring = at + o->desc,
		.cached_cons = XSK_RING, /* the consumer's plus the size, as libxdp keeps it */
	};
	return 0;
}

static int map_cons(struct xsk *x, struct xsk_ring_cons *ring, unsigned i,
		    const struct xdp_ring_offset *o)
{
	size_t entry = i == 2 ? sizeof(uint64_t) : sizeof(struct xdp_desc);
	uint8_t *at = map_ring(x, i, o->desc + XSK_RING * entry,
			       i == 2 ? XDP_UMEM_PGOFF_COMPLETION_RING : XDP_PGOFF_RX_RING);

	if (!at)
		return -errno;
	*ring = (struct xsk_ring_cons){
		.mask = XSK_RING - 1,
		.size = XSK_RING,
		.producer = (void *)(at + o->producer),
		.consumer = (void *)(at + o->consumer),
		.flags = (void *)(at + o->flags),
		.ring = at + o->desc,
	};
	return 0;
}

static int map_rings(struct xsk *x)
{
	struct xdp_mmap_offsets off;
	socklen_t size = sizeof off;
	int e;

	if (getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &size))
		return -errno;
	e = map_prod(x, &x->fill, 0, &off.fr);
	e = e ? e : map_prod(x, &x->tx, 1, &off.tx);
	e = e ? e : map_cons(x, &x->done, 2, &off.cr);
	return e ? e : map_cons(x, &x->rx, 3, &off.rx);
}

static int bind_socket(struct xsk *x, const struct xsk_config *c, bool segments)
{
	struct sockaddr_xdp a = {
		.sxdp_family = AF_XDP,
		.sxdp_ifindex = (uint32_t)c->ifindex,
		.sxdp_queue_id = c->queue,
	};

	/* A shared registration brings its mode and flags with it; the kernel wants no others. */
	if (c->share) {
		a.sxdp_flags = XDP_SHARED_UMEM;
		a.sxdp_shared_umem_fd = (uint32_t)c->share->fd;
	} else {
		a.sxdp_flags = XDP_USE_NEED_WAKEUP | (c->zerocopy ? XDP_ZEROCOPY : XDP_COPY) |
			       (segments ? XDP_USE_SG : 0);
	}
	x->segments = segments;
	return bind(x->fd, (struct sockaddr *)&a, sizeof a) ? -errno : 0;
}

static void prefer_busy_poll(struct xsk *x)
{
	int on = 1, usec = BUSY_POLL_USEC, budget = BUSY_POLL_PACKETS;

	x->busy_poll = !setsockopt(x->fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &on, sizeof on) &&
		       !setsockopt(x->fd, SOL_SOCKET, SO_BUSY_POLL, &usec, sizeof usec) &&
		       !setsockopt(x->fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, &budget, sizeof budget);
}

static int open_with(struct xsk *x, const struct xsk_config *c, bool segments)
{
	struct xdp_options got = {0};
	socklen_t size = sizeof got;
	int e;

	*x = (struct xsk){.fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0)};
	if (x->fd < 0)
		return -errno;
	e = c->share ? 0 : register_umem(x->fd, c->umem);
	e = e ? e : make_rings(x->fd);
	e = e ? e : map_rings(x);
	e = e ? e : bind_socket(x, c, segments);
	if (!e && getsockopt(x->fd, SOL_XDP, XDP_OPTIONS, &got, &size))
		e = -errno;
	x->zerocopy = got.flags & XDP_OPTIONS_ZEROCOPY;
	if (e)
		xsk_close(x);
	else if (c->busy_poll)
		prefer_busy_poll(x);
	return e;
}

int xsk_open(struct xsk *x, const struct xsk_config *c)
{
	int e;

	if (c->share)
		return open_with(x, c, c->share->segments);
	e = open_with(x, c, true);
	/* EINVAL: a kernel before 6.6; EOPNOTSUPP: a driver that cannot, with zero copy. */
	return e == -EINVAL || e == -EOPNOTSUPP ? open_with(x, c, false) : e;
}

void xsk_close(struct xsk *x)
{
	for (unsigned i = 0; i < ARRAY_SIZE(x->map); i++)
		if (x->map[i].at)
			munmap(x->map[i].at, x->map[i].size);
	if (x->fd >= 0)
		close(x->fd);
	*x = (struct xsk){.fd = -1};
}
