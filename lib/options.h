/* SPDX-License-Identifier: Apache-2.0 */
/* `key=value` options, as add-port, add-conn and set-switch take them.
 *
 * The owner of an option asks for it by name and type, which marks it used; options_finish()
 * refuses what nobody asked for, with "did you mean" among the names that were asked for.  Each
 * getter returns 0 when the option is absent (leaving *out as it was: put the default there
 * first) or well-formed, and a refusal otherwise. */
#ifndef SLUICE_OPTIONS_H
#define SLUICE_OPTIONS_H

#include "lib/addr.h"
#include "lib/refuse.h"

enum { OPTIONS_MAX = 48 };

struct options {
	unsigned n, n_asked;
	struct {
		char key[32];
		const char *value; /* owned by the options */
		bool used;
	} option[OPTIONS_MAX];
	const char *asked[OPTIONS_MAX];
	bool offline;  /* packets' time, no root, no kernel (sluiced --offline) */
	bool restored; /* out of the store: whether it is meant was asked when it was made */
};

/* From words `key=value`; a value may be empty.  Refuses a word without `=`, one given twice,
 * and more than OPTIONS_MAX.  `offline` is the caller's to set, before or after. */
int options_parse(struct options *o, unsigned n, const char *const *words, struct refusal *r);
void options_free(struct options *o); /* wipes the values first: some are keys */
int options_finish(struct options *o, struct refusal *r);

/* The value, or NULL when it was not given; marks it used. */
const char *option(struct options *o, const char *key);

int option_bool(struct options *o, const char *key, bool *out, struct refusal *r); /* yes, no */
/* Decimal or 0x…, within [min, max]. */
struct range {
	uint64_t min, max;
};
int option_u64(struct options *o, const char *key, struct range range, uint64_t *out,
	       struct refusal *r);
/* `500us`, `20ms`, `1s`, `2m`, `1h`; a bare number is seconds.  Nanoseconds. */
int option_time(struct options *o, const char *key, uint64_t *ns, struct refusal *r);
int option_ip(struct options *o, const char *key, struct ip *out, struct refusal *r);
/* One of `words` (NULL-terminated): its index. */
int option_word(struct options *o, const char *key, const char *const *words, unsigned *out,
		struct refusal *r);
/* Hexadecimal octets, or `@FILE` that holds them (white space ignored): at most `room` octets to
 * `data`, `size` on return.  For keys: no message repeats the value. */
struct octets {
	uint8_t *data;
	size_t room, size;
};
int option_hex(struct options *o, const char *key, struct octets *out, struct refusal *r);

int parse_time(const char *text, uint64_t *ns); /* -EINVAL */
/* `500bps`, `10mbps`, `2kpps`: bits or packets a second, in bps, kbps, mbps, gbps, pps, kpps, mpps
 * (powers of 1,000). */
struct rate {
	uint64_t n;
	bool packets;
};
enum { RATE_TEXT = 28 };
int parse_rate(const char *text, struct rate *out);           /* -EINVAL */
const char *rate_text(struct rate rate, char buf[RATE_TEXT]); /* the largest unit that divides it */
int parse_u64(const char *text, uint64_t *out);               /* -EINVAL, -ERANGE */

#endif
