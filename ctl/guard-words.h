/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule that is asked for the guard may say, from a verb or from a message; the rest is the
 * switch's to check, whoever asks (ofproto.h).  Control thread. */
#ifndef SLUICE_CTL_GUARD_WORDS_H
#define SLUICE_CTL_GUARD_WORDS_H

#include "ofproto/ofproto.h"

enum { GUARD_REASON_MAX = 255 };

#define GUARD_EXPIRE_DEFAULT_NS (3600 * NSEC_PER_SEC)

int guard_check_words(const struct flow_mod *mod, struct refusal *r);
/* One line of at most GUARD_REASON_MAX octets. */
int guard_check_reason(const char *reason, struct refusal *r);
/* Origin watch is refused while panic is on. */
int guard_permits(const struct ofproto *o, uint8_t origin, struct refusal *r);

#endif
