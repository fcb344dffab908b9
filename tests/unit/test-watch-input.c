/* SPDX-License-Identifier: Apache-2.0 */
/* What comes to the watcher: sockets, a FIFO, captures.  Only what is there already is waited for.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/cursor.h"
#include "lib/refuse.h"
#include "utilities/watch/input.h"

static struct {
	struct sample_sink sink;
	struct watch_sample last;
	unsigned n;
} got;

static void take(struct sample_sink *s, const struct watch_sample *sample)
{
	(void)s;
	got.last = *sample;
	got.n++;
}

static char folder[] = "/tmp/sluice-input.XXXXXX";
static struct event_base *base;
static struct inputs *in;
static struct refusal refusal;

static int up(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	base = event_base_new();
	if (!mkdtemp(folder) || chdir(folder) || !base)
		return -1;
	got.sink.sample = take;
	got.n = 0;
	in = inputs_create(base, &got.sink);
	return 0;
}

static int down(void **state)
{
	(void)state;
	inputs_free(in);
	event_base_free(base);
	return chdir("/") || rmdir(folder);
}

/* A datagram of one sample: IPv4 from 10.0.0.1 to 10.0.0.2, 1 in 64. */
static const uint8_t datagram[] = {
	0, 0, 0,   5,  0,  0, 0, 1,   192, 0, 2, 1,  0, 0, 0,  0,  0,    0, 0,  1,   0,
	0, 3, 232, 0,  0,  0, 1, 0,   0,   0, 1, 0,  0, 0, 76, /* flow sample */
	0, 0, 0,   9,  0,  0, 0, 3,   0,   0, 0, 64, 0, 0, 0,  0,  0,    0, 0,  0,   0,
	0, 0, 3,   0,  0,  0, 4, 0,   0,   0, 1, 0,  0, 0, 1,  0,  0,    0, 36, /* sampled header */
	0, 0, 0,   11, 0,  0, 5, 220, 0,   0, 0, 0,  0, 0, 0,  20, 0x45, 0, 5,  220, 0,
	1, 0, 0,   64, 50, 0, 0, 10,  0,   0, 1, 10, 0, 0, 2};

