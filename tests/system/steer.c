/* SPDX-License-Identifier: Apache-2.0 */
/* The XDP program's decision on packets of every kind, by the kernel's own test run.  Needs root:
 * status 77 without.  Works in a network namespace of its own, on its loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/steer.h"

enum { LOOPBACK = 1, TO_KERNEL = XDP_PASS, TO_SLUICE = XDP_REDIRECT };

static const uint8_t ours[6] = {2, 0, 0, 0, 0, 1};

/* A frame in the making. */
struct sample {
	uint8_t octet[256];
	uint32_t size;
};

static void put(struct sample *f, const void *octets, uint32_t n)
{
	memcpy(f->octet + f->size, octets, n);
	f->size += n;
}

static void put_u16(struct sample *f, uint16_t v)
{
	put(f, &(uint16_t){htons(v)}, 2);
}

static struct sample eth(const uint8_t dst[6], uint16_t type)
{
	struct sample f = {.size = 0};

	put(&f, dst, 6);
	put(&f, "\2\0\0\0\0\2", 6);
	put_u16(&f, type);
	return f;
}

/* `frag`: the fragment field, 0x2000 more, 0x1fff the offset. */
static struct sample ip4(const char *dst, uint8_t proto, uint16_t frag)
{
	struct sample f = eth(ours, 0x0800);
	uint8_t h[20] = {0x45, 0, 0, 100, 0, 1, (uint8_t)(frag >> 8), (uint8_t)frag, 64, proto};

	h[12] = 192;
	inet_pton(AF_INET, dst, h + 16);
	put(&f, h, sizeof h);
	return f;
}

static struct sample ip6(const char *dst, uint8_t next)
{
	struct sample f = eth(ours, 0x86dd);
	uint8_t h[40] = {0x60, 0, 0, 0, 0, 60, next, 64, 0x20, 1};

	inet_pton(AF_INET6, dst, h + 24);
	put(&f, h, sizeof h);
	return f;
}

/* The frame and `n` octets more: those of the literal, then zeros. */
#define with(f, literal, n) with_octets(f, literal, MIN(sizeof(literal) - 1, (n)), n)
static struct sample with_octets(struct sample f, const char *octets, size_t size, uint32_t n)
{
	memcpy(f.octet + f.size, octets, size); /* the rest is zero already */
	f.size += n;
	return f;
}

static struct sample spi(struct sample f, uint32_t value)
{
	put(&f, &(uint32_t){htonl(value)}, 4);
	put(&f, "\0\0\0\1payload of no meaning", 26);
	return f;
}

static struct sample udp(struct sample f, uint16_t port, uint16_t payload)
{
	put_u16(&f, 12345);
	put_u16(&f, port);
	put_u16(&f, (uint16_t)(8 + payload));
	put_u16(&f, 0);
	return f;
}

/* ------------------------------------------------------------------ */

static struct steer *steer;
static int sock = -1;

static void attach(enum steer_host host)
{
	struct steer_config c = {.ifindex = LOOPBACK, .host = host, .generic = true};
	char why[128] = "";

	memcpy(c.mac, ours, sizeof ours);
	steer = steer_attach(&c, why, sizeof why);
	if (!steer)
		fprintf(stderr, "steer_attach: %s\n", why);
	assert_non_null(steer);
	sock = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(sock >= 0);
	assert_int_equal(steer_socket_set(steer, 0, sock), 0);
}

static void detach(void)
{
	steer_socket_clear(steer, 0);
	close(sock);
	steer_detach(steer);
}

static struct conn_id conn(const char *local, uint8_t proto, uint16_t port, uint32_t id)
{
	struct conn_id c = {.proto = proto, .udp_dst = htons(port), .id = htonl(id)};

	assert_true(ip_parse(local, &c.local));
	return c;
}

