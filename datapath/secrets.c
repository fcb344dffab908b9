/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/secrets.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/mman.h>

enum {
	CLASS_MIN = 5,         /* 32 octets, the header included */
	CLASS_MAX = 24,        /* 16 MiB */
	LOCK_STEP = 256 << 10, /* the arena is locked in such steps */
};

/* In front of every block; what follows is aligned for anything. */
struct block {
	uint32_t class;
	struct block *next; /* while it is free */
};
_Static_assert(sizeof(struct block) == 16, "blocks keep malloc's alignment");

static struct {
	pthread_mutex_t lock;
	uint8_t *base;
	size_t used, locked;
	bool locking;
	uint64_t n;
	struct block *free[CLASS_MAX + 1];
} arena = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int lock_up_to(size_t size)
{
	size = MIN(ROUND_UP(size, (size_t)LOCK_STEP), (size_t)SECRETS_SIZE);
	if (!arena.locking || size <= arena.locked)
		return 0;
	if (mlock2(arena.base + arena.locked, size - arena.locked, 0)) {
		arena.locking = false;
		return -errno;
	}
	arena.locked = size;
	return 0;
}

static void *take(size_t size)
{
	uint32_t class = CLASS_MIN;
	struct block *b;

	while (class <= CLASS_MAX && ((size_t)1 << class) < size + sizeof *b)
		class ++;
	if (class > CLASS_MAX || size > (size_t)SECRETS_SIZE)
		return NULL;
	pthread_mutex_lock(&arena.lock);
	b = arena.free[class];
	if (b) {
		arena.free[class] = b->next;
	} else if (SECRETS_SIZE - arena.used >= (size_t)1 << class) {
		b = (struct block *)(arena.base + arena.used);
		arena.used += (size_t)1 << class;
		lock_up_to(arena.used);
	}
	if (b) {
		b->class = class;
		arena.n++;
	}
	pthread_mutex_unlock(&arena.lock);
	return b ? b + 1 : NULL;
}

static void give_back(void *p)
{
	struct block *b = (struct block *)p - 1;

	OPENSSL_cleanse(p, ((size_t)1 << b->class) - sizeof *b);
	pthread_mutex_lock(&arena.lock);
	b->next = arena.free[b->class];
	arena.free[b->class] = b;
	pthread_mutex_unlock(&arena.lock);
}

/* ---- What libcrypto calls -------------------------------------------------------------------- */

static void *secrets_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size ? take(size) : NULL;
}

static void secrets_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (p)
		give_back(p);
}

static void *secrets_realloc(void *p, size_t size, const char *file, int line)
{
	size_t room;
	void *fresh;

	if (!p || !size) {
		secrets_free(p, file, line);
		return secrets_malloc(size, file, line);
	}
	room = ((size_t)1 << ((struct block *)p - 1)->class) - sizeof(struct block);
	if (size <= room)
		return p;
	fresh = take(size);
	if (!fresh)
		return NULL;
	memcpy(fresh, p, room);
	give_back(p);
	return fresh;
}

/* ---- Life -------------------------------------------------------------------------------------
 */

int secrets_init(void)
{
	void *base = mmap(NULL, SECRETS_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return -ENOMEM;
	if (madvise(base, SECRETS_SIZE, MADV_DONTDUMP) ||
	    CRYPTO_set_mem_functions(secrets_malloc, secrets_realloc, secrets_free) != 1) {
		munmap(base, SECRETS_SIZE);
		return -EBUSY;
	}
	arena.base = base;
	return 0;
}

int secrets_lock(void)
{
	int error = 0;

	if (!arena.base)
		return -EINVAL;
	pthread_mutex_lock(&arena.lock);
	arena.locking = true;
	arena.locked = 0;
	error = lock_up_to(MAX(arena.used, (size_t)1));
	pthread_mutex_unlock(&arena.lock);
	return error;
}

bool secrets_hold(const void *p)
{
	const uint8_t *at = p;

	return arena.base && at >= arena.base && at < arena.base + SECRETS_SIZE;
}

uint64_t secrets_allocations(void)
{
	uint64_t n;

	pthread_mutex_lock(&arena.lock);
	n = arena.n;
	pthread_mutex_unlock(&arena.lock);
	return n;
}
