/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target without a fuzzer, as `make check` does with every compiler: on the files and
 * folders named as arguments, then on inputs made from them by a fixed sequence of small changes.
 * With SEED=n in the environment the sequence is another one, to look further by hand. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 65536, MUTANTS = 400 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state;

static uint32_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

/* Exactly `size` octets from malloc, so that a sanitizer sees the first octet too far. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_mutants(const uint8_t *data, size_t size)
{
	static uint8_t mutant[INPUT_MAX];

	for (unsigned i = 0; i < MUTANTS; i++) {
		size_t n = size;

		memcpy(mutant, data, size);
		for (unsigned k = next_random() % 4 + 1; n && k; k--)
			mutant[next_random() % n] =
				(uint8_t)(next_random() % 2 ? next_random() : 0xff * (k & 1));
		if (n && next_random() % 4 == 0)
			n = next_random() % n;
		run(mutant, n);
	}
}

static unsigned run_path(const char *path)
{
	static uint8_t data[INPUT_MAX];
	char name[4096];
	unsigned n_inputs = 0;
	DIR *dir = opendir(path);
	FILE *f;

	if (dir) {
		for (struct dirent *e; (e = readdir(dir));) {
			snprintf(name, sizeof name, "%s/%s", path, e->d_name);
			n_inputs += e->d_name[0] == '.' ? 0 : run_path(name);
		}
		closedir(dir);
		return n_inputs;
	}
	f = fopen(path, "rb");
	if (!f) {
		perror(path);
		exit(2);
	}
	size_t size = fread(data, 1, sizeof data, f);

	fclose(f);
	run(data, size);
	run_mutants(data, size);
	return 1;
}

int main(int argc, char **argv)
{
	const char *seed = getenv("SEED");
	unsigned n = 0;

	state = 0x9e3779b97f4a7c15u ^ (seed ? strtoull(seed, NULL, 0) * 0x2545f4914f6cdd1du : 0);
	run((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		n += run_path(argv[i]);
	if (!n) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER…: no input was found\n", argv[0]);
		return 2;
	}
	printf("%u inputs and their mutants\n", n);
	return 0;
}
