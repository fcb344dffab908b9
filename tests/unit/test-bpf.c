/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of BPF: what is taken and what is refused, that nothing is ever looked up, and how many
 * there are.  test-bpf-match.c has what they say of packets. */

#include "datapath/bpf.h"
#include "lib/addr.h"
#include "tests/unit/bed.h"

/* Behind ours: they call arp_op what we do. */
#include <netdb.h>
#include <netinet/ether.h>
#include <netinet/in.h>

static struct datapath dp;

/* ---- Nobody is asked ----------------------------------------------------------------------- */

/* libpcap's calls end here: an address in numbers may pass, a name may not. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **res)
{
	static struct sockaddr_in6 at;
	static struct addrinfo one = {.ai_family = AF_INET6, .ai_addr = (struct sockaddr *)&at};
	struct ip ip;

	(void)hints;
	if (service || !ip_parse(node, &ip))
		fail_msg("'%s' was looked up", service ? service : node);
	at.sin6_family = AF_INET6;
	memcpy(&at.sin6_addr, ip.octet, 16);
	*res = &one;
	return 0;
}

void freeaddrinfo(struct addrinfo *ai)
{
	(void)ai;
}

struct hostent *gethostbyname(const char *name)
{
	fail_msg("host '%s' was looked up", name);
	return NULL;
}

int ether_hostton(const char *name, struct ether_addr *addr)
{
	(void)addr;
	fail_msg("Ethernet host '%s' was looked up", name);
	return -1;
}

/* glibc's have more parameters, which nobody looks at. */
int net_looked_up(const char *name) __asm__("getnetbyname_r");
int proto_looked_up(const char *name) __asm__("getprotobyname_r");

int net_looked_up(const char *name)
{
	fail_msg("network '%s' was looked up", name);
	return -1;
}

int proto_looked_up(const char *name)
{
	fail_msg("protocol '%s' was looked up", name);
	return -1;
}

static void accepted(const char *text)
{
	struct buf out = {0};
	struct refusal r;
	uint64_t handle, again;

	for (unsigned link = 0; link < 2; link++) {
		if (bpf_parse(link, text, &handle, &r))
			fail_msg("%s: %s", text, r.text);
		out.size = 0;
		bpf_format(handle, &out);
		assert_int_equal(bpf_parse(link, buf_text(&out), &again, &r), 0);
		assert_int_equal(handle, again);
	}
	buf_free(&out);
}

static void refused(const char *text, const char *why)
{
	struct refusal r = {0};
	uint64_t handle;

	if (bpf_parse(BPF_IP, text, &handle, &r) != -EINVAL)
		fail_msg("%s was accepted", text);
	if (!strstr(r.text, why))
		fail_msg("%s: %s", text, r.text);
	assert_null(strchr(r.text, '\n'));
}

static void names_are_refused(void **state)
{
	char names[] = "host example.com~host localhost~port http~tcp port domain~net loopback~"
		       "ip proto \\tcp~ip proto tcp1~proto icmp-x~ether host router~gateway router~"
		       "host 80-90~port 80-90~host dead~host cafe:1~host fe80::1%lo~host 1.2.3.4.5~"
		       "host 10.0.0.1x~portrange ftp-telnet~portrange a-b~ip6 host ip6-localhost~"
		       "ip6 protochain 6~on eth0~ifname eth0~inbound~len-20 > 5~src or host x~"
		       "host \"x\"~ip host '1'~ether[a:1] = 0~wlan type mgt~host aabbccddeeff~"
		       "ether host aa-bb-cc-dd-ee-ff~tcp port 80;~ip[0] = 1 # x~host $aa~port @x";
	char *save = NULL;

	(void)state;
	for (char *t = strtok_r(names, "~", &save); t; t = strtok_r(NULL, "~", &save))
		refused(t, "names are not looked up");
}

