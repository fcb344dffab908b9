/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"

enum {
	TURN_MS = 20,       /* how soon a sender that used half is seen */
	AHEAD_S = 60,       /* traffic that a reservation holds; half of it is always ahead */
	SLOT_CHECKSUM = 32, /* offset of the SHA-256 in a slot's header */
	SLOT_HEADER = 64,   /* magic 8, generation 8, n 4, zero 12, checksum 32 */
	SLOT_ENTRY = 32,    /* fingerprint 16, reserved 8, edge 8 */
	SLOT_SIZE = SLOT_HEADER + MARKS_MAX * SLOT_ENTRY,
};

static const uint8_t magic[8] = "sluiceM1";

struct entry {
	uint8_t fingerprint[MARK_FINGERPRINT];
	uint64_t reserved, edge;
	bool sender; /* one lives */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t news;
	pthread_t thread;
	bool running, stop;
	int fd; /* -1: no file */
	uint64_t generation;
	struct entry *entry;
	uint32_t n, room;
	struct mark *senders, *receivers;
	bool dirty, failing; /* it is not all written; the last write failed */
	uint64_t edges_ns;   /* when edges were last written */
	uint8_t *slot;       /* SLOT_SIZE octets to write from */
} marks = {.lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER, .fd = -1};

/* ---- The file ---------------------------------------------------------------------------- */

static void checksum(const uint8_t *slot, uint32_t n, uint8_t sum[32])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned size = 32;

	memset(sum, 0, 32);
	if (ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
		(void)(EVP_DigestUpdate(ctx, slot, SLOT_CHECKSUM) &&
		       EVP_DigestUpdate(ctx, slot + SLOT_HEADER, (size_t)n * SLOT_ENTRY) &&
		       EVP_DigestFinal_ex(ctx, sum, &size));
	EVP_MD_CTX_free(ctx);
}

/* The generation of a whole slot; 0: there is none, or it is broken. */
static uint64_t slot_generation(const uint8_t *slot, size_t size)
{
	uint8_t sum[32];
	uint32_t n;

	if (size < SLOT_HEADER || memcmp(slot, magic, sizeof magic))
		return 0;
	n = get_be32(slot + 16);
	if (n > MARKS_MAX || size < SLOT_HEADER + (size_t)n * SLOT_ENTRY)
		return 0;
	checksum(slot, n, sum);
	return memcmp(sum, slot + SLOT_CHECKSUM, 32) ? 0 : get_be64(slot + 8);
}

static struct entry *entry_add(void)
{
	if (marks.n == marks.room) {
		uint32_t room = marks.room ? marks.room * 2 : 64;
		struct entry *grown = realloc(marks.entry, room * sizeof *grown);

		if (!grown)
			return NULL;
		marks.entry = grown;
		marks.room = room;
	}
	marks.entry[marks.n] = (struct entry){0};
	return &marks.entry[marks.n++];
}

/* `margin`: by how much the slot may be behind what was given out. */
static bool slot_read(const uint8_t *slot, uint64_t margin)
{
	uint32_t n = get_be32(slot + 16);

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *from = slot + SLOT_HEADER + i * SLOT_ENTRY;
		struct entry *e = entry_add();

		if (!e)
			return false;
		memcpy(e->fingerprint, from, MARK_FINGERPRINT);
		e->reserved = get_be64(from + 16) + margin;
		e->edge = get_be64(from + 24);
	}
	return true;
}

/* The slot that the last complete write went to is left alone. */
static int file_write(void)
{
	uint64_t generation = marks.generation + 1;
	size_t size = SLOT_HEADER + (size_t)marks.n * SLOT_ENTRY;
	uint8_t *slot = marks.slot;

	if (marks.fd < 0)
		return 0;
	memset(slot, 0, SLOT_HEADER);
	memcpy(slot, magic, sizeof magic);
	put_be64(slot + 8, generation);
	put_be32(slot + 16, marks.n);
	for (uint32_t i = 0; i < marks.n; i++) {
		uint8_t *to = slot + SLOT_HEADER + i * SLOT_ENTRY;

		memcpy(to, marks.entry[i].fingerprint, MARK_FINGERPRINT);
		put_be64(to + 16, marks.entry[i].reserved);
		put_be64(to + 24, marks.entry[i].edge);
	}
	checksum(slot, marks.n, slot + SLOT_CHECKSUM);
	errno = 0;
	if (pwrite(marks.fd, slot, size, (off_t)(generation % 2 * SLOT_SIZE)) != (ssize_t)size)
		return errno ? -errno : -ENOSPC;
	if (fdatasync(marks.fd))
		return -errno;
	marks.generation = generation;
	return 0;
}

