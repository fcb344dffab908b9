/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of pmacct's as they are read: samples beside lines that nfacctd wrote, and lines that lie.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "utilities/watch/input.h"

static struct {
	struct sample_sink sink;
	struct watch_sample sample;
	unsigned n;
} got;
static struct read_counters counters;

static void take(struct sample_sink *s, const struct watch_sample *sample)
{
	(void)s;
	got.sample = *sample;
	got.n++;
}

static int up(void **state)
{
	(void)state;
	got.sink.sample = take;
	got.n = 0;
	counters = (struct read_counters){0};
	return 0;
}

static int read_exactly(const char *line, size_t size)
{
	char *copy = malloc(size ? size : 1);
	int error;

	assert_non_null(copy);
	memcpy(copy, line, size);
	error = flow_json_read(copy, size, 7, &counters, &got.sink);
	free(copy);
	return error;
}

#define UDP                                                                                        \
	"{\"event_type\": \"purge\", \"iface_in\": 3, \"ip_src\": \"10.1.0.2\", \"ip_dst\": "      \
	"\"10.9.0.2\", \"port_src\": 1000, \"port_dst\": 53, \"tcp_flags\": \"0\", \"ip_proto\": " \
	"\"udp\", \"tos\": 185, \"sampling_rate\": 1, \"timestamp_start\": \"2024-01-12 "          \
	"13:14:40.000000\", \"packets\": 100, \"bytes\": 10050}"

static void nfacctd(void **state)
{
	const struct watch_sample *s = &got.sample;
	const struct du_key *k = &s->key.du;

	(void)state;
	assert_int_equal(read_exactly(UDP, strlen(UDP)), 0);
	assert_int_equal(got.n, 1);
	assert_int_equal(s->ns, 7);
	assert_int_equal(s->packets, 100);
	assert_int_equal(s->octets, 10050);
	assert_int_equal(s->length, 100);
	assert_int_equal(s->end, END_UNKNOWN);
	assert_int_equal(s->reason, 0xff);
	assert_int_equal(s->exporter, EXPORTER_JSON);
	assert_false(s->collected || s->aggregate || s->by_rule);
	assert_int_equal(be32toh(k->in_port), 3);
	assert_int_equal(be16toh(k->eth_type), 0x0800);
	assert_int_equal(get_be32(k->ip_src), 0x0a010002);
	assert_int_equal(get_be32(k->ip_dst), 0x0a090002);
	assert_int_equal(k->ip_proto, 17);
	assert_int_equal(be16toh(k->tp_src), 1000);
	assert_int_equal(be16toh(k->tp_dst), 53);
	assert_int_equal(k->ip_dscp, 46);
	assert_int_equal(k->ip_ecn, 1);
	assert_int_equal(counters.lines, 1);
	assert_int_equal(counters.records, 1);
}

/* A record with what is given, which is not there twice. */
static int record(const char *rest)
{
	char line[512];
	int size = snprintf(line, sizeof line,
			    "{\"ip_src\": \"2001:db8::1\", \"ip_dst\": \"2001:db8::2\", %s}", rest);

	return read_exactly(line, (size_t)size);
}

static void spellings(void **state)
{
	const struct watch_sample *s = &got.sample;

	(void)state;
	assert_int_equal(record("\"ip_proto\": \"6\", \"tcp_flags\": \"18\", \"port_dst\": 443,"
				" \"vlan\": 100, \"packets\": 3, \"bytes\": 180"),
			 0);
	assert_int_equal(be16toh(s->key.du.eth_type), 0x86dd);
	assert_int_equal(s->key.du.ip_dst[15], 2);
	assert_int_equal(s->key.du.ip_proto, 6);
	assert_int_equal(be16toh(s->key.du.tcp_flags), 0x12);
	assert_int_equal(be16toh(s->key.du.vlan_vid), 0x1064);
	/* NetFlow has an ICMP type in the port. */
	assert_int_equal(record("\"ip_proto\": \"ipv6-icmp\", \"port_dst\": 32769,"
				" \"packets\": 1, \"bytes\": 104"),
			 0);
	assert_int_equal(s->key.du.ip_proto, 58);
	assert_int_equal(s->key.du.icmp_type, 128);
	assert_int_equal(s->key.du.icmp_code, 1);
	assert_int_equal(s->key.du.tp_dst, 0);
	/* A rate that pmacct did not multiply with. */
	assert_int_equal(record("\"ip_proto\": 17, \"sampling_rate\": 64, \"packets\": 2,"
				" \"bytes\": 300"),
			 0);
	assert_int_equal(s->packets, 128);
	assert_int_equal(s->octets, 300 * 64);
	assert_int_equal(s->length, 150);
	assert_int_equal(record("\"ip_proto\": \"leaf-1\", \"packets\": 2, \"bytes\": 300"), 0);
	assert_int_equal(s->key.du.ip_proto, 0);
	assert_int_equal(counters.records, 4);
}