static void words_are_taken(void **state)
{
	(void)state;
	accepted("ip");
	accepted("tcp port 80 and not src net 10.0.0.0/8");
	accepted("tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn");
	accepted("icmp[icmptype] = icmp-echo or icmp6[icmp6type] == icmp6-echo");
	accepted("portrange 80-90 and len >= 100 && greater 60");
	accepted("ip6 host 2001:db8::1 or ip6 net fe80::/10");
	accepted("ip[2:2] - 20 > 0x10 and ip[ip[0] & 15 : 2] != 0");
	accepted("net 10.1 mask 255.255.0.0 or host 10.0.0.1");
	accepted("udp and (port 53 or 123)");
	accepted("4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0");
	accepted("4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0,");
	accepted("0030000000000009001500010000000600060000000000010006000000000000");
}

/* The forms of bytecode say the same program. */
static void forms_are_one(void **state)
{
	uint64_t a, b, c, d;
	struct refusal r;
	struct reader code;
	static const uint8_t octets[] = {0, 0x30, 0, 0, 0, 0, 0, 9, 0, 0x15, 0, 1, 0, 0, 0, 6,
					 0, 6,    0, 0, 0, 0, 0, 1, 0, 6,    0, 0, 0, 0, 0, 0};
	struct buf out = {0};

	(void)state;
	code = reader_of(octets, sizeof octets);
	assert_int_equal(bpf_parse(BPF_IP, "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0", &a, &r), 0);
	assert_int_equal(
		bpf_parse(BPF_IP,
			  "0030000000000009001500010000000600060000000000010006000000000000", &b,
			  &r),
		0);
	assert_int_equal(bpf_decode(BPF_IP, &code, &c, &r), 0);
	assert_int_equal(bpf_parse(BPF_ETHERNET, "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0", &d, &r), 0);
	assert_int_equal(a, b);
	assert_int_equal(a, c);
	assert_int_not_equal(a, d); /* another link type */
	bpf_encode(a, &out);
	assert_int_equal(out.size, sizeof octets);
	assert_memory_equal(out.data, octets, sizeof octets);
	out.size = 0;
	assert_int_equal(bpf_parse(BPF_IP, "  udp \n and\tport   53 ", &a, &r), 0);
	bpf_format(a, &out);
	assert_string_equal(buf_text(&out), "udp and port 53");
	buf_free(&out);
}

static void bad_programs_are_refused(void **state)
{
	char *text = malloc(70000);
	struct refusal r;
	uint64_t handle;

	(void)state;
	refused("1,21 0 0 0", "no valid program");                 /* no return */
	refused("2,5 0 0 4294967295,6 0 0 0", "no valid program"); /* backward */
	refused("2,5 0 0 1,6 0 0 0", "no valid program");          /* past the end */
	refused("2,21 1 0 0,6 0 0 0", "no valid program");
	refused("2,52 0 0 0,6 0 0 0", "no valid program");   /* divides by zero */
	refused("2,100 0 0 32,6 0 0 0", "no valid program"); /* shifts all out */
	refused("2,96 0 0 16,6 0 0 0", "no valid program");  /* no such memory */
	refused("2,255 0 0 0,6 0 0 0", "no valid program");
	refused("1,14 0 0 0", "no valid program");
	refused("2,65535 0 0 0,6 0 0 0", "no valid program");
	refused("src host 10.0.0.1 and src host 10.0.0.2", "rejects all packets");
	refused("2,6 0 0 0", "would be accepted"); /* fewer than it says */
	refused("1,6 0 0 0,6 0 0 0", "would be accepted");
	refused("1,6 0 256 0", "would be accepted");
	refused("", "no program");
	refused(" \t\n\v\f\r", "no program");
	refused("tcp port", "would be accepted");
	refused("tcp and", "would be accepted");
	refused("((((ip)", "would be accepted");
	refused("ip broadcast", "would be accepted");
	refused("port 70000", "would be accepted");
	strcpy(text, "600,");
	for (unsigned i = 0; i < 600; i++)
		strcat(text, "6 0 0 0,");
	refused(text, "would be accepted");
	memset(text, '(', 2000);
	text[2000] = '\0';
	refused(text, "up to 500 would be accepted");
	text[BPF_TEXT] = '\0';
	assert_int_equal(bpf_parse(BPF_IP, text, &handle, &r), -EINVAL);
	/* Valid, and too long for us. */
	text[0] = '\0';
	for (unsigned i = 0; i < 55; i++)
		sprintf(text + strlen(text), "%sip6 net 2001:db8:%x::/48", i ? "or " : "", i);
	text[BPF_TEXT] = '\0';
	bpf_parse(BPF_IP, text, &handle, &r);
	free(text);
}