static int file_read(const char *file, struct refusal *r)
{
	static const uint8_t hole[SLOT_HEADER];
	uint8_t *both = calloc(2, SLOT_SIZE);
	ssize_t got = both ? pread(marks.fd, both, 2 * SLOT_SIZE, 0) : -1;
	uint64_t gen[2] = {0};
	bool broken, fresh;
	int error = 0;

	for (size_t i = 0; i < 2; i++)
		if (got > (ssize_t)(i * SLOT_SIZE))
			gen[i] = slot_generation(
				both + i * SLOT_SIZE,
				MIN((size_t)got - i * SLOT_SIZE, (size_t)SLOT_SIZE));
	marks.generation = MAX(gen[0], gen[1]);
	/* The first write of all goes to the second slot and leaves a hole in front: where that is
	 * still there, nothing was ever given out. */
	broken = !(gen[0] && gen[1]) && marks.generation > 1;
	fresh = got == 0 || (got > 0 && !memcmp(both, hole, sizeof hole));
	if (got < 0 || (!fresh && !marks.generation))
		error = refuse(
			r, STORE, "",
			"%s cannot be read as sequence marks; keys used before must not be used "
			"again: move it away and give every connection new keys",
			file);
	else if (marks.generation &&
		 !slot_read(both + (gen[1] > gen[0] ? SLOT_SIZE : 0), broken ? MARK_STEP_MAX : 0))
		error = refuse(r, SYSTEM, "", "no memory for sequence marks");
	free(both);
	return error;
}

/* Both slots have their room from the beginning on: a disk that is full later can be written to all
 * the same, where its file system writes in place.  What it refuses, the first write tells. */
static void file_room(void)
{
	struct stat st;

	if (!fstat(marks.fd, &st) && st.st_size < (off_t)SLOT_SIZE * 2)
		(void)!fallocate(marks.fd, 0, 0, (off_t)SLOT_SIZE * 2);
}

/* The file's name must last as its content does. */
static void sync_folder(const char *file)
{
	char *path = strdup(file), *slash = path ? strrchr(path, '/') : NULL;
	int fd;

	if (slash)
		slash[slash == path] = '\0';
	fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(path);
}

/* ---- The thread --------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static struct entry *entry_find(const uint8_t fingerprint[MARK_FINGERPRINT])
{
	for (uint32_t i = 0; i < marks.n; i++)
		if (!memcmp(marks.entry[i].fingerprint, fingerprint, MARK_FINGERPRINT))
			return &marks.entry[i];
	return NULL;
}

/* Half used: as much again as AHEAD_S of traffic at the rate since the last time. */
static void reserve(struct mark *m, uint64_t now)
{
	uint64_t used = __atomic_load_n(&m->used, __ATOMIC_RELAXED), limit = m->limit, wanted;
	struct entry *e = &marks.entry[m->entry];

	if (limit >= m->max || limit - used > m->step / 2)
		return;
	if (now > m->asked_ns && used > m->asked_used) {
		double rate = (double)(used - m->asked_used) / (double)(now - m->asked_ns);
		double step = rate * (double)(AHEAD_S * NSEC_PER_SEC);

		m->step = step >= (double)MARK_STEP_MAX ? MARK_STEP_MAX
							: MAX((uint64_t)step, MARK_STEP_MIN);
	}
	m->asked_ns = now;
	m->asked_used = used;
	wanted = m->max - used > m->step ? used + m->step : m->max;
	if (wanted > e->reserved) {
		e->reserved = wanted;
		marks.dirty = true;
	}
}

