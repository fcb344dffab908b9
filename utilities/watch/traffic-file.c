/* SPDX-License-Identifier: Apache-2.0 */
/* Baselines as a file: a head, then one record per target.  Little endian as it lies in memory; the
 * head's sizes and magic refuse another build's or another machine's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "utilities/watch/traffic.h"

#define MAGIC 0x314e45534142534cull

struct head {
	uint64_t magic;
	uint32_t record_size, n_records;
	uint64_t seconds; /* that were learned */
	struct usual all;
	uint64_t sum; /* of the records */
};

/* FNV-1a: against cuts and accidents, not against people. */
static uint64_t sum_add(uint64_t sum, const void *data, size_t size)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ p[i]) * 0x100000001b3ull;
	return sum;
}

static void remember_all(struct traffic *t)
{
	for (unsigned kind = 0; kind < N_TARGETS; kind++) {
		struct table *table = &t->table[kind];

		for (uint32_t i = 0; i < space_saving_slots(&table->heavy); i++)
			if (table->entry[i].hash)
				entry_remember(t, &table->entry[i]);
	}
}

static struct head head_of(const struct traffic *t)
{
	struct head h = {.magic = MAGIC,
			 .record_size = sizeof(struct baseline),
			 .seconds = t->second,
			 .all = t->usual_all,
			 .sum = 0xcbf29ce484222325ull};
	struct baseline *b;

	for (uint32_t i = 0; (b = baselines_at(t->baselines, i)); i++) {
		if (!b->hash)
			continue;
		h.n_records++;
		h.sum = sum_add(h.sum, b, sizeof *b);
	}
	return h;
}

static int write_all(const struct traffic *t, FILE *f)
{
	struct head h = head_of(t);
	struct baseline *b;

	if (fwrite(&h, sizeof h, 1, f) != 1)
		return -EIO;
	for (uint32_t i = 0; (b = baselines_at(t->baselines, i)); i++)
		if (b->hash && fwrite(b, sizeof *b, 1, f) != 1)
			return -EIO;
	return fflush(f) || fsync(fileno(f)) ? -errno : 0;
}

int traffic_save(const struct traffic *t, const char *file)
{
	char aside[PATH_MAX];
	int fd, error;
	FILE *f;

	if (snprintf(aside, sizeof aside, "%s.new", file) >= (int)sizeof aside)
		return -ENAMETOOLONG;
	/* What entries know goes into the store that the file is a picture of; nothing that can
	 * be seen from outside changes. */
	remember_all((struct traffic *)(uintptr_t)t);
	fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	f = fdopen(fd, "w");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	error = write_all(t, f);
	if (fclose(f) && !error)
		error = -EIO;
	if (!error && rename(aside, file))
		error = -errno;
	if (error)
		unlink(aside);
	return error;
}

static bool is_sane(const struct baseline *b)
{
	const struct target *to = &b->target;
	unsigned most = to->prefix.ip.family == 6 ? 128 : 32;

	if (to->kind >= N_TARGETS || to->prefix.len > most)
		return false;
	if (to->kind < TARGET_CONN && to->prefix.ip.family != 4 && to->prefix.ip.family != 6)
		return false;
	for (unsigned kind = 0; kind < N_ATTACKS; kind++) {
		const struct usual *u = &b->usual[kind];

		if (!(u->pps >= 0 && u->pps < 1e12f && u->bps >= 0 && u->bps < 1e15f &&
		      u->long_pps >= 0 && u->long_pps < 1e12f && u->seconds >= 0 &&
		      u->seconds < 1e9f))
			return false;
	}
	return true;
}

static void adopt(struct traffic *t, const struct baseline *record)
{
	uint64_t hash = target_hash(&record->target);
	struct baseline *b = baselines_put(t->baselines, hash, baseline_weight(record->usual));

	if (!b)
		return;
	*b = *record;
	b->hash = hash;
}

static int read_records(struct traffic *t, const struct head *h, FILE *f, bool keep)
{
	uint64_t sum = 0xcbf29ce484222325ull;
	struct baseline b;

	for (uint32_t i = 0; i < h->n_records; i++) {
		if (fread(&b, sizeof b, 1, f) != 1)
			return -EINVAL;
		sum = sum_add(sum, &b, sizeof b);
		if (!is_sane(&b))
			return -EINVAL;
		if (keep)
			adopt(t, &b);
	}
	return sum == h->sum && fgetc(f) == EOF ? 0 : -EINVAL;
}

/* Read twice: nothing is taken over of a file that is broken further on. */
static int load(struct traffic *t, FILE *f)
{
	struct head h;

	if (fread(&h, sizeof h, 1, f) != 1 || h.magic != MAGIC ||
	    h.record_size != sizeof(struct baseline) || !(h.all.pps >= 0) || !(h.all.bps >= 0) ||
	    read_records(t, &h, f, false) || fseek(f, sizeof h, SEEK_SET) ||
	    read_records(t, &h, f, true))
		return -EINVAL;
	t->usual_all = h.all;
	t->loaded = h.seconds > 0;
	return 0;
}

int traffic_load(struct traffic *t, const char *file, struct refusal *r)
{
	FILE *f = fopen(file, "re");
	int error;

	if (!f) {
		if (errno == ENOENT)
			return -ENOENT;
		return refuse(r, SYSTEM, "state", "baselines %s: %s", file, strerror(errno));
	}
	error = load(t, f);
	fclose(f);
	if (error)
		return refuse(
			r, BAD_VALUE, "state",
			"baselines %s: cut short, damaged or another version's; what is usual is "
			"learned anew",
			file);
	return 0;
}