/* At most BPF_MAX; what rules hold stays, what nobody holds makes room, in a later turn. */
static void they_are_counted(void **state)
{
	uint64_t handle[BPF_MAX], one;
	struct refusal r = {0};
	char text[64];
	unsigned n = 0;

	(void)state;
	bpf_turn();
	for (n = 0; n < BPF_MAX; n++) {
		snprintf(text, sizeof text, "1,6 0 0 %u", 100000 + n);
		assert_int_equal(bpf_parse(BPF_IP, text, &handle[n], &r), 0);
		bpf_hold(handle[n]);
	}
	assert_int_equal(bpf_count(), BPF_MAX);
	assert_int_equal(bpf_parse(BPF_IP, "1,6 0 0 7", &one, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_LIMIT);
	assert_int_equal(bpf_parse(BPF_IP, "1,6 0 0 100003", &one, &r), 0); /* shared */
	assert_int_equal(one, handle[3]);
	bpf_release(handle[3]);
	assert_int_equal(bpf_parse(BPF_IP, "1,6 0 0 7", &one, &r), -EINVAL); /* this turn's */
	bpf_turn();
	assert_int_equal(bpf_parse(BPF_IP, "1,6 0 0 7", &one, &r), 0);
	assert_false(bpf_exists(handle[3]));
	assert_false(bpf_run(handle[3], (const uint8_t *)"", 0, 0));
	assert_true(bpf_run(one, (const uint8_t *)"", 0, 0));
	for (unsigned i = 0; i < BPF_MAX; i++)
		if (i != 3)
			bpf_release(handle[i]);
	bpf_turn();
	rcu_barrier();
}

/* Random words, good and bad: whatever is made of them, nobody is asked (see the top). */
static void random_words_ask_nobody(void **state)
{
	char all[] = "host net port proto src dst ip ip6 ether tcp udp and or not ( ) [ ] : - 80 "
		     "10.0.0.1 fe80::1 0x12 portrange 80-90 a dead cafe:1 2:2 00:11:22:33:44:55 "
		     "len / 8 mask arp icmp = ! < less vlan mpls broadcast 1:2:3 10.1 :: ::1 "
		     "tcp-syn tcpflags \\tcp . -a 1.2.3.4.5 $1";
	const char *some[80];
	unsigned n_some = 0;
	char *save = NULL;
	unsigned n_good = 0;

	(void)state;
	for (char *w = strtok_r(all, " ", &save); w; w = strtok_r(NULL, " ", &save))
		some[n_some++] = w;
	srandom(5);
	for (unsigned i = 0; i < 60000; i++) {
		char text[200] = "";
		struct refusal r;
		uint64_t handle;

		for (unsigned n = 1 + (unsigned)random() % 7; n--;) {
			strcat(text, some[(size_t)random() % n_some]);
			strcat(text, random() % 6 ? " " : "");
		}
		n_good += !bpf_parse((enum bpf_link)(random() % 2), text, &handle, &r);
		bpf_turn();
		if (i % 256 == 0)
			rcu_reap();
	}
	assert_true(n_good > 50);
	rcu_barrier();
}

static int up(void **state)
{
	(void)state;
	bed_up(&dp, 1);
	return 0;
}

static int down(void **state)
{
	(void)state;
	datapath_destroy(&dp);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_refused), cmocka_unit_test(words_are_taken),
		cmocka_unit_test(forms_are_one),     cmocka_unit_test(bad_programs_are_refused),
		cmocka_unit_test(they_are_counted),  cmocka_unit_test(random_words_ask_nobody),
	};

	return cmocka_run_group_tests(tests, up, down);
}
