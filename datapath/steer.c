/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/steer.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "datapath/sluice.skel.h"
#include "lib/log.h"

struct steer {
	struct sluice_bpf *program;
	int ifindex;
	int link; /* the attachment: closing it takes the program off; -1: none */
};

/* The maps of all instances; the control thread's. */
static struct {
	int local, conns;
} shared = {-1, -1};

/* libbpf's words are for whoever looks into why a program did not load. */
static int PRINTF_LIKE(2, 0)
	libbpf_says(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[512];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof line, fmt, args);
	line[strcspn(line, "\n")] = 0;
	LOG(DEBUG, "steer: %s", line);
	return 0;
}

/* 0 once both maps are there. */
static int make_maps(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);

	if (shared.local < 0)
		shared.local =
			bpf_map_create(BPF_MAP_TYPE_HASH, "local", sizeof(struct steer_local),
				       sizeof(uint32_t), STEER_LOCAL_MAX, &opts);
	if (shared.conns < 0)
		shared.conns =
			bpf_map_create(BPF_MAP_TYPE_HASH, "conns", sizeof(struct steer_claim),
				       sizeof(uint32_t), STEER_CONNS_MAX, &opts);
	return shared.local < 0 ? shared.local : MIN(shared.conns, 0);
}

static struct steer_local local_key(const struct ip *ip)
{
	struct steer_local key = {.family = ip->family};

	memcpy(key.addr, ip->octet, sizeof key.addr);
	return key;
}

int steer_local_add(const struct ip *ip)
{
	struct steer_local key = local_key(ip);
	uint32_t one = 1;
	int e = make_maps();

	return e ? e : bpf_map_update_elem(shared.local, &key, &one, BPF_ANY);
}

int steer_local_del(const struct ip *ip)
{
	struct steer_local key = local_key(ip);
	int e = make_maps();

	return e ? e : bpf_map_delete_elem(shared.local, &key);
}

/* Adds `by` to the count of a claim; at zero it is no more. */
static int claim_count(const struct steer_claim *claim, int by)
{
	uint32_t n = 0;

	if (bpf_map_lookup_elem(shared.conns, claim, &n) && errno != ENOENT)
		return -errno;
	if (by < 0 && !n)
		return -ENOENT;
	n += (uint32_t)by;
	return n ? bpf_map_update_elem(shared.conns, claim, &n, BPF_ANY)
		 : bpf_map_delete_elem(shared.conns, claim);
}

/* A connection claims twice: by its identifier, and (for fragments, keepalives, and formats whose
 * identifier the program does not read) by address, protocol and port. */
static int conn_count(const struct conn_id *id, int by)
{
	struct steer_claim claim = {
		.udp_dst = id->udp_dst, .proto = id->proto, .family = id->local.family};
	int e = make_maps();

	if (e)
		return e;
	memcpy(claim.local, id->local.octet, sizeof claim.local);
	e = claim_count(&claim, by);
	if (e || !id->id)
		return e;
	claim.id = id->id;
	e = claim_count(&claim, by);
	if (e && by > 0) {
		claim.id = 0;
		claim_count(&claim, -by);
	}
	return e;
}

int steer_conn_add(const struct conn_id *id)
{
	return conn_count(id, 1);
}

int steer_conn_del(const struct conn_id *id)
{
	return conn_count(id, -1);
}

/* ---- Instances -------------------------------------------------------------------------- */

static bool program_name(uint32_t id, char *name, size_t size)
{
	struct bpf_prog_info info = {0};
	uint32_t room = sizeof info;
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &room) || !info.name[0])
		snprintf(name, size, "program %u", id);
	else
		snprintf(name, size, "%s (program %u)", info.name, id);
	if (fd >= 0)
		close(fd);
	return true;
}

bool steer_occupant(int ifindex, char *name, size_t size)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query(ifindex, 0, &query))
		return false;
	if (query.attach_mode == XDP_ATTACHED_NONE)
		return false;
	/* Several at once (generic and hardware): the first that there is. */
	if (!query.prog_id)
		query.prog_id = query.drv_prog_id   ? query.drv_prog_id
				: query.skb_prog_id ? query.skb_prog_id
						    : query.hw_prog_id;
	return program_name(query.prog_id, name, size);
}

