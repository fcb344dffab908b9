/* SPDX-License-Identifier: Apache-2.0 */
/* A bad line: bridges two interfaces and spoils the IP packets that cross it.
 *
 *	impair LEFT RIGHT [drop=PERCENT] [swap=PERCENT] [dup=PERCENT] [flip=PERCENT] [seed=N]
 *
 * drop: not forwarded.  swap: held until the next one has gone, so neighbours change places (or
 * for 5 ms when none comes).  dup: sent twice.  flip: one bit of the last octet changed, which the
 * receiver's integrity check has to find.  Both directions, each IP packet its own dice; other
 * frames (ARP) cross unharmed.  Says "ready" when frames can cross.  At SIGTERM or SIGINT prints,
 * per direction, what it received, sent, spoiled, and what the kernel had no room for. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_MAX = 65536, HOLD_MS = 5, SOCKET_ROOM = 8 << 20 };
enum spoil { DROP, SWAP, DUP, FLIP, N_SPOILS };

static const char *const spoil_names[N_SPOILS] = {"drop", "swap", "dup", "flip"};
static double chance[N_SPOILS];
static uint64_t dice = 0x9e3779b97f4a7c15u;
static volatile sig_atomic_t ending;

/* One direction: read from `in`, write to `out`. */
struct way {
	const char *name;
	int in, out;
	uint64_t received, sent, refused, spoiled[N_SPOILS];
	uint8_t held[FRAME_MAX];
	size_t held_size;
};

static void on_signal(int number)
{
	(void)number;
	ending = 1;
}

static bool falls(enum spoil what)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (double)(dice >> 11) / (double)(1ull << 53) * 100 < chance[what];
}

static void fail(const char *what)
{
	fprintf(stderr, "impair: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_interface(const char *name)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct packet_mreq promiscuous = {.mr_type = PACKET_MR_PROMISC};
	int fd, room = SOCKET_ROOM, one = 1;

	at.sll_ifindex = (int)if_nametoindex(name);
	if (!at.sll_ifindex)
		fail(name);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
	promiscuous.mr_ifindex = at.sll_ifindex;
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) ||
	    bind(fd, (struct sockaddr *)&at, sizeof at))
		fail(name);
	return fd;
}

static void put(struct way *w, const uint8_t *frame, size_t size)
{
	if (send(w->out, frame, size, 0) == (ssize_t)size)
		w->sent++;
	else
		w->refused++;
}

static void put_held(struct way *w)
{
	if (w->held_size)
		put(w, w->held, w->held_size);
	w->held_size = 0;
}

static bool spoil(struct way *w, enum spoil what)
{
	if (!falls(what))
		return false;
	w->spoiled[what]++;
	return true;
}

static void cross(struct way *w, uint8_t *frame, size_t size)
{
	uint16_t type;

	w->received++;
	memcpy(&type, frame + 12, sizeof type);
	if (size < ETH_HLEN || (type != htons(ETHERTYPE_IP) && type != htons(ETHERTYPE_IPV6))) {
		put(w, frame, size);
		return;
	}
	if (spoil(w, DROP))
		return;
	if (spoil(w, FLIP))
		frame[size - 1] ^= 0x10;
	if (!w->held_size && spoil(w, SWAP)) {
		memcpy(w->held, frame, size);
		w->held_size = size;
		return;
	}
	put(w, frame, size);
	if (spoil(w, DUP))
		put(w, frame, size);
	put_held(w);
}

static void drain(struct way *w)
{
	static uint8_t frame[FRAME_MAX];

	for (unsigned i = 0; i < 256; i++) {
		ssize_t n = recv(w->in, frame, sizeof frame, 0);

		if (n <= 0)
			return;
		cross(w, frame, (size_t)n);
	}
}

static void print(struct way *w)
{
	struct tpacket_stats kernel = {0};
	socklen_t size = sizeof kernel;

	getsockopt(w->in, SOL_PACKET, PACKET_STATISTICS, &kernel, &size);
	printf("%s received=%llu sent=%llu refused=%llu no-room=%u", w->name,
	       (unsigned long long)w->received, (unsigned long long)w->sent,
	       (unsigned long long)w->refused, kernel.tp_drops);
	for (unsigned i = 0; i < N_SPOILS; i++)
		printf(" %s=%llu", spoil_names[i], (unsigned long long)w->spoiled[i]);
	printf("\n");
}

static void read_options(char **words)
{
	for (; *words; words++) {
		char *value = strchr(*words, '=');
		unsigned i = 0;

		if (!value)
			break;
		*value++ = '\0';
		while (i < N_SPOILS && strcmp(*words, spoil_names[i]))
			i++;
		if (i < N_SPOILS)
			chance[i] = strtod(value, NULL);
		else if (!strcmp(*words, "seed"))
			dice ^= strtoull(value, NULL, 0) * 0x2545f4914f6cdd1du;
		else
			break;
	}
	if (*words) {
		fprintf(stderr, "impair: '%s' is none of drop= swap= dup= flip= seed=\n", *words);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static struct way ways[2] = {{.name = "left-to-right"}, {.name = "right-to-left"}};
	struct sigaction action = {.sa_handler = on_signal};

	if (argc < 3) {
		fprintf(stderr, "usage: impair LEFT RIGHT [drop=%%] [swap=%%] [dup=%%] [flip=%%] "
				"[seed=N]\n");
		return 2;
	}
	read_options(argv + 3);
	ways[0].in = ways[1].out = open_interface(argv[1]);
	ways[1].in = ways[0].out = open_interface(argv[2]);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	puts("ready");
	fflush(stdout);
	while (!ending) {
		struct pollfd fds[2] = {{ways[0].in, POLLIN, 0}, {ways[1].in, POLLIN, 0}};
		bool holding = ways[0].held_size || ways[1].held_size;
		int n = poll(fds, 2, holding ? HOLD_MS : -1);

		for (unsigned i = 0; i < 2; i++) {
			if (n > 0 && fds[i].revents)
				drain(&ways[i]);
			else if (n == 0)
				put_held(&ways[i]);
		}
	}
	print(&ways[0]);
	print(&ways[1]);
	return 0;
}