static int set_up(void **state)
{
	struct ip ip;
	struct conn_id c;

	(void)state;
	ip_parse("10.0.0.1", &ip);
	assert_int_equal(steer_local_add(&ip), 0);
	ip_parse("2001:db8::1", &ip);
	assert_int_equal(steer_local_add(&ip), 0);
	c = conn("10.0.0.1", 50, 0, 0x1000);
	assert_int_equal(steer_conn_add(&c), 0);
	c = conn("2001:db8::1", 50, 0, 0x1000);
	assert_int_equal(steer_conn_add(&c), 0);
	c = conn("10.0.0.1", 17, 4500, 0x2000);
	assert_int_equal(steer_conn_add(&c), 0);
	c = conn("10.0.0.1", 17, 4789, 7);
	assert_int_equal(steer_conn_add(&c), 0);
	c = conn("10.0.0.1", 47, 0, 0);
	assert_int_equal(steer_conn_add(&c), 0);
	return 0;
}

#define assert_goes(f, where)                                                 \
	do {                                                                  \
		struct sample f_ = (f);                                       \
		assert_int_equal(steer_try(steer, f_.octet, f_.size), where); \
	} while (0)

static void host_kernel_keeps_what_is_the_hosts(void **state)
{
	static const uint8_t everyone[6] = {255, 255, 255, 255, 255, 255};
	static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 5};
	static const uint8_t other[6] = {2, 0, 0, 0, 0, 9};
	struct sample f;

	(void)state;
	attach(STEER_HOST_KERNEL);
	assert_goes(with(eth(everyone, 0x0806), "\0\1\10\0\6\4\0\1", 46), TO_KERNEL); /* ARP */
	assert_goes(with(eth(ours, 0x0806), "\0\1\10\0\6\4\0\2", 46), TO_KERNEL);
	assert_goes(with(eth(ours, 0x88cc), "", 46), TO_KERNEL);
	f = ip4("10.9.9.9", 17, 0);
	memcpy(f.octet, group, 6);
	assert_goes(f, TO_KERNEL);
	memcpy(f.octet, other, 6);
	assert_goes(f, TO_KERNEL);
	memcpy(f.octet, ours, 6);
	assert_goes(f, TO_SLUICE);
	assert_goes(ip4("10.0.0.1", 6, 0), TO_KERNEL); /* ssh, BGP */
	assert_goes(ip4("10.0.0.1", 1, 0), TO_KERNEL);
	assert_goes(ip4("10.0.0.2", 6, 0), TO_SLUICE);
	assert_goes(ip4("169.254.3.4", 6, 0), TO_KERNEL);
	assert_goes(ip6("2001:db8::1", 6), TO_KERNEL);
	assert_goes(ip6("2001:db8::1", 58), TO_KERNEL); /* neighbour discovery */
	assert_goes(ip6("2001:db8::2", 6), TO_SLUICE);
	assert_goes(ip6("fe80::1", 58), TO_KERNEL);
	assert_goes(ip6("ff02::5", 89), TO_KERNEL);
	f = with(eth(ours, 0x8100), "\0\5\10\0", 4); /* VLAN-tagged */
	put(&f, ip4("10.0.0.2", 6, 0).octet + 14, 20);
	assert_goes(f, TO_KERNEL);
	/* Cut short, or not what its type says. */
	assert_goes(with(eth(ours, 0x0800), "\105", 19), TO_KERNEL);
	assert_goes(with(eth(ours, 0x86dd), "\140", 39), TO_KERNEL);
	f = ip4("10.0.0.2", 6, 0);
	f.octet[14] = 0x44;
	assert_goes(f, TO_KERNEL);
	detach();
}