static void not_for_us(void **state)
{
	static const char *const lines[] = {
		"{\"event_type\": \"purge_init\", \"writer_pid\": 12}",
		"{\"ip_src\": \"10.0.0.1\", \"packets\": 1, \"bytes\": 20}",
		("{\"ip_src\": \"10.0.0.1\", \"ip_dst\": \"10.0.0.2\", \"ip_proto\": 6, "
		 "\"packets\": 0}"),
		"{}",
		"[]",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(read_exactly(lines[i], strlen(lines[i])), 0);
	assert_int_equal(counters.lines, ARRAY_SIZE(lines));
	assert_int_equal(counters.ignored, ARRAY_SIZE(lines));
	assert_int_equal(got.n, 0);
}

static void lies(void **state)
{
	static const char *const rests[] = {
		"\"ip_proto\": 6, \"packets\": -1, \"bytes\": 20",
		"\"ip_proto\": 6, \"packets\": 1.5, \"bytes\": 20",
		"\"ip_proto\": 6, \"packets\": true, \"bytes\": 20",
		"\"ip_proto\": 6, \"packets\": 99999999999999999999, \"bytes\": 20",
		"\"ip_proto\": 6, \"packets\": 1, \"bytes\": 4294967296",
		"\"ip_proto\": 6, \"packets\": 9223372036854775807, \"bytes\": 1, "
		"\"sampling_rate\": 3",
		"\"ip_proto\": 6, \"packets\": 9007199254740992, \"bytes\": 9007199254740992, "
		"\"sampling_rate\": 4294967295",
		"\"ip_proto\": 256, \"packets\": 1, \"bytes\": 20",
		"\"ip_proto\": [], \"packets\": 1, \"bytes\": 20",
		"\"packets\": 1, \"port_dst\": 65536",
		"\"packets\": 1, \"port_dst\": \"http\"",
		"\"packets\": 1, \"tos\": 256",
		"\"packets\": 1, \"vlan\": 4096",
		"\"ip_proto\": 6, \"packets\": 1, \"tcp_flags\": \"-2\"",
		"\"ip_proto\": 6, \"packets\": 1, \"bytes\": 20}x{",
		"\"ip_proto\": 6, \"packets\": 1, \"text\": \"\xff\xfe\"",
		"\"ip_proto\": 6, \"packets\": 1, \"ip_src\": \"10.0.0.1\"",
		"\"ip_proto\": 6, \"packets\": 1, \"ip_dst\": \"somewhere\"",
		"\"ip_proto\": 6, \"packets\": 1, \"ip_dst\": 7",
	};
	static char line[INPUT_LINE_MAX + 2];
	unsigned n = ARRAY_SIZE(rests);

	(void)state;
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(record(rests[i]), -EINVAL);
	for (size_t size = 0; size < strlen(UDP); size++, n++)
		assert_int_equal(read_exactly(UDP, size), -EINVAL);
	/* The longest line that may be, and a longer one; nesting without end. */
	memset(line, ' ', sizeof line);
	memcpy(line, UDP, strlen(UDP));
	assert_int_equal(read_exactly(line, INPUT_LINE_MAX), 0);
	assert_int_equal(read_exactly(line, INPUT_LINE_MAX + 1), -EINVAL);
	memset(line, '[', sizeof line);
	assert_int_equal(read_exactly(line, INPUT_LINE_MAX), -EINVAL);
	assert_int_equal(counters.malformed, n + 2);
	assert_int_equal(counters.lines, n + 3);
	assert_int_equal(got.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nfacctd, up),
		cmocka_unit_test_setup(spellings, up),
		cmocka_unit_test_setup(not_for_us, up),
		cmocka_unit_test_setup(lies, up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