static void turn(void)
{
	assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

static struct input_counters counters(void)
{
	struct input_counters c;

	inputs_counters(in, &c);
	return c;
}

static void unix_socket(void **state)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "samples.sock"};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), stale = socket(AF_UNIX, SOCK_DGRAM, 0);
	char name[200];
	struct stat st;

	(void)state;
	/* One that nobody reads any more is replaced, one that is read is not; nor is a file. */
	assert_int_equal(bind(stale, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(input_unix(in, to.sun_path, &refusal), -EINVAL);
	assert_int_equal(refusal.code, REFUSED_OCCUPIED);
	close(stale);
	assert_int_equal(input_unix(in, to.sun_path, &refusal), 0);
	assert_int_equal(input_unix(in, to.sun_path, &refusal), -EINVAL);
	assert_int_equal(stat(to.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(mknod("file", S_IFREG | 0600, 0), 0);
	assert_int_equal(input_unix(in, "file", &refusal), -EINVAL);
	assert_int_equal(unlink("file"), 0);
	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = 0;
	assert_int_equal(input_unix(in, name, &refusal), -EINVAL);
	assert_int_equal(refusal.code, REFUSED_BAD_VALUE);

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(
			sendto(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&to, sizeof to),
			sizeof datagram);
	assert_int_equal(sendto(fd, datagram, 50, 0, (struct sockaddr *)&to, sizeof to), 50);
	turn();
	assert_int_equal(got.n, 3);
	assert_int_equal(got.last.packets, 64);
	assert_int_equal(get_be32(got.last.key.du.ip_dst), 0x0a000002);
	assert_true(got.last.ns > 0);
	assert_int_equal(counters().sflow.datagrams, 4);
	assert_int_equal(counters().sflow.malformed, 1);
	inputs_free(in); /* takes it away again */
	in = NULL;
	assert_int_equal(stat(to.sun_path, &st), -1);
	close(fd);
}

static void udp(void **state)
{
	static const char *const bad[] = {"",
					  "x",
					  "65536",
					  "10.0.0.1:",
					  "::1:6343",
					  "[::1]6343",
					  "[::1]:x",
					  "[10.0.0.1]:1",
					  "[:1",
					  "10.0.0:343",
					  "]:6343",
					  "[]:6343",
					  "10.0.0.1:6343:6343"};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(input_udp(in, bad[i], &refusal), -EINVAL);
		assert_int_equal(refusal.code, REFUSED_BAD_VALUE);
	}
	assert_int_equal(input_udp_port(in), 0);
	assert_int_equal(input_udp(in, "127.0.0.1:0", &refusal), 0);
	to.sin_port = htobe16(input_udp_port(in));
	sendto(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&to, sizeof to);
	turn();
	assert_int_equal(got.n, 1);
	/* No address: all of them, IPv4's too. */
	assert_int_equal(input_udp(in, "0", &refusal), 0);
	assert_int_not_equal(be16toh(to.sin_port), input_udp_port(in));
	to.sin_port = htobe16(input_udp_port(in));
	sendto(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&to, sizeof to);
	turn();
	assert_int_equal(got.n, 2);
	/* What is taken is refused; so is a 17th input. */
	char where[32];
	snprintf(where, sizeof where, "127.0.0.1:%u", input_udp_port(in));
	assert_int_equal(input_udp(in, where, &refusal), -EINVAL);
	assert_int_equal(refusal.code, REFUSED_SYSTEM);
	for (unsigned i = 2; i < INPUT_MAX; i++)
		assert_int_equal(input_udp(in, "127.0.0.1:0", &refusal), 0);
	assert_int_equal(input_udp(in, "127.0.0.1:0", &refusal), -EINVAL);
	assert_int_equal(refusal.code, REFUSED_LIMIT);
	close(fd);
}

/* More than a socket's buffer holds: the kernel says how many it threw away. */
static void kernel_drops(void **state)
{
	static uint8_t large[32768];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct input_counters c;

	(void)state;
	assert_int_equal(input_udp(in, "127.0.0.1:0", &refusal), 0);
	to.sin_port = htobe16(input_udp_port(in));
	for (unsigned i = 0; i < 1000; i++)
		sendto(fd, large, sizeof large, 0, (struct sockaddr *)&to, sizeof to);
	for (unsigned i = 0; i < 1000 / 64 + 1; i++)
		turn();
	/* The loss shows beside the next datagram. */
	sendto(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&to, sizeof to);
	turn();
	c = counters();
	assert_int_equal(got.n, 1);
	assert_true(c.kernel_drops > 0);
	assert_int_equal(c.sflow.datagrams + c.kernel_drops, 1001);
	close(fd);
}

#define RECORD                                                                            \
	"{\"ip_src\":\"10.0.0.1\",\"ip_dst\":\"10.0.0.2\",\"ip_proto\":17,\"packets\":5," \
	"\"bytes\":500}"

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	turn();
}

static void fifo(void **state)
{
	static char line[3 * INPUT_LINE_MAX];
	int fd;

	(void)state;
	assert_int_equal(mkfifo("flows", 0600), 0);
	assert_int_equal(input_json(in, "flows", &refusal), 0);
	fd = open("flows", O_WRONLY);
	put(fd, RECORD "\n" RECORD "\n{\"ip_src\":\"10.0");
	assert_int_equal(got.n, 2);
	put(fd, ".0.1\",\"ip_dst\":\"10.0.0.2\",\"ip_proto\":17,\"packets\":7,\"bytes\":700}");
	assert_int_equal(got.n, 2);
	put(fd, "\n");
	assert_int_equal(got.n, 3);
	assert_int_equal(got.last.packets, 7);
	/* A line without an end is one malformed line, and the next one is read. */
	memset(line, 'x', sizeof line - 1);
	put(fd, line);
	put(fd, "\n" RECORD "\n");
	assert_int_equal(got.n, 4);
	assert_int_equal(counters().json.malformed, 1);
	assert_int_equal(counters().json.lines, 5);
	/* Writers come and go. */
	close(fd);
	turn();
	fd = open("flows", O_WRONLY);
	put(fd, RECORD "\n");
	assert_int_equal(got.n, 5);
	close(fd);
	assert_int_equal(counters().errors, 0);
	assert_int_equal(unlink("flows"), 0);
	assert_int_equal(input_json(in, "/", &refusal), -EINVAL);
	assert_int_equal(input_json(in, "/dev/null/x", &refusal), -EINVAL);
	assert_int_equal(input_json(in, "yet-to-come", &refusal), 0);
	turn();
}

/* ---- Captures ----------------------------------------------------------------------------- */

static unsigned n_ticks;
static struct read_counters replayed;
static uint64_t last_tick;

static void tick(struct replay *r, uint64_t now_ns)
{
	(void)r;
	assert_true(now_ns > last_tick);
	assert_true(!got.n || got.last.ns <= now_ns);
	last_tick = now_ns;
	n_ticks++;
}

/* One packet of a capture: link layer, IP, UDP, a datagram; the file's own head first. */
static void put_packet(struct buf *b, uint32_t ms, const char *link, size_t link_size,
		       uint16_t port)
{
	uint32_t size = (uint32_t)(link_size + 28 + sizeof datagram);
	uint32_t head[] = {1000 + ms / 1000, ms % 1000 * 1000, size, size};

	buf_octets(b, head, sizeof head);
	buf_octets(b, link, link_size);
	buf_u16(b, 0x4500);
	buf_u16(b, 28 + sizeof datagram);
	buf_u32(b, 0x00010000);
	buf_u32(b, 0x40110000);
	buf_u64(b, 0x0a0000010a000002);
	buf_u16(b, 1234);
	buf_u16(b, port);
	buf_u32(b, (8 + sizeof datagram) << 16);
	buf_octets(b, datagram, sizeof datagram);
}

static int replay(const void *data, size_t size)
{
	struct sflow_reader *reader = sflow_reader_create();
	struct replay r = {.file = "capture", .tick_ns = 250 * NSEC_PER_MSEC, .tick = tick};
	FILE *f = fopen(r.file, "wb");
	int error;

	assert_int_equal(fwrite(data, 1, size, f), size);
	fclose(f);
	n_ticks = 0;
	last_tick = 0;
	got.n = 0;
	error = replay_run(&r, reader, &got.sink, &refusal);
	replayed = *sflow_counters(reader);
	sflow_reader_free(reader);
	unlink(r.file);
	return error;
}

static void captures(void **state)
{
	static const struct {
		uint32_t link;
		const char *octets;
		size_t size;
	} links[] = {
		{1, "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0", 14},
		{1, "\2\0\0\0\0\2\2\0\0\0\0\1\x81\0\0\x64\x08\0", 18},
		{101, "", 0},
		{113, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\0", 16},
		{276, "\x08\0\0\0\0\0\0\2\0\1\0\6\2\0\0\0\0\1\0\0", 20},
	};
	struct buf b = {0};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(links); i++) {
		uint32_t head[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, links[i].link};

		b.size = 0;
		buf_octets(&b, head, sizeof head);
		put_packet(&b, 0, links[i].octets, links[i].size, 6343);
		put_packet(&b, 1100, links[i].octets, links[i].size, 9999);
		put_packet(&b, 900, links[i].octets, links[i].size, 6343); /* time goes on */
		assert_int_equal(replay(b.data, b.size), 0);
		assert_int_equal(got.n, 3);
		assert_int_equal(got.last.ns, 1001100 * NSEC_PER_MSEC);
		assert_int_equal(n_ticks, 5); /* at 250, 500, 750, 1000, and one after the end */
		/* Cut anywhere: refused or not, never more than there is. */
		for (size_t size = 0; size < b.size; size++) {
			int error = replay(b.data, size);

			assert_true(error == 0 || error == -EINVAL);
			assert_true(got.n < 3);
		}
	}
	/* Clocks that jump by years do not tick for years. */
	put_be32(b.data + 24 + 16 + links[4].size + 28 + sizeof datagram, 0xf0ffffff);
	assert_int_equal(replay(b.data, b.size), 0);
	assert_int_equal(got.n, 3);
	assert_int_equal(n_ticks, 1);
	buf_free(&b);
}

/* UDP that says it is longer than the frame, around a datagram that says it has more samples. */
static void cut_short(void **state)
{
	uint32_t head[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 101};
	uint32_t before[] = {1000, 0, 2000, 2000}; /* leaves zeros where the next one is read to */
	const size_t udp = sizeof head + 16 + 2000 + 16 + 20;
	struct buf b = {0};

	(void)state;
	buf_octets(&b, head, sizeof head);
	buf_octets(&b, before, sizeof before);
	buf_put(&b, 2000);
	put_packet(&b, 0, "", 0, 6343);
	put_be16(b.data + udp + 4, 0xffff);
	put_be32(b.data + udp + 8 + 24, 2);
	assert_int_equal(replay(b.data, b.size), 0);
	assert_int_equal(got.n, 1);
	assert_int_equal(replayed.malformed, 1);
	put_be16(b.data + udp + 4, 7); /* shorter than its own header */
	assert_int_equal(replay(b.data, b.size), 0);
	assert_int_equal(replayed.datagrams, 0);
	buf_free(&b);
}

static void no_captures(void **state)
{
	uint32_t head[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 105};
	struct replay r = {.file = "nowhere"};
	struct sflow_reader *reader = sflow_reader_create();

	(void)state;
	assert_int_equal(replay_run(&r, reader, &got.sink, &refusal), -EINVAL);
	assert_non_null(strstr(refusal.text, "nowhere"));
	sflow_reader_free(reader);
	assert_int_equal(replay(head, sizeof head), -EINVAL);
	assert_int_equal(refusal.code, REFUSED_BAD_VALUE);
	assert_int_equal(replay("no capture", 10), -EINVAL);
	assert_int_equal(refusal.code, REFUSED_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(unix_socket, up, down),
		cmocka_unit_test_setup_teardown(udp, up, down),
		cmocka_unit_test_setup_teardown(kernel_drops, up, down),
		cmocka_unit_test_setup_teardown(fifo, up, down),
		cmocka_unit_test_setup_teardown(captures, up, down),
		cmocka_unit_test_setup_teardown(cut_short, up, down),
		cmocka_unit_test_setup_teardown(no_captures, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