static void connections_claim_their_aggregates(void **state)
{
	(void)state;
	attach(STEER_HOST_KERNEL);
	assert_goes(spi(ip4("10.0.0.1", 50, 0), 0x1000), TO_SLUICE);
	assert_goes(spi(ip4("10.0.0.1", 50, 0), 0x1001), TO_KERNEL); /* the kernel's own SA */
	assert_goes(spi(ip4("10.0.0.1", 50, 0), 0), TO_KERNEL);
	assert_goes(ip4("10.0.0.1", 50, 0), TO_KERNEL); /* no SPI there */
	assert_goes(spi(ip4("10.0.0.1", 50, 0x2000), 0x1000), TO_SLUICE);
	assert_goes(ip4("10.0.0.1", 50, 0x00b9), TO_SLUICE); /* a later fragment */
	assert_goes(spi(ip6("2001:db8::1", 50), 0x1000), TO_SLUICE);
	assert_goes(spi(ip6("2001:db8::1", 50), 0x1001), TO_KERNEL);
	/* In UDP: connections, IKE behind its zero marker, keepalives. */
	assert_goes(spi(udp(ip4("10.0.0.1", 17, 0), 4500, 30), 0x2000), TO_SLUICE);
	assert_goes(spi(udp(ip4("10.0.0.1", 17, 0), 4500, 30), 0x1000), TO_KERNEL);
	assert_goes(spi(udp(ip4("10.0.0.1", 17, 0), 4500, 30), 0), TO_KERNEL);
	assert_goes(with(udp(ip4("10.0.0.1", 17, 0), 4500, 1), "\377", 1), TO_SLUICE);
	assert_goes(with(udp(ip4("10.0.0.1", 17, 0x00b9), 4500, 4), "\0\0\40\0", 4), TO_KERNEL);
	assert_goes(spi(udp(ip4("10.0.0.1", 17, 0), 500, 30), 0x2000), TO_KERNEL);
	/* Other formats: by address, protocol and port. */
	assert_goes(with(udp(ip4("10.0.0.1", 17, 0), 4789, 30), "\10", 30), TO_SLUICE);
	assert_goes(with(ip4("10.0.0.1", 47, 0), "\0\0\10\0", 4), TO_SLUICE);
	assert_goes(with(ip4("10.0.0.1", 4, 0), "\105", 20), TO_KERNEL);
	detach();
}