static int turn_locked(uint64_t now)
{
	bool edges = now - marks.edges_ns >= NSEC_PER_SEC;
	int error;

	for (struct mark *m = marks.senders; m; m = m->next)
		reserve(m, now);
	for (struct mark *m = marks.receivers; edges && m; m = m->next) {
		struct entry *e = &marks.entry[m->entry];
		uint64_t seen = __atomic_load_n(&m->seen, __ATOMIC_RELAXED);

		if (seen > e->edge) {
			e->edge = seen;
			marks.dirty = true;
		}
	}
	if (edges)
		marks.edges_ns = now;
	if (!marks.dirty)
		return 0;
	error = file_write();
	if (error && !marks.failing)
		LOG(WARN,
		    "marks: %s; senders stop when the numbers that they have are used, and go on "
		    "as "
		    "soon as it can be written",
		    strerrordesc_np(-error));
	marks.failing = error;
	if (error)
		return error;
	marks.dirty = false;
	for (struct mark *m = marks.senders; m; m = m->next)
		__atomic_store_n(&m->limit, marks.fd < 0 ? m->max : marks.entry[m->entry].reserved,
				 __ATOMIC_RELEASE);
	return 0;
}

int marks_turn(uint64_t now)
{
	int error;

	pthread_mutex_lock(&marks.lock);
	error = turn_locked(now);
	pthread_mutex_unlock(&marks.lock);
	return error;
}

static void *marks_main(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&marks.lock);
	while (!marks.stop) {
		struct timespec until;
		int error = turn_locked(now_ns());

		if (!marks.senders && !marks.receivers) {
			pthread_cond_wait(&marks.news, &marks.lock);
			continue;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += (marks.senders && !error ? TURN_MS : 1000) * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&marks.news, &marks.lock, &until);
	}
	pthread_mutex_unlock(&marks.lock);
	return NULL;
}

/* ---- Open and close ------------------------------------------------------------------------ */

int marks_open(const char *file, struct refusal *r)
{
	int error;

	if (!file)
		return 0;
	marks.fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (marks.fd < 0)
		return refuse(r, STORE, "", "%s cannot be opened: %s", file, strerror(errno));
	marks.slot = malloc(SLOT_SIZE);
	if (flock(marks.fd, LOCK_EX | LOCK_NB))
		error = refuse(r, OCCUPIED, "", "%s belongs to another daemon that runs", file);
	else if (!marks.slot)
		error = refuse(r, SYSTEM, "", "no memory for sequence marks");
	else
		error = file_read(file, r);
	if (!error) {
		file_room();
		/* It shows whether there is room, before somebody needs it. */
		marks.dirty = true;
		turn_locked(now_ns());
		sync_folder(file);
		marks.stop = false;
		marks.running = !pthread_create(&marks.thread, NULL, marks_main, NULL);
		if (!marks.running)
			error = refuse(r, SYSTEM, "", "no thread for sequence marks");
	}
	if (error)
		marks_close();
	return error;
}

void marks_close(void)
{
	if (marks.running) {
		pthread_mutex_lock(&marks.lock);
		marks.stop = true;
		pthread_cond_signal(&marks.news);
		pthread_mutex_unlock(&marks.lock);
		pthread_join(marks.thread, NULL);
		marks.running = false;
		marks.edges_ns = 0;
		if (turn_locked(now_ns()))
			LOG(WARN,
			    "marks: the last write failed; numbers reserved before stay used");
	}
	if (marks.fd >= 0)
		close(marks.fd);
	free(marks.entry);
	free(marks.slot);
	marks.fd = -1;
	marks.entry = NULL;
	marks.slot = NULL;
	marks.n = marks.room = 0;
	marks.generation = 0;
	marks.dirty = marks.failing = false;
}

/* ---- Claims --------------------------------------------------------------------------------- */

static void fingerprint_of(const struct mark_key *k, uint8_t to[MARK_FINGERPRINT])
{
	static const char domain[] = "sluice sequence mark";
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sum[32] = {0}, size = (uint8_t)k->key_size;
	unsigned n = 32;

	if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) ||
	    !EVP_DigestUpdate(ctx, domain, sizeof domain) || !EVP_DigestUpdate(ctx, &size, 1) ||
	    !EVP_DigestUpdate(ctx, k->key, k->key_size) ||
	    !EVP_DigestUpdate(ctx, k->auth, k->auth_size) || !EVP_DigestFinal_ex(ctx, sum, &n))
		abort(); /* no fingerprint, no promise */
	EVP_MD_CTX_free(ctx);
	memcpy(to, sum, MARK_FINGERPRINT);
}

