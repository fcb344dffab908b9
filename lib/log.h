/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one line an event, to stderr (or syslog once detached), never from a packet's path.
 *
 *	LOG(WARN, "store: %s: %s; changes are refused until it can be written", file, why);
 *
 * A line begins with the time, the level and the module (the text up to the first colon).
 * `--log SPEC` sets levels: `LEVEL` or `MODULE:LEVEL`, comma-separated.  Lines of one call site
 * are limited to 10 a second; the next one says what was held back.  No key and no payload octet is
 * ever an argument. */
#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

#include "lib/base.h"

enum log_level { LOG_ERR_, LOG_WARN_, LOG_INFO_, LOG_DEBUG_ };

struct log_site {
	uint64_t second;
	uint32_t n, held_back;
};

#define LOG(LEVEL, ...)                                        \
	do {                                                   \
		static struct log_site site_;                  \
		log_line(&site_, LOG_##LEVEL##_, __VA_ARGS__); \
	} while (0)

void log_line(struct log_site *site, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);

struct refusal;
int log_configure(const char *spec, struct refusal *r); /* --log SPEC */
void log_to_syslog(const char *program);
void log_to_stderr(void); /* the default */

#endif