static void extension_headers_are_walked(void **state)
{
	struct sample f;

	(void)state;
	attach(STEER_HOST_KERNEL);
	f = with(ip6("2001:db8::1", 0), "\62\0\1\4\0\0\0\0", 8); /* hop-by-hop, then ESP */
	assert_goes(spi(f, 0x1000), TO_SLUICE);
	f = with(ip6("2001:db8::1", 60), "\53\1\1\14\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	f = with(f, "\62\0\0\0\0\0\0\0", 8); /* destination options, routing, ESP */
	assert_goes(spi(f, 0x1000), TO_SLUICE);
	assert_goes(spi(f, 0x1001), TO_KERNEL);
	f = with(ip6("2001:db8::1", 44), "\62\0\0\1\0\0\0\7", 8); /* a fragment of ESP */
	assert_goes(spi(f, 0x9999), TO_SLUICE);
	f = with(ip6("2001:db8::1", 44), "\6\0\0\1\0\0\0\7", 8);
	assert_goes(spi(f, 0x1000), TO_KERNEL);
	f = ip6("2001:db8::1", 0);
	for (int i = 0; i < 7; i++) /* more than anybody means well with */
		f = with(f, "\0\0\1\4\0\0\0\0", 8);
	assert_goes(spi(f, 0x1000), TO_KERNEL);
	f = with(ip6("2001:db8::1", 0), "\62\0\1\4", 4);
	assert_goes(f, TO_KERNEL);
	detach();
}

static void host_none_takes_everything(void **state)
{
	static const uint8_t everyone[6] = {255, 255, 255, 255, 255, 255};

	(void)state;
	attach(STEER_HOST_NONE);
	assert_goes(with(eth(everyone, 0x0806), "\0\1", 46), TO_SLUICE);
	assert_goes(ip4("10.0.0.1", 6, 0), TO_SLUICE);
	/* A queue without a socket is the kernel's. */
	steer_socket_clear(steer, 0);
	assert_goes(ip4("10.0.0.1", 6, 0), TO_KERNEL);
	detach();
}

static void host_rules_shows_the_hosts_packets_to_the_rules(void **state)
{
	struct sample f;

	(void)state;
	attach(STEER_HOST_RULES);
	assert_goes(with(eth(ours, 0x0806), "\0\1\10\0\6\4\0\2", 46), TO_KERNEL);
	assert_goes(ip4("10.0.0.1", 6, 0), TO_SLUICE);
	assert_goes(ip4("10.9.9.9", 6, 0), TO_SLUICE);
	assert_goes(ip4("169.254.3.4", 6, 0), TO_KERNEL);
	assert_goes(with(ip6("2001:db8::1", 58), "\207\0", 24), TO_KERNEL); /* solicitation */
	assert_goes(with(ip6("2001:db8::1", 58), "\200\0", 24), TO_SLUICE); /* echo */
	f = with(ip6("2001:db8::1", 0), "\72\0\1\4\0\0\0\0", 8);
	assert_goes(with(f, "\210\0", 24), TO_KERNEL);
	detach();
}

static void claims_are_counted(void **state)
{
	struct conn_id a = conn("10.0.0.1", 50, 0, 0x3000), b = conn("10.0.0.1", 50, 0, 0x3001);
	struct conn_id esp = conn("10.0.0.1", 50, 0, 0x1000);

	(void)state;
	attach(STEER_HOST_KERNEL);
	assert_int_equal(steer_conn_add(&a), 0);
	assert_int_equal(steer_conn_add(&b), 0);
	assert_goes(spi(ip4("10.0.0.1", 50, 0), 0x3000), TO_SLUICE);
	assert_int_equal(steer_conn_del(&a), 0);
	assert_goes(spi(ip4("10.0.0.1", 50, 0), 0x3000), TO_KERNEL);
	assert_goes(spi(ip4("10.0.0.1", 50, 0), 0x3001), TO_SLUICE);
	assert_int_equal(steer_conn_del(&b), 0);
	assert_goes(ip4("10.0.0.1", 50, 0x00b9), TO_SLUICE); /* 0x1000 is still there */
	assert_int_equal(steer_conn_del(&esp), 0);
	assert_goes(ip4("10.0.0.1", 50, 0x00b9), TO_KERNEL);
	assert_int_equal(steer_conn_del(&esp), -ENOENT);
	detach();
}

static void the_hook_tells_who_is_there(void **state)
{
	char name[64];

	(void)state;
	assert_false(steer_occupant(LOOPBACK, name, sizeof name));
	attach(STEER_HOST_KERNEL);
	assert_true(steer_occupant(LOOPBACK, name, sizeof name));
	assert_memory_equal(name, "sluice_steer (", 14);
	detach();
	assert_false(steer_occupant(LOOPBACK, name, sizeof name));
}

/* A page that lies, or an id that was given away, must not cost anybody his program. */
static void only_a_sluices_program_is_taken_off(void **state)
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT}};
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = 1U << 1 /* generic */);
	struct bpf_link_info info = {0};
	uint32_t size = sizeof info, id;
	char name[64];
	int program, link;

	(void)state;
	program = bpf_prog_load(BPF_PROG_TYPE_XDP, "another", "GPL", pass, 2, NULL);
	assert_true(program >= 0);
	link = bpf_link_create(program, LOOPBACK, BPF_XDP, &opts);
	assert_true(link >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(link, &info, &size), 0);
	assert_int_equal(steer_take_off(info.id, LOOPBACK), -ENOENT);
	assert_true(steer_occupant(LOOPBACK, name, sizeof name));
	close(link);
	close(program);
	attach(STEER_HOST_KERNEL);
	id = steer_link_id(steer);
	assert_int_equal(steer_take_off(id, LOOPBACK + 1), -ENOENT);
	assert_int_equal(steer_take_off(id, LOOPBACK), 0);
	assert_int_equal(steer_link_id(steer), 0);
	detach();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_kernel_keeps_what_is_the_hosts),
		cmocka_unit_test(connections_claim_their_aggregates),
		cmocka_unit_test(extension_headers_are_walked),
		cmocka_unit_test(host_none_takes_everything),
		cmocka_unit_test(host_rules_shows_the_hosts_packets_to_the_rules),
		cmocka_unit_test(claims_are_counted),
		cmocka_unit_test(the_hook_tells_who_is_there),
		cmocka_unit_test(only_a_sluices_program_is_taken_off),
	};

	if (geteuid() || unshare(CLONE_NEWNET)) {
		fprintf(stderr, "SKIPPED: the XDP program is tried by root alone\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, NULL);
}