/* With the lock held: the key's entry, made when there is none. */
static struct entry *entry_claim(const struct mark_key *k, struct mark *m)
{
	uint8_t fingerprint[MARK_FINGERPRINT];
	struct entry *e;

	fingerprint_of(k, fingerprint);
	e = entry_find(fingerprint);
	if (!e && marks.n < MARKS_MAX) {
		e = entry_add();
		if (e)
			memcpy(e->fingerprint, fingerprint, MARK_FINGERPRINT);
	}
	m->entry = e ? (uint32_t)(e - marks.entry) : 0;
	return e;
}

/* With the lock held. */
static int claim_sender(const struct mark_key *k, struct mark *m, struct refusal *r)
{
	struct entry *e = entry_claim(k, m);

	if (!e)
		return refuse(r, LIMIT, "key-out", "no room for another key: %u have marks",
			      marks.n);
	if (e->sender)
		return refuse(
			r, KEY_REUSE, "key-out",
			"another connection sends with this key and salt; give this one its own");
	m->max = k->esn ? UINT64_MAX : UINT32_MAX;
	if (e->reserved >= m->max)
		return refuse(r, KEY_REUSE, "key-out",
			      "the sequence numbers of this key are used up; give it a new one");
	m->used = m->asked_used = e->reserved;
	m->asked_ns = now_ns();
	m->step = k->esn ? 4 * MARK_STEP_MIN : MARK_STEP_MIN;
	m->next = marks.senders;
	marks.senders = m;
	m->limit = m->used;
	marks.dirty = true;
	turn_locked(m->asked_ns); /* where that fails, its limit comes later */
	e->sender = true;
	return 0;
}

int mark_claim_sender(const struct mark_key *k, struct mark **out, struct refusal *r)
{
	struct mark *m = calloc(1, sizeof *m);
	int error;

	if (!m)
		return refuse(r, SYSTEM, "", "no memory for a sequence mark");
	pthread_mutex_lock(&marks.lock);
	if (marks.fd < 0 && k->counter && !k->lax)
		error = refuse(
			r, NOT_HERE, "key-out",
			"a static key of this cipher needs a store, so that no IV is used twice: "
			"start with --db FILE, or choose null-sha256 or aes128cbc-sha256");
	else
		error = claim_sender(k, m, r);
	pthread_cond_signal(&marks.news);
	pthread_mutex_unlock(&marks.lock);
	if (error)
		free(m);
	else
		*out = m;
	return error;
}

int mark_claim_receiver(const struct mark_key *k, struct mark **out, struct refusal *r)
{
	struct mark *m = calloc(1, sizeof *m);
	struct entry *e;

	if (!m)
		return refuse(r, SYSTEM, "", "no memory for a sequence mark");
	pthread_mutex_lock(&marks.lock);
	e = entry_claim(k, m);
	if (e) {
		m->seen = e->edge;
		m->next = marks.receivers;
		marks.receivers = m;
	}
	pthread_cond_signal(&marks.news);
	pthread_mutex_unlock(&marks.lock);
	if (!e) {
		free(m);
		return refuse(r, LIMIT, "key-in", "no room for another key: %u have marks",
			      MARKS_MAX);
	}
	*out = m;
	return 0;
}

static void unlink_mark(struct mark **list, struct mark *m)
{
	while (*list != m)
		list = &(*list)->next;
	*list = m->next;
}

void mark_release_sender(struct mark *m)
{
	if (!m)
		return;
	pthread_mutex_lock(&marks.lock);
	unlink_mark(&marks.senders, m);
	if (m->entry < marks.n) { /* what was reserved and not used may be used after all */
		marks.entry[m->entry].sender = false;
		marks.entry[m->entry].reserved = m->used;
		marks.dirty = true;
	}
	pthread_cond_signal(&marks.news);
	pthread_mutex_unlock(&marks.lock);
	free(m);
}

void mark_release_receiver(struct mark *m)
{
	if (!m)
		return;
	pthread_mutex_lock(&marks.lock);
	unlink_mark(&marks.receivers, m);
	if (m->entry < marks.n && m->seen > marks.entry[m->entry].edge) {
		marks.entry[m->entry].edge = m->seen;
		marks.dirty = true;
	}
	pthread_cond_signal(&marks.news);
	pthread_mutex_unlock(&marks.lock);
	free(m);
}
