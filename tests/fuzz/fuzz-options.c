/* SPDX-License-Identifier: Apache-2.0 */
/* Options and the small texts in them: addresses, times, numbers. */
#include <stdint.h>
#include <string.h>

#include "lib/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct options *o)
{
	static const char *const words[] = {"yes", "no", NULL};
	uint8_t key[40];
	struct octets octets = {.data = key, .room = sizeof key};
	struct refusal r = {0};
	uint64_t number, ns;
	unsigned word;
	struct ip ip;
	bool flag;

	option_u64(o, "n", (struct range){1, 4096}, &number, &r);
	option_time(o, "t", &ns, &r);
	option_ip(o, "ip", &ip, &r);
	option_bool(o, "b", &flag, &r);
	option_word(o, "w", words, &word, &r);
	/* @FILE would read the fuzzer's own machine. */
	if (option(o, "key") && option(o, "key")[0] != '@')
		option_hex(o, "key", &octets, &r);
	options_finish(o, &r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[2048], *at = text, *word;
	const char *list[OPTIONS_MAX + 2];
	struct options o;
	struct refusal r = {0};
	unsigned n = 0;

	if (size >= sizeof text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	while (n < ARRAY_SIZE(list) && (word = strsep(&at, " \n")))
		list[n++] = word;
	if (!options_parse(&o, n, list, &r)) {
		ask(&o);
		options_free(&o);
	}
	return 0;
}