static int load(struct steer *s, const struct steer_config *c)
{
	int e = make_maps();

	if (e)
		return e;
	libbpf_set_print(libbpf_says);
	s->program = sluice_bpf__open();
	if (!s->program)
		return -errno;
	e = bpf_map__reuse_fd(s->program->maps.local, shared.local);
	e = e ? e : bpf_map__reuse_fd(s->program->maps.conns, shared.conns);
	e = e ? e : sluice_bpf__load(s->program);
	if (e)
		return e;
	memcpy(s->program->bss->settings.mac, c->mac, sizeof c->mac);
	s->program->bss->settings.host = (uint8_t)c->host;
	return 0;
}

/* What a link's descriptor says of it: 0, or -errno. */
static int link_info(int fd, struct bpf_link_info *info)
{
	uint32_t room = sizeof *info;

	memset(info, 0, sizeof *info);
	return bpf_obj_get_info_by_fd(fd, info, &room);
}

uint32_t steer_link_id(const struct steer *s)
{
	struct bpf_link_info info;

	/* Detached by its id, a link lives on without an interface. */
	if (s->link < 0 || link_info(s->link, &info) || !info.xdp.ifindex)
		return 0;
	return info.id;
}

int steer_on(struct steer *s, bool generic)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);

	steer_off(s);
	s->link = bpf_link_create(bpf_program__fd(s->program->progs.sluice_steer), s->ifindex,
				  BPF_XDP, &opts);
	return MIN(s->link, 0);
}

void steer_off(struct steer *s)
{
	if (s->link >= 0)
		close(s->link);
	s->link = -1;
}

/* 0: the program is a sluice's. */
static int check_program(uint32_t id)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof info;
	int fd = bpf_prog_get_fd_by_id(id), e;

	if (fd < 0)
		return fd;
	e = bpf_obj_get_info_by_fd(fd, &info, &size);
	close(fd);
	return e ? e : strcmp(info.name, "sluice_steer") ? -ENOENT : 0;
}

int steer_take_off(uint32_t link_id, int ifindex)
{
	int fd = bpf_link_get_fd_by_id(link_id), e;
	struct bpf_link_info info;

	if (fd < 0)
		return fd;
	e = link_info(fd, &info);
	if (!e && (info.type != BPF_LINK_TYPE_XDP || info.xdp.ifindex != (uint32_t)ifindex))
		e = -ENOENT; /* the id was given to another's */
	e = e ? e : check_program(info.prog_id);
	e = e ? e : bpf_link_detach(fd);
	close(fd);
	return e;
}

struct steer *steer_attach(const struct steer_config *c, char *why, size_t size)
{
	struct steer *s = calloc(1, sizeof *s);
	int e;

	if (!s) {
		errno = ENOMEM;
		return NULL;
	}
	s->link = -1;
	s->ifindex = c->ifindex;
	e = load(s, c);
	if (e) {
		snprintf(why, size, "the XDP program does not load: %s", strerror(-e));
	} else if (!c->off) {
		e = steer_on(s, c->generic);
		snprintf(why, size, "%s", e ? strerror(-e) : "");
	}
	if (!e)
		return s;
	steer_detach(s);
	errno = -e;
	return NULL;
}

void steer_detach(struct steer *s)
{
	steer_off(s);
	sluice_bpf__destroy(s->program);
	free(s);
}

int steer_socket_set(struct steer *s, unsigned queue, int fd)
{
	uint32_t key = queue;

	return bpf_map_update_elem(bpf_map__fd(s->program->maps.xsks), &key, &fd, BPF_ANY);
}

void steer_socket_clear(struct steer *s, unsigned queue)
{
	uint32_t key = queue;

	bpf_map_delete_elem(bpf_map__fd(s->program->maps.xsks), &key);
}

int steer_try(struct steer *s, const void *frame, uint32_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = size, .repeat = 1);
	int e = bpf_prog_test_run_opts(bpf_program__fd(s->program->progs.sluice_steer), &run);

	return e ? e : (int)run.retval;
}
