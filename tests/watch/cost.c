/* SPDX-License-Identifier: Apache-2.0 */
/* What a sample costs, and that memory stays what it is: as many distinct sources as are asked for.
 *
 *	cost [--sources N] [--most US]
 *
 * Three streams of N samples, 2,000 a second in warped time, with all the pipelines of
 * examples/watch: ordinary traffic; a flood from N forged sources to one address; and N sources to
 * N addresses, the worst for tables.  Each sample goes through the whole watcher.
 * Printed are CPU time a sample, ticks included, and resident memory after half of them and in the
 * end.  Exit 1: more than `most` microseconds (10), or memory that grew by more than a fiftieth and
 * 1 MiB in the second half.
 *
 * srcdir in the environment says where the tree is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/watch/scenario.h"
#include "tests/watch/subject.h"

enum { A_SECOND = 2000 };

/* Sanitizers cost what they cost, in time and in memory. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
enum { SANITIZED = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) };
#else
enum { SANITIZED = 0 };
#endif

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double resident_mib(void)
{
	unsigned long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%lu %lu", &pages, &resident) != 2)
		abort();
	fclose(f);
	return (double)resident * 4096 / (1 << 20);
}

struct course {
	const char *name;
	void (*next)(struct stream *s, unsigned long i, struct packet *p);
};

static struct stream ordinary;

static void next_ordinary(struct stream *s, unsigned long i, struct packet *p)
{
	(void)s;
	*p = ordinary.packet[i % ordinary.n];
}

/* Every source once: a walk through all 32-bit numbers in an order that looks like none. */
static uint32_t distinct_host(unsigned long i)
{
	uint32_t x = (uint32_t)i * 2654435761u;

	x ^= x >> 15;
	return x * 2246822519u;
}

static void next_flood(struct stream *s, unsigned long i, struct packet *p)
{
	*p = (struct packet){.src = distinct_host(i),
			     .dst = SITE + WEB,
			     .sport = (uint16_t)draw(s, 65536),
			     .dport = 80,
			     .proto = P_UDP,
			     .len = 500,
			     .ttl = 50,
			     .port = WAN};
}

static void next_everywhere(struct stream *s, unsigned long i, struct packet *p)
{
	next_flood(s, i, p);
	p->dst = distinct_host(i + 77777);
	p->proto = draw(s, 2) ? P_UDP : P_TCP;
	p->flags = F_SYN;
	p->port = (uint8_t)(1 + draw(s, 200));
}

static bool measure(const struct course *c, const char *examples, unsigned long n, double most)
{
	struct subject *u = subject_watch(examples);
	double begin, generating, us, early = 0, late;
	struct watch_sample sample;
	struct stream s;
	struct packet p;
	bool good;

	stream_begin(&s, 1);
	begin = cpu_us();
	for (unsigned long i = 0; i < n; i++) {
		c->next(&s, i, &p);
		stream_sample(&p, &sample);
		__asm__ volatile("" : : "r"(&sample) : "memory");
	}
	generating = cpu_us() - begin;
	begin = cpu_us();
	for (unsigned long i = 0; i < n; i++) {
		c->next(&s, i, &p);
		stream_sample(&p, &sample);
		sample.ns = (i + 1) * (NSEC_PER_SEC / A_SECOND);
		u->sample(u, &sample);
		if (i % (A_SECOND / 4) == 0)
			u->tick(u, sample.ns);
		if (i == n / 2)
			early = resident_mib();
	}
	us = (cpu_us() - begin - generating) / (double)n;
	late = resident_mib();
	good = SANITIZED || (us <= most && late <= early * 1.02 + 1);
	printf("%-34s %10lu samples: %6.3f us of CPU each; %.1f MiB after half of them, %.1f in "
	       "the "
	       "end%s\n",
	       c->name, n, us, early, late, good ? "" : "  TOO MUCH");
	u->free(u);
	stream_free(&s);
	return good;
}

int main(int argc, char **argv)
{
	static const struct course courses[] = {
		{"ordinary traffic", next_ordinary},
		{"distinct sources to one address", next_flood},
		{"distinct sources to as many others", next_everywhere},
	};
	const char *srcdir = getenv("srcdir");
	unsigned long n = 1000000;
	double most = 10;
	char examples[600];
	bool good = true;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--sources"))
			n = strtoul(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--most"))
			most = strtod(argv[i + 1], NULL);
		else
			return 2;
	}
	snprintf(examples, sizeof examples, "%s/examples/watch", srcdir ? srcdir : ".");
	stream_begin(&ordinary, 2);
	background(&ordinary, 60);
	stream_sort(&ordinary);
	for (unsigned i = 0; i < ARRAY_SIZE(courses); i++)
		good = measure(&courses[i], examples, n, most) && good;
	stream_free(&ordinary);
	return !good;
}
